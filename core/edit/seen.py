"""Checks whether enough of a mouth is visible to change it: nobody knows what a hidden one looks like.

For a turned head, what counts is not the angle but where the mouth lies: at the far edge of the face a smile has no cheek to
extend into. There the lips tore or left the face in seven photographs (turned by 22 to 38 degrees), and in none whose mouth
was further from the edge (up to 24 degrees).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.composite.mesh import LIPS_OUTLINE, OVAL, face_size
from core.errors import MouthAtEdge, MouthCut, MouthHidden
from core.faces import Aligned, Photo
from core.faces.sampling import through
from core.occlusion import hidden

_LIPS: Final = list(LIPS_OUTLINE)
_WIDER: Final = 1.15  # times the lips: where they move to has to be seen too
MOST_HIDDEN: Final = 0.12  # share of the mouth; a thread or a crumb may lie there, a finger may not
MOST_CUT: Final = 0.1  # share of the mouth beyond the photo's edge

NEAREST_EDGE: Final = 0.025  # in face sizes, from the lips to the outline of the face


def check_mouth(photo: Photo, landmarks: NDArray[np.floating], aligned: Aligned, things: NDArray[np.float32]) -> None:
    """Check that the whole mouth is visible. `landmarks` [478, 2] are in photo pixels, `things` [M, M] over the aligned picture.

    Raises MouthCut if the photo ends within the mouth, MouthHidden if something lies in front of it, MouthAtEdge if the head
    is turned so far that the mouth lies at the edge of the face.
    """
    lips = landmarks[_LIPS].astype(np.float64)
    lips = lips.mean(axis=0) + _WIDER * (lips - lips.mean(axis=0))
    if _beyond(lips, *photo.pixels.shape[:2]) > MOST_CUT:
        raise MouthCut
    if hidden(things, through(np.linalg.inv(aligned.matrix).astype(np.float64), lips) / len(aligned.image)) > MOST_HIDDEN:
        raise MouthHidden
    if _to_edge(landmarks.astype(np.float64)) < NEAREST_EDGE:
        raise MouthAtEdge


def _to_edge(points: NDArray[np.float64]) -> float:
    """Measure the smallest distance from the lips to the outline of the face, in face sizes (see `face_size`).

    `points`: landmarks [478, 2] in pixels. Never negative, also where lips lie beyond the outline.
    """
    start = points[list(OVAL)]
    along = np.roll(start, -1, axis=0) - start
    away = points[_LIPS][:, None] - start  # [lips, oval, 2]
    share = np.clip((away * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-9), 0, 1)
    return float(np.linalg.norm(away - share[..., None] * along, axis=2).min() / face_size(points))


def _beyond(outline: NDArray[np.float64], height: int, width: int) -> float:
    """Compute the share, 0..1, of an outline's area [N, 2] that lies beyond a photo of that size."""
    return 1 - _area(np.clip(outline, 0, [width, height])) / max(_area(outline), 1e-6)


def _area(outline: NDArray[np.float64]) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
