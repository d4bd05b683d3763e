"""Detects glasses by two marks of them: a bar across the nose between the eyes, and rims below the eyes.

It is a statistic of the picture and not a network, for which no weights were to be had. On 560 generated faces, inspected one
by one from the highest score down, `LIMIT` separated faces with glasses from others, except for three or four thin or rimless
pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LIMIT = 0.52  # score above which a face wears glasses
CLEAR = 0.15  # change of the score below which nothing was put on or taken off, on whichever side of LIMIT it lies
_OUTER = 33, 263  # outer corners of the eyes, left and right in the picture
# Where these lie in the square of 256 pixels that is judged, as they do in a face aligned as FFHQ aligns
_LEFT, _RIGHT = np.array([84.3, 121.6]), np.array([171.5, 121.6])
_SIDE = 256
_BRIDGE = slice(108, 140), slice(118, 138)  # rows, columns between the eyes
_BELOW = slice(130, 154), (slice(72, 100), slice(156, 184))  # below each eye
_AROUND = slice(90, 160), slice(60, 196)  # whose contrast is the unit
_RIMS = 0.3  # weight of the rims: folds below the eyes look a little like them


def glasses_score(picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> float:
    """Score a picture uint8 [H, W, 3] by its landmarks [478, 2] in pixels: about 0.2 without glasses, about 1 with them."""
    grey = _upright(picture, landmarks)
    contrast = float(grey[_AROUND].std()) + 1e-6
    bar = np.abs(np.diff(grey[_BRIDGE].mean(axis=1))).max()
    rows, sides = _BELOW
    rims = [np.median(np.abs(np.diff(grey[rows, side], axis=0)), axis=1).max() for side in sides]
    return float((bar + _RIMS * np.mean(rims)) / contrast)


def changed(before: float, after: float) -> int:
    """Tell from two scores whether glasses appeared (+1), disappeared (-1) or neither (0, also if a score is nan)."""
    if np.isnan(before) or np.isnan(after) or abs(after - before) < CLEAR or (before > LIMIT) == (after > LIMIT):
        return 0
    return 1 if after > before else -1


def _upright(picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cut out the face in grey, aligned by its eyes as FFHQ aligns: float64 [256, 256]."""
    left, right = (landmarks[index].astype(np.float64) for index in _OUTER)
    turn = complex(*(right - left)) / complex(*(_RIGHT - _LEFT))  # square pixels -> picture pixels
    x, y = left - [(turn * complex(*_LEFT)).real, (turn * complex(*_LEFT)).imag]
    matrix: tuple[float, ...] = (turn.real, -turn.imag, float(x), turn.imag, turn.real, float(y))
    source = Image.fromarray(picture).convert("L")
    scale = abs(turn)
    if scale > 1.5:  # averaged first, or the transform would skip pixels
        by = int(scale + 0.5)
        source, matrix = source.reduce(by), tuple(value / by for value in matrix)
    drawn = source.transform((_SIDE, _SIDE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(drawn, dtype=np.float64)
