"""Draws several faces of one photo into one picture in the photo's full size, however large."""

from __future__ import annotations

from dataclasses import dataclass

from core.executor.kinds.kind import Cost, Kind, Lane, Mode, register
from core.executor.kinds.render import PictureKind
from core.executor.kinds.together import DrawnTogether, OneOf, Together


@dataclass(frozen=True)
class FullTogether(Together):
    """Edit these faces of a photo in one picture, as large as the photo. Answered by `DrawnTogether`; one step is one face.

    It is a kind of its own beside `Together` for the reason that `FullSize` is one beside `Render`.
    """

    size: int | None = None
    kind: PictureKind = "png"


register(
    Kind(
        request=FullTogether,
        answer=DrawnTogether,
        lane=Lane.FULL,
        mode=Mode.STEPS,
        cost=Cost(a=1.5, b=2.0, low=2, high=10),
        shared="photo",
        run=lambda workbench, request: workbench.together(request),
        units=lambda request: max(1, len(request.faces)),
        worst=lambda m: (FullTogether(m.photo, (OneOf(m.latent, m.face, 1.5, m.learned),), max_bytes=10 * 2**20),),
    )
)
