"""Draws several faces of one photo, each at a strength of its own, into one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from core.errors import EgaoError, revive
from core.errors.base import Fact
from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.executor.kinds.render import PictureKind
from core.expressions import Strength
from core.learned import NOTHING, Learned

MOST: Final = 48  # faces of one picture: a class and its teacher; each takes some 60 kB on its way to the worker


@dataclass(frozen=True)
class OneOf:
    """One kept face of the photo, and how strong its expression is to be."""

    latent: bytes
    face: int  # its number in the photo
    strength: Strength  # 0: it stays as it is in the photo
    learned: Learned = NOTHING  # as in `Render`


@dataclass(frozen=True)
class Together(Asks["DrawnTogether"]):
    """Edit these faces of a photo in one picture. Answered by `DrawnTogether`; one step is one face."""

    photo: bytes
    faces: tuple[OneOf, ...]  # at least one, `MOST` at most
    expression: str = ""  # these as in `Render`
    size: int | None = 1024
    kind: PictureKind = "jpeg"
    max_bytes: int | None = None
    alone: bool = False  # as in `FindFaces`
    generator: str = ""  # as in `Render`


@dataclass(frozen=True)
class DrawnOne:
    """One of the faces after the edit."""

    strength: float  # that it was drawn at: a number in the place of "neutral"
    learned: Learned = NOTHING  # the request's own, completed
    told: str = ""  # code of the error for which it was left as it is in the photo; "" if it was edited
    facts: Mapping[str, Fact] = field(default_factory=dict)  # of that error

    @property
    def trouble(self) -> EgaoError | None:
        """The error for which the face was left as it is in the photo; None if it was edited."""
        return revive(self.told, self.facts) if self.told else None


@dataclass(frozen=True)
class DrawnTogether:
    """The photo with the faces edited, and what became of each of them, in the order of the request."""

    picture: bytes
    faces: tuple[DrawnOne, ...] = ()
    left_out: tuple[str, ...] = ()  # as in `Rendered`


register(
    Kind(
        request=Together,
        answer=DrawnTogether,
        lane=Lane.MOVING,  # some seconds, face by face: whoever presses a button meanwhile gets in between two of them
        mode=Mode.STEPS,
        cost=Cost(a=0.8, b=0.5, low=2, high=10),  # drawn, laid in alone to be judged, and laid in once more
        shared="photo",
        run=lambda workbench, request: workbench.together(request),
        units=lambda request: max(1, len(request.faces)),
        worst=lambda m: (Together(m.photo, (OneOf(m.latent, m.face, 1.5, m.learned),), size=2048),),
    )
)
