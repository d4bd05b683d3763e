"""Spoils good results in known ways, to count how many of them the product's own judge finds (`core.edit.judge`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from core.composite.mesh import LIPS_OUTLINE, Points

Picture = NDArray[np.uint8]
WAYS: Final = ("slid", "torn", "doubled", "smeared")
_WIDER: Final = 1.4  # times the lips: what is spoiled
_SOFT: Final = 0.01  # in face sizes: the border of what is spoiled
_AWAY: Final = 0.05  # in face sizes: how far lips slide
_BLUR: Final = 0.035  # in face sizes


def spoil(result: Picture, lips: Points, size: float) -> Iterator[tuple[str, Picture]]:
    """Yield each of WAYS and the `result` uint8 [H, W, 3] with its mouth spoiled in that way.

    slid: the mouth lies askew of where it belongs. torn: one half of it does. doubled: the mouth and, half transparent, the same
    one lower. smeared: blurred beyond what can be read. `lips` are the face's landmarks [N, 2] in pixels, `size` its size.
    """
    outline = lips[list(LIPS_OUTLINE)]
    middle = outline.mean(axis=0)
    outline = middle + _WIDER * (outline - middle)
    whole = _mask(result, outline, size)
    half = _mask(result, np.column_stack([np.maximum(outline[:, 0], middle[0]), outline[:, 1]]), size)
    aside = _moved(result, _AWAY * size, _AWAY * size / 2)
    below = _moved(result, 0.0, _AWAY * size)
    blurred = np.asarray(Image.fromarray(result).filter(ImageFilter.GaussianBlur(_BLUR * size)))
    made = (whole, aside), (half, below), (whole * np.float32(0.5), below), (whole, blurred)
    for way, (mask, other) in zip(WAYS, made, strict=True):
        yield way, (result + mask[..., None] * (other.astype(np.float32) - result)).round().astype(np.uint8)


def _mask(result: Picture, outline: NDArray[np.floating], size: float) -> NDArray[np.float32]:
    """Mask the area inside an outline [N, 2] with a soft border: float32 [H, W], 0..1."""
    mask = Image.new("L", (result.shape[1], result.shape[0]))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in outline.tolist()], fill=255)
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(_SOFT * size)), np.float32) / np.float32(255)


def _moved(result: Picture, right: float, down: float) -> Picture:
    """Move a picture by so many pixels; what comes in at the borders repeats them."""
    x, y = round(right), round(down)
    moved = np.pad(result, ((max(y, 0), max(-y, 0)), (max(x, 0), max(-x, 0)), (0, 0)), mode="edge")
    return moved[max(-y, 0) : max(-y, 0) + result.shape[0], max(-x, 0) : max(-x, 0) + result.shape[1]]
