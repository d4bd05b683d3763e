"""Things in front of the face (a hand, a cup): they stay unchanged in the photo, and so does a narrow rim around them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.composite.warp import blur, smoothstep

_SURE = 0.15, 0.4  # probability of a thing from which a place is partly, and wholly, left alone
_RIM = 0.014  # in face sizes: marks are coarse, so a thing may reach so much further
_FADE = 0.012  # in face sizes: over so much beyond the rim the edit begins
_BAND = 0.04  # in face sizes: over so much the face's own motion dies away towards a thing


@dataclass(frozen=True, eq=False)
class Still:
    """Where an edit leaves the photo unchanged, because something is in front of the face: two masks [1, 1, H, W], 0..1."""

    pixels: Tensor  # 1 where the photo stays as it is to the bit
    motion: Tensor  # 1 where nothing moves


def still(things: Tensor, size: float) -> Still | None:
    """Derive the masks of a `Still` for a face of `size` pixels; None where nothing is in front of it.

    `things` [1, 1, H, W], 0..1, are the probabilities that something is in front of the face.
    """
    if float(things.max()) <= _SURE[0]:
        return None
    there = _wider(smoothstep(things, *_SURE), _RIM * size)
    pixels = (1.5 * blur(_wider(there, 2 * _FADE * size), _FADE * size)).clamp(0, 1)
    motion = (1.5 * blur(_wider(there, _BAND * size), _BAND / 2 * size)).clamp(0, 1)
    return Still(pixels, motion)


def _wider(mask: Tensor, reach: float) -> Tensor:
    """Take, for each pixel of the mask [1, 1, H, W], the largest value within `reach` pixels along either axis."""
    side = 2 * max(1, round(reach)) + 1
    for axis in (2, 3):  # one axis after the other: 2 n values, not n^2
        mask = _along(F.pad(mask, (0, 0, side // 2, side // 2) if axis == 2 else (side // 2, side // 2, 0, 0)), side, axis)
    return mask


def _along(mask: Tensor, side: int, axis: int) -> Tensor:
    """Take the largest of each `side` neighbours along an axis, which gets shorter by side - 1.

    The maximum of two overlapping stretches is that of both: log2(side) steps on whole pictures, a tenth of a pooling's time.
    """
    reached = 1
    while reached < side:
        step = min(reached, side - reached)
        length = mask.shape[axis] - step
        mask = torch.maximum(mask.narrow(axis, 0, length), mask.narrow(axis, step, length))
        reached += step
    return mask
