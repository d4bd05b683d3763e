"""The landmarker's 478 points as a mesh: its triangles, those that fill the eyes and the mouth, and a rim around the face.

The rim is a copy of the face's outline (the oval), pushed outwards. Nothing moves on the rim and nothing changes beyond it,
so that the motion of the jaw fades out in a band of neck or background instead of stopping at a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.faces.native import media_pipe

Points = NDArray[np.float64]  # [V, 2], x and y in pixels from the corner (0, 0)

COUNT = 468  # the irises' ten points are no part of the surface
NOSE_TIP = 1
BROWS, CHEEKS = 9, 195  # between the brows; on the nose, as high as the cheeks

# Closed loop, clockwise as seen in the picture, from the top of the forehead.
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
        136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
# Each pair runs from one corner to the other, above and below; the corners are in both.
LIPS_INSIDE = ((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308))
LIPS_OUTSIDE = ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291), (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291))
LIPS_OUTLINE = (*LIPS_OUTSIDE[0], *LIPS_OUTSIDE[1][-2:0:-1])  # the same as a closed loop
EYES = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362)),
)
# Upper and lower edge of each brow, from its inner end outwards.
BROW_ROWS = (((107, 66, 105, 63, 70), (55, 65, 52, 53, 46)), ((336, 296, 334, 293, 300), (285, 295, 282, 283, 276)))
# The same points without their order.
ON_LIPS = tuple(i for row in (*LIPS_INSIDE, *LIPS_OUTSIDE) for i in row)
ON_EYES = tuple(i for eye in EYES for row in eye for i in row)
ON_BROWS = tuple(i for rows in BROW_ROWS for row in rows for i in row)
# Bone, or nearly: forehead and temples, the corners of the eyes, the bridge of the nose. An expression hardly moves them.
STEADY = (10, 338, 297, 332, 284, 251, 389, 109, 67, 103, 54, 21, 162, 151, 9, 8, 168, 6, 197, 195, 33, 133, 362, 263, 4)

# How far the rim lies outside the oval, and how much of the edit's motion the oval itself takes, by the oval's points
# from the forehead (0) to the chin (1): ears and hair stay as they are, the jaw moves.
_CHIN = OVAL.index(152)
_RIM_TOP, _RIM_CHIN = 0.01, 0.09  # in face sizes
_EDGE_ON = 0.15  # share of a triangle's largest area below which it is seen from the side


def face_size(points: Points) -> float:
    """Compute the square root of the area within the oval of landmarks [478, 2], in pixels: the unit "face sizes"."""
    x, y = np.asarray(points, dtype=np.float64)[list(OVAL)].T
    return float(np.sqrt(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2))


def downwards(points: Points) -> Points:
    """Compute the unit vector [2] from forehead to chin of landmarks [V, 2]."""
    axis = np.asarray(points[152] - points[10], dtype=np.float64)
    result: Points = axis / np.linalg.norm(axis)
    return result


def lowness() -> NDArray[np.float64]:
    """Tell how low each of the oval's 36 points lies: 0 from the forehead to the ear lobes, rising to 1 along the jaw."""
    steps = np.abs(np.arange(len(OVAL)) - _CHIN)  # 0 at the chin, 18 at the forehead
    return _smoothstep(1 - (steps - 4) / 5)


def rim_margin(size: float) -> NDArray[np.float64]:
    """Compute how far the rim lies from each of the oval's points, [36], in pixels: furthest below the jaw.

    `size` is the face's, in pixels.
    """
    margin: NDArray[np.float64] = (_RIM_TOP + (_RIM_CHIN - _RIM_TOP) * lowness()) * size
    return margin


def with_rim(points: Points) -> Points:
    """Join the first 468 of the landmarks [V, 2] and the points of the rim: [468 + 36, 2]."""
    inner = np.asarray(points, dtype=np.float64)[:COUNT]
    oval = inner[list(OVAL)]
    away = oval - oval.mean(axis=0)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return np.concatenate([inner, oval + away * rim_margin(face_size(points))[:, None]])


@cache
def triangles() -> NDArray[np.intp]:
    """List the triangles as indices [T, 3] into the points of `with_rim`: first in the mouth, then in the eyes, then the rest."""
    edges = _tesselation()  # three edges a triangle, one after the other
    skin = [(edges[i].start, edges[i].end, edges[i + 1].end) for i in range(0, len(edges), 3)]
    assert all(len(set(triangle)) == 3 for triangle in skin)
    filled = [triangle for above, below in (LIPS_INSIDE, *EYES) for triangle in _strip(above, below)]
    count = len(OVAL)
    band = []
    for i, (here, there) in enumerate(zip(OVAL, (*OVAL[1:], OVAL[0]), strict=True)):
        outer, further = COUNT + i, COUNT + (i + 1) % count
        band += [(here, there, outer), (there, further, outer)]
    return np.array(filled + skin + band, dtype=np.intp)


def folded(meshes: Sequence[Points]) -> NDArray[np.bool_]:
    """Tell which triangles, bool [T], show in one of the `meshes`, each [504, 2], their back or nearly only their edge.

    On the far side of a turned face the surface folds over itself there, and two meshes show different places.
    """
    a, b, c = np.stack(meshes)[:, triangles()].transpose(2, 0, 1, 3)
    side = (b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0]  # [meshes, T], twice the areas
    side *= np.sign(np.median(side))
    return np.asarray(side.min(axis=0) < _EDGE_ON * np.abs(side).max(axis=0))


def _tesselation() -> Any:
    return media_pipe().tasks.vision.FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION


@cache
def neighbours() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """List the start and the end of every edge of the surface, two arrays [E]; each edge is there in both directions.

    The rim and the triangles that fill eyes and mouth are left out.
    """
    pairs = {(c.start, c.end) for c in _tesselation()}
    both = np.array(sorted(pairs | {(b, a) for a, b in pairs}), dtype=np.intp)
    return both[:, 0], both[:, 1]


def smooth(values: NDArray[np.float64], fixed: NDArray[np.bool_], rounds: int) -> NDArray[np.float64]:
    """Replace values [468, K], `rounds` times, by the mean of themselves and their neighbours' mean: [468, K].

    Points that are `fixed` (bool [468]) keep their values.
    """
    start, end = neighbours()
    count = np.bincount(start, minlength=COUNT)[:, None]
    for _ in range(rounds):
        total = np.zeros_like(values)
        np.add.at(total, start, values[end])
        values = np.where(fixed[:, None], values, (values + total / count) / 2)
    return values


def _strip(above: tuple[int, ...], below: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """List the triangles between two rows of point indices of equal length that share their first and last point."""
    made = []
    for i in range(len(above) - 1):
        corners = (above[i], above[i + 1], below[i + 1], below[i])
        made += [(corners[0], corners[1], corners[2]), (corners[0], corners[2], corners[3])]
    return [triangle for triangle in made if len(set(triangle)) == 3]


def _smoothstep(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.clip(x, 0, 1)
    result: NDArray[np.float64] = x * x * (3 - 2 * x)
    return result
