"""The kind of work that animates a face from one strength to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.learned import NOTHING, Learned

AnimationKind = Literal["webp", "gif"]


@dataclass(frozen=True)
class Animate(Asks["Animated"]):
    """Animate a stored face from one strength to another and back. Answered by `Animated`; a step is a frame."""

    latent: bytes
    start: float
    stop: float
    expression: str = ""
    frames: int = 24
    fps: int = 12
    size: int = 512
    kind: AnimationKind = "webp"
    max_bytes: int | None = None
    photo: bytes = b""  # these as in `Render`
    face: int = 0
    learned: Learned = NOTHING
    alone: bool = False  # as in `FindFaces`
    generator: str = ""  # as in `Render`


@dataclass(frozen=True)
class Animated:
    """One animated picture."""

    picture: bytes
    frames: int = 0


register(
    Kind(
        request=Animate,
        answer=Animated,
        lane=Lane.MOVING,
        mode=Mode.STEPS,
        cost=Cost(a=0.5, b=0.5, low=12, high=48),
        shared="photo",
        run=lambda workbench, request: workbench.animate(request),
        units=lambda request: max(1, request.frames),
        worst=lambda m: (Animate(m.latent, 0.0, 1.0, photo=m.photo, face=m.face, learned=m.learned),),
    )
)
