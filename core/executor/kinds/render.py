"""Draws a face at some strengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register

PictureKind = Literal["png", "jpeg", "webp"]
Strength = float | Literal["neutral"]  # "neutral" asks for the strength at which this face no longer smiles


@dataclass(frozen=True)
class Render(Asks["Rendered"]):
    """Draw a stored face at one or more strengths along a direction. Answered by `Rendered`.

    With the photo that it came from, the pictures are the photo with this face edited, and strength 0 is the photo.
    Consecutive renders are handed to the workbench together.
    """

    latent: bytes
    strengths: tuple[Strength, ...]  # 0 is the face as it was projected, 1 most of the way to its broadest smile
    direction: str = "smile"
    size: int | None = 1024  # longer side of the pictures in pixels, at most; None for as large as the photo
    kind: PictureKind = "png"
    max_bytes: int | None = None  # largest file for each picture, else the encoder steps down
    photo: bytes = b""
    face: int = 0  # number of the face in the photo
    scale: str = ""  # as `Projected` or an earlier `Rendered` had it; "" measures it again
    found: str = ""  # the same, of this very photo; "" looks for the face again


@dataclass(frozen=True)
class Rendered:
    """The pictures asked for, in the order of the strengths."""

    pictures: tuple[bytes, ...]
    smile: tuple[float, ...] = ()  # measured smile score of each picture, 0..1
    kinds: tuple[str, ...] = ()  # the format that each picture ended up in
    strengths: tuple[float, ...] = ()  # what was drawn: as asked, with a number in the place of "neutral"
    scale: str = ""  # the face's scale that they were drawn by
    found: str = ""  # where the face is in the photo, if there was one


register(
    Kind(
        request=Render,
        answer=Rendered,
        lane=Lane.QUICK,
        mode=Mode.BATCH,
        cost=Cost(a=0.4, b=0.3, low=1, high=8),
        run=lambda workbench, requests: workbench.render(requests),
        units=lambda request: max(1, len(request.strengths)),
    )
)
