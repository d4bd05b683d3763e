"""Encodes the frames of an edited animation in the kind of file that it came in, with its times and how often it plays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from core.pictures.encode import LOWER, PLAIN, TIMES, Manner, Signing, Source, xmp
from core.pictures.gif import gif

FilmKind = Literal["gif", "png", "webp", "avif"]
FILM_KINDS: Final[tuple[FilmKind, ...]] = ("gif", "png", "webp", "avif")
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Playing:
    """How an animation plays."""

    durations: Sequence[float]  # milliseconds of each frame
    loops: int | None  # how often, 0 for ever; of a GIF how often again, None for not again
    apart: bool = False  # whether the first frame is a still picture and no part of it; only a PNG can say that


def encode_film(
    frames: Sequence[Picture],
    before: Sequence[Picture],
    kind: FilmKind,
    playing: Playing,
    *,
    manner: Manner = PLAIN,
    source: Source = "edited",
    credentials: Signing | None = None,
) -> bytes:
    """Encode frames, each uint8 [H, W, 3] or [H, W, 4] with transparency, as one animation that states its `source` in XMP.

    `before` are the frames without the edit, of the same shapes: a GIF keeps the colours of what is equal in both. With the
    `manner` of the file that they come from, the result has its profile, and in the file's own kind at most TIMES its bytes
    where that kind can be made smaller. `credentials` sign it in addition.
    """
    if credentials is not None:
        data = encode_film(frames, before, kind, playing, manner=manner, source=source)
        return credentials.sign(data, source)
    if kind == "gif":
        return gif(frames, before, playing.durations, playing.loops, xmp(source))
    images = [Image.fromarray(one) for one in _alike(frames)]
    if kind == "png":
        return _png(images, playing, manner, source)
    data = b""
    for quality in (100, *LOWER) if kind == "webp" and manner.exact else LOWER:
        data = _lossy(images, kind, playing, quality, manner, source)
        if not manner.size or manner.kind != kind or len(data) <= TIMES * manner.size:
            break
    return data


def _alike(frames: Sequence[Picture]) -> list[Picture]:
    """Give every frame the channel of transparency if any has it."""
    if len({one.shape[2] for one in frames}) == 1:
        return list(frames)
    return [one if one.shape[2] == 4 else np.dstack([one, np.full(one.shape[:2], 255, np.uint8)]) for one in frames]


def _png(images: list[Image.Image], playing: Playing, manner: Manner, source: Source) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp(source).decode())
    durations = list(playing.durations)[playing.apart :]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "PNG", save_all=True, append_images=images[1:], default_image=playing.apart, duration=durations,
        loop=playing.loops or 0, pnginfo=info, icc_profile=manner.profile,
    )  # fmt: skip
    return buffer.getvalue()


def _lossy(images: list[Image.Image], kind: FilmKind, playing: Playing, quality: int, manner: Manner, source: Source) -> bytes:
    """Encode at a quality of 0..100; 100 of a WebP is without loss."""
    options: dict[str, Any] = {"duration": [round(one) for one in playing.durations], "quality": quality}
    if kind == "webp":
        options |= {"loop": playing.loops or 0, "method": 3, "lossless": quality == 100}
        if options["lossless"]:
            options |= {"quality": 75, "exact": True}
    else:
        options |= {"subsampling": "4:4:4", "speed": 8}
    buffer = io.BytesIO()
    images[0].save(
        buffer, kind.upper(), save_all=True, append_images=images[1:], xmp=xmp(source), icc_profile=manner.profile, **options
    )
    return buffer.getvalue()
