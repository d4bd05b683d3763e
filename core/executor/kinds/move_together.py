"""Animates several faces of one photo in one picture, each to a strength of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.executor.kinds.animate import AnimationKind
from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.executor.kinds.together import DrawnOne, OneOf

MOST_FRAMES: Final = 24  # as one face has
LEAST_FRAMES: Final = 8  # of a crowd: with fewer a smile jumps
FACES_OF_ALL: Final = 96  # faces in all frames together: the work of four animations of one face


@dataclass(frozen=True)
class MoveTogether(Asks["MovedTogether"]):
    """Animate these faces of a photo, from neutral to their strengths and back. Answered by `MovedTogether`.

    One step is one face in one frame. A face of strength 0 stays as it is in the photo.
    """

    photo: bytes
    faces: tuple[OneOf, ...]  # as in `Together`
    still: tuple[int, ...] = ()  # places in `faces` of those that are edited, and do not move
    low: float = -3.0  # strength below which no face begins
    expression: str = ""  # these as in `Animate`
    frames: int = MOST_FRAMES
    fps: int = 12
    size: int = 1024  # twice that of one face: everybody has to be seen
    kind: AnimationKind = "webp"
    max_bytes: int | None = None
    alone: bool = False
    generator: str = ""  # as in `Render`


@dataclass(frozen=True)
class MovedTogether:
    """One animated picture, and what became of each face, in the order of the request."""

    picture: bytes
    faces: tuple[DrawnOne, ...] = ()


def pace(moving: int) -> tuple[int, int]:
    """Choose the frames, and the frames a second, for so many moving faces: a crowd moves as fast, in fewer frames."""
    frames = max(LEAST_FRAMES, min(MOST_FRAMES, FACES_OF_ALL // max(1, moving)))
    return frames, round(frames / 2)


register(
    Kind(
        request=MoveTogether,
        answer=MovedTogether,
        lane=Lane.MOVING,
        mode=Mode.STEPS,
        cost=Cost(a=0.4, b=2.0, low=48, high=96),
        shared="photo",
        run=lambda workbench, request: workbench.move_together(request),
        units=lambda request: max(1, request.frames * len(request.faces)),
        worst=lambda m: (MoveTogether(m.photo, (OneOf(m.latent, m.face, 1.5, m.learned),)),),
    )
)
