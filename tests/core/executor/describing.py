"""A kind of work that looks at photos and kept faces with egao's networks. This file is all that is written for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.errors import NotReached
from core.executor.door import Door
from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, Progress, register
from core.learned import NOTHING, Learned


@dataclass(frozen=True)
class Describe(Asks["Described"]):
    """Describe the face in a photo and, if its latent is given, the face as it is kept."""

    photo: bytes
    latent: bytes = b""
    strength: float = 0.0
    learned: Learned = NOTHING


@dataclass(frozen=True)
class Described:
    """The blendshapes and emotions of each, and a picture of the last."""

    blendshapes: tuple[Mapping[str, float], ...]
    emotions: tuple[Mapping[str, float], ...]
    picture: bytes


def describe(door: Door, request: Describe) -> Iterator[Progress | Described]:
    """One step for the photo and one for the kept face."""
    pictures = [door.face_in_photo(request.photo, learned=request.learned)]
    yield Progress(1, 2)
    if request.latent:
        pictures.append(door.kept_face(request.latent, request.learned, request.strength))
        yield Progress(2, 2)
    found = tuple(door.blendshapes(one) for one in pictures)
    if max(found[-1].values()) == 0:
        raise NotReached(strength=request.strength)
    yield Described(found, tuple(door.emotions(one) for one in pictures), door.file(pictures[-1], "webp"))


register(
    Kind(
        request=Describe,
        answer=Described,
        lane=Lane.MOVING,
        mode=Mode.STEPS,
        cost=Cost(a=0.2, b=0.2, low=1, high=2),
        run=lambda workbench, request: describe(workbench.door, request),
        shared="photo",
    )
)
