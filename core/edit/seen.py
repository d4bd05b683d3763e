"""Whether enough of a mouth is seen to change it: nobody knows what a hidden one looks like."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.composite.mesh import LIPS_OUTSIDE
from core.errors import MouthCut, MouthHidden
from core.faces import Aligned, Photo
from core.faces.sampling import through
from core.occlusion import hidden

_LIPS: Final = [*LIPS_OUTSIDE[0], *LIPS_OUTSIDE[1][-2:0:-1]]
_WIDER: Final = 1.15  # times the lips: where they move to has to be seen too
MOST_HIDDEN: Final = 0.12  # share of the mouth; a thread or a crumb may lie there, a finger may not
MOST_CUT: Final = 0.1  # share of the mouth beyond the photo's edge


def check_mouth(photo: Photo, landmarks: NDArray[np.floating], aligned: Aligned, things: NDArray[np.float32]) -> None:
    """Raise MouthCut where the photo ends in the mouth, MouthHidden where `things` over its `aligned` picture lie before it."""
    lips = landmarks[_LIPS].astype(np.float64)
    lips = lips.mean(axis=0) + _WIDER * (lips - lips.mean(axis=0))
    if _beyond(lips, *photo.pixels.shape[:2]) > MOST_CUT:
        raise MouthCut
    if hidden(things, through(np.linalg.inv(aligned.matrix).astype(np.float64), lips) / len(aligned.image)) > MOST_HIDDEN:
        raise MouthHidden


def _beyond(outline: NDArray[np.float64], height: int, width: int) -> float:
    """Share of an outline's area [N, 2] that lies beyond a photo of that size: 0..1."""
    return 1 - _area(np.clip(outline, 0, [width, height])) / max(_area(outline), 1e-6)


def _area(outline: NDArray[np.float64]) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
