"""The kind of work that finds the faces in a photo."""

from __future__ import annotations

from dataclasses import dataclass

from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.learned import NOTHING, Learned


@dataclass(frozen=True)
class FindFaces(Asks["FoundFaces"]):
    """Find the faces in a photo. Answered by `FoundFaces`; fails with a `PhotoError`."""

    photo: bytes  # the file as it came: JPEG, PNG, WebP, GIF, AVIF or HEIC
    alone: bool = False  # a face that the checks refuse bars itself, not the whole photo


@dataclass(frozen=True)
class FoundFace:
    """One face of a photo, with a small picture to choose it by."""

    index: int  # from 0 at the left; the numbers of faces that the checks refuse are left out
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the upright photo
    thumbnail: bytes  # an encoded picture of the aligned face
    learned: Learned = NOTHING  # where it was found; pass it with later requests, so that they need not search


@dataclass(frozen=True)
class FoundFaces:
    """The usable faces of a photo, left to right; never empty (a photo without one fails with `NoFace`)."""

    faces: tuple[FoundFace, ...]
    barred: int = 0  # more that the checks refuse: counted in the others' numbers, and not shown


register(
    Kind(
        request=FindFaces,
        answer=FoundFaces,
        lane=Lane.LOOK,
        mode=Mode.STEPS,  # a crowd takes seconds: other requests need not wait for all of it
        cost=Cost(a=0.1, b=0.1, low=4, high=8),
        told=False,  # mostly it takes a moment
        units=lambda request: 4,  # decode the photo, check it, find its faces, check them
        shared="photo",
        run=lambda workbench, request: workbench.find_faces(request),
        worst=lambda m: (FindFaces(m.crowd), FindFaces(m.photo)),
    )
)
