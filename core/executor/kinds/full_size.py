"""The kind of work that draws a face at one strength in its photo's full size, however large."""

from __future__ import annotations

from dataclasses import dataclass

from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.executor.kinds.render import PictureKind, Rendered
from core.expressions import Strength
from core.learned import NOTHING, Learned


@dataclass(frozen=True)
class FullSize(Asks[Rendered]):
    """Draw a stored face at one strength, as large as its photo. Answered by `Rendered`, with one picture.

    It is a kind of its own beside `Render`, since such a picture may take a hundred times as long.
    """

    latent: bytes
    strength: Strength
    expression: str = ""  # these as in `Render`
    kind: PictureKind = "png"
    max_bytes: int | None = None
    photo: bytes = b""
    face: int = 0
    learned: Learned = NOTHING
    alone: bool = False  # as in `FindFaces`
    generator: str = ""  # as in `Render`


register(
    Kind(
        request=FullSize,
        answer=Rendered,
        lane=Lane.FULL,
        mode=Mode.STEPS,
        cost=Cost(a=1.0, b=0.5, low=1, high=4),
        shared="photo",
        run=lambda workbench, request: workbench.full_size(request),
        units=lambda request: 3,  # the face placed in its photo, drawn, and the picture encoded
        worst=lambda m: (FullSize(m.latent, 1.5, max_bytes=10 * 2**20, photo=m.photo, face=m.face, learned=m.learned),),
    )
)
