"""The kind of work that draws a face at some strengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import EgaoError, ResultError, revive
from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.expressions import NEUTRAL, Strength
from core.learned import NOTHING, Learned

PictureKind = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True)
class Render(Asks["Rendered"]):
    """Draw a stored face at one or more strengths of an expression. Answered by `Rendered`.

    With the photo it came from, the pictures are the photo with this face edited, and strength 0 is the photo. Consecutive
    renders are given to the workbench together.
    """

    latent: bytes
    strengths: tuple[Strength, ...]  # 0 is the unedited face, 1 four fifths of the expression that it has left
    expression: str = ""  # by its name; "" for the default one
    size: int | None = 1024  # longer side of the pictures in pixels, at most; None for as large as the photo
    kind: PictureKind = "png"
    max_bytes: int | None = None  # largest file for each picture, else the encoder steps down
    photo: bytes = b""
    face: int = 0  # number of the face in the photo
    learned: Learned = NOTHING  # from `Projected` or an earlier `Rendered`; missing parts are found and measured
    alone: bool = False  # as in `FindFaces`
    generator: str = ""  # digest of the one that the latent belongs to; "": the one that the settings name


@dataclass(frozen=True)
class Rendered:
    """The pictures, in the order of the strengths."""

    pictures: tuple[bytes, ...]
    scores: tuple[float, ...] = ()  # of the expression in each picture, 0..1, where they were taken
    kinds: tuple[str, ...] = ()  # the format that each picture ended up in
    strengths: tuple[float, ...] = ()  # the drawn strengths: as asked, with a number in place of "neutral"
    learned: Learned = NOTHING  # the request's own, completed
    told: tuple[str, ...] = ()  # for each picture "", or if it is bad (and empty) the code of a ResultError
    left_out: tuple[str, ...] = ()  # of a picture in full size: what it lacks of its photo's file, in words of `Reason`

    def trouble(self, index: int) -> EgaoError | None:
        """Return the error that says why a picture must not be shown; None for a good one."""
        code = self.told[index] if index < len(self.told) else ""
        return revive(code, {"strength": f"{round(self.strengths[index], 2):+g}"}, ResultError) if code else None


register(
    Kind(
        request=Render,
        answer=Rendered,
        lane=Lane.QUICK,
        mode=Mode.BATCH,
        cost=Cost(a=0.4, b=0.3, low=1, high=8),
        shared="photo",
        run=lambda workbench, requests: workbench.render(requests),
        units=lambda request: max(1, len(request.strengths)),
        worst=lambda m: (
            Render(m.latent, (0.0, NEUTRAL, 1.0), size=2048, kind="jpeg", photo=m.photo, face=m.face, learned=m.learned),
        ),
    )
)
