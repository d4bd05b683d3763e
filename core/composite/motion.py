"""Where the edit takes each landmark of the photo's own face.

Only the expression is taken over: what turns, shifts or scales the whole head between reconstruction and edit is fitted
on the bones of the face and taken out, and what is no more than the landmarker's noise is dropped.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.composite.mesh import (
    BROW_ROWS,
    BROWS,
    CHEEKS,
    COUNT,
    EYES,
    LIPS_INSIDE,
    LIPS_OUTSIDE,
    NOSE_TIP,
    OVAL,
    STEADY,
    Points,
    face_size,
    lowness,
    rim_margin,
    smooth,
)
from core.expressions import Parts

_NOISE, _MOVED = 0.0012, 0.004  # in face sizes: below the first a motion is noise, above the second it is taken whole
_LIPS = tuple(i for row in (*LIPS_INSIDE, *LIPS_OUTSIDE) for i in row)
_RELAXED = 0.1  # share of its width that a mouth loses from a plain smile to rest
_BROAD = 0.25  # and from a broad one
_FOREHEAD = 0.9  # heights above the brows by which the forehead gives way
_RISE = np.array([0.026, 0.028, 0.027, 0.023, 0.015])  # in face sizes, from the inner end of a brow to the outer
_APART = np.array([0.005, 0.004, 0.002, 0.0, 0.0])
_OVAL_SHARE = 0.25  # a chin that drops further needs a neck that the photo does not show
_DEPTH_REACH = 0.22  # in face sizes, how wide the nose stands out of the face


def target_points(photo: Points, reconstructed: Points, edited: Points, parts: Parts) -> Points:
    """Compute the photo's landmarks after the edit, [468, 2], from three sets of landmarks [478, 2] in photo pixels."""
    photo, reconstructed, edited = (np.asarray(points, dtype=np.float64)[:COUNT] for points in (photo, reconstructed, edited))
    size = face_size(photo)
    motion = without_head(reconstructed, edited) - reconstructed
    precise = np.zeros(COUNT, dtype=bool)  # contours that carry the expression are not smoothed
    precise[[*_LIPS, *(i for eye in EYES for row in eye for i in row)]] = True
    motion = smooth(motion * _share(photo, parts)[:, None], precise, rounds=4)
    motion += parts.lift * _lift(photo)
    _hold(motion, photo, rim_margin(size))
    length = np.linalg.norm(motion, axis=1) / size
    motion *= _ramp(length, _NOISE, _MOVED)[:, None]
    target = photo + motion
    _close_mouth(target, photo, reconstructed, edited)
    return target


def without_head(reconstructed: Points, edited: Points) -> Points:
    """Put the head back in the edited landmarks: a similarity fitted on STEADY, the nose free to slide as a turn lets it.

    An affine map would fit the forehead better and carry its errors to the chin, where nothing holds it.
    """
    size, centre = face_size(reconstructed), edited.mean(axis=0)
    away = edited - centre
    depth = size * np.exp(-0.5 * np.square((edited - edited[NOSE_TIP]) / (_DEPTH_REACH * size)).sum(axis=1))
    one, none = np.ones(len(edited)), np.zeros(len(edited))
    # unknowns: scale and turn (a, b of a + ib), shift x and y, slide of the nose x and y
    of_x = np.column_stack([away[:, 0], -away[:, 1], one, none, depth, none])
    of_y = np.column_stack([away[:, 1], away[:, 0], none, one, none, depth])
    steady = list(STEADY)
    fit, *_ = np.linalg.lstsq(np.concatenate([of_x[steady], of_y[steady]]), reconstructed[steady].T.ravel(), rcond=None)
    return np.column_stack([of_x @ fit, of_y @ fit])


def mouth_gap(points: Points) -> float:
    """Mean distance between the inner lips over the middle of the mouth, in pixels; 0 where they overlap."""
    above, below = (np.asarray(points)[list(row[3:8])] for row in LIPS_INSIDE)
    return float(max(0.0, ((below - above) @ _down(points)).mean()))


def relaxing(before: Points, after: Points) -> float:
    """Measure how far the mouth goes back from a smile, 0 (not) to 1: by how much it becomes narrower."""
    return float(np.clip(_narrower(before, after) / _RELAXED, 0, 1))


def broadly(before: Points, after: Points) -> float:
    """Measure how broad the smile was that goes: 0 for a plain one, 1 where cheeks were raised that no longer are."""
    return float(np.clip((_narrower(before, after) - _RELAXED) / (_BROAD - _RELAXED), 0, 1))


def _narrower(before: Points, after: Points) -> float:
    widths = [float(np.linalg.norm(points[LIPS_OUTSIDE[0][-1]] - points[LIPS_OUTSIDE[0][0]])) for points in (before, after)]
    return 1 - widths[1] / widths[0]


def heights(points: Points, where: Tensor) -> Tensor:
    """Tell how far down the face places [1, 2, H, W], in the points' pixels, lie: [1, 1, H, W], 0 at the brows, 1 on the nose."""
    down = (points[CHEEKS] - points[BROWS]).astype(np.float32)
    away = where - torch.tensor(points[BROWS], dtype=torch.float32).view(1, 2, 1, 1)
    return (away * torch.from_numpy(down / (down @ down)).view(1, 2, 1, 1)).sum(dim=1, keepdim=True)


def _down(points: Points) -> NDArray[np.float64]:
    """Find the unit vector from forehead to chin."""
    axis = np.asarray(points[152] - points[10], dtype=np.float64)
    result: NDArray[np.float64] = axis / np.linalg.norm(axis)
    return result


def _share(photo: Points, parts: Parts) -> NDArray[np.float64]:
    """Choose how much of the motion each point takes, [468]: forehead and the face's sides none, brows and lids `parts.upper`.

    Where brows are meant to move the forehead gives way for them, and ends at the hair.
    """
    upper = parts.upper
    down = photo[CHEEKS] - photo[BROWS]
    height = ((photo - photo[BROWS]) @ down) / (down @ down)  # 0 at the brows, 1 on the nose
    share = upper + (1 - upper) * _ramp(height, 0.1, 0.9)
    share *= _ramp(height, -0.6 - _FOREHEAD * parts.brows, -0.5 * _FOREHEAD * parts.brows)
    share[list(OVAL)] = lowness()
    return smooth(share[:, None], np.isin(np.arange(COUNT), (*OVAL, *_LIPS)), rounds=3)[:, 0]


def _lift(photo: Points) -> NDArray[np.float64]:
    """Raise brows that were lowered in a deep frown, [468, 2] in pixels: evenly (inner ends alone would look worried).

    Eyes and the oval stay; what lies between gives way.
    """
    up, size = -_down(photo), face_size(photo)
    held = np.zeros(COUNT, dtype=bool)
    held[[*OVAL, *(i for eye in EYES for row in eye for i in row)]] = True
    field = np.zeros((COUNT, 2))
    for rows in BROW_ROWS:
        across = photo[rows[0][-1]] - photo[rows[0][0]]
        across /= np.linalg.norm(across)  # from the inner end outwards
        for row in rows:
            field[list(row)] = size * (np.outer(_RISE, up) + np.outer(_APART, across))
            held[list(row)] = True
    return smooth(field, held, rounds=12)


def _hold(motion: NDArray[np.float64], photo: Points, margin: NDArray[np.float64]) -> None:
    """Keep every point this side of the rim, in place: motions saturate at a share of the `margin` [36] from the oval to
    the rim, plus the way to the oval. On the far side of a turned face cheek and oval lie on one line, and would fold."""
    ways = np.linalg.norm(photo[:, None] - photo[list(OVAL)], axis=2)  # [468, 36]
    nearest = ways.argmin(axis=1)
    limit = _OVAL_SHARE * margin[nearest] + ways[np.arange(COUNT), nearest]
    motion /= (1 + (np.linalg.norm(motion, axis=1) / limit) ** 4)[:, None] ** 0.25


def _close_mouth(target: Points, photo: Points, reconstructed: Points, edited: Points) -> None:
    """Set the inner lips so that a mouth which the edit closes is closed, in place.

    Differences of landmarks would leave it ajar wherever the photo's mouth stands further open than the reconstruction's:
    where the edit narrows the gap, its share is taken instead. Nowhere may the lips cross.
    """
    down = _down(photo)
    rows = [np.array(row[1:-1]) for row in LIPS_INSIDE]
    gaps = [np.maximum((points[rows[1]] - points[rows[0]]) @ down, 0) for points in (photo, reconstructed, edited)]
    of_photo, before, after = gaps
    narrower = after < before
    wanted = np.where(narrower, of_photo * after / np.maximum(before, 1e-6), of_photo + after - before)
    now = (target[rows[1]] - target[rows[0]]) @ down
    half = ((wanted - now) / 2)[:, None] * down
    for inner, outer, sign in ((LIPS_INSIDE[0], LIPS_OUTSIDE[0], -1.0), (LIPS_INSIDE[1], LIPS_OUTSIDE[1], 1.0)):
        target[list(inner[1:-1])] += sign * half
        target[list(outer[1:-1])] += sign * half * 0.5  # the lip moves with its edge


def _ramp(x: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    x = np.clip((x - low) / (high - low), 0, 1)
    result: NDArray[np.float64] = x * x * (3 - 2 * x)
    return result
