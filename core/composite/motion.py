"""Where the edit moves each landmark of the photo's own face.

Only the expression is transferred. A turn, shift or change of size of the whole head between reconstruction and edit is
fitted on the points that hardly move (STEADY) and removed, and so is motion that is no more than the landmarker's
noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.composite.mesh import (
    BROWS,
    CHEEKS,
    COUNT,
    LIPS_INSIDE,
    LIPS_OUTSIDE,
    NOSE_TIP,
    ON_EYES,
    ON_LIPS,
    OVAL,
    STEADY,
    Points,
    downwards,
    face_size,
    lowness,
    rim_margin,
    smooth,
)
from core.composite.units import Muscles, lips_together
from core.composite.warp import smoothstep
from core.expressions import Parts

_NOISE, _MOVED = 0.0012, 0.004  # in face sizes: below the first a motion is noise, above the second it is taken whole
_RELAXED = 0.1  # share of its width that a mouth loses from a plain smile to rest
_BROAD = 0.25  # and from a broad one
_FOREHEAD = 0.9  # heights above the brows by which the forehead gives way
_OVAL_SHARE = 0.25  # a chin that drops further needs a neck that the photo does not show
_DEPTH_REACH = 0.22  # in face sizes, how wide the nose stands out of the face
LIDS_EDGE = ((145,), (374,))  # the middle of the lower lids' edge
LIDS_END = ((229, 230), (449, 450))  # where the lower lids go over into the cheeks
_EASED = 0.09  # in face sizes, below there: over so much the cheeks' motion dies away towards eyes that stay still


def target_points(photo: Points, reconstructed: Points, edited: Points, parts: Parts, muscles: Muscles | None = None) -> Points:
    """Compute where the photo's landmarks lie after the edit: [468, 2] in photo pixels.

    The three sets of landmarks, [478, 2] in photo pixels, are of the photo, of its reconstruction and of the edited
    picture. `muscles` are the photo's, if they are known already.
    """
    photo, reconstructed, edited = (np.asarray(points, dtype=np.float64)[:COUNT] for points in (photo, reconstructed, edited))
    size = face_size(photo)
    motion = without_head(reconstructed, edited) - reconstructed
    precise = np.zeros(COUNT, dtype=bool)  # contours that carry the expression are not smoothed
    precise[[*ON_LIPS, *ON_EYES]] = True
    motion = smooth(motion * _share(photo, parts)[:, None], precise, rounds=4)
    muscles = muscles or Muscles(photo)
    if parts.lift:
        motion += parts.lift * muscles.lifted
    if parts.squint:
        motion += parts.squint * muscles.rising
    motion += muscles.moved(parts.units)
    if parts.still:
        motion *= below_eyes(photo, torch.tensor(photo.T[None, :, None]), _EASED)[0, 0].T.numpy()
    _hold(motion, photo, rim_margin(size))
    length = np.linalg.norm(motion, axis=1) / size
    motion *= _ramp(length, _NOISE, _MOVED)[:, None]
    target = photo + motion
    _close_mouth(target, photo, reconstructed, edited)
    if parts.shut:
        target += lips_together(target, parts.shut)
    return target


def without_head(reconstructed: Points, edited: Points) -> Points:
    """Undo the motion of the whole head in the `edited` landmarks [N, 2], in place of which they get the reconstruction's.

    A similarity is fitted on STEADY, with the nose free to slide as it does in a turn. An affine map would fit the forehead
    better and carry its errors to the chin, where no point holds it.
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
    """Compute the mean distance between the inner lips of landmarks [N, 2], in pixels, over the middle of the mouth.

    0 if they overlap.
    """
    above, below = (np.asarray(points)[list(row[3:8])] for row in LIPS_INSIDE)
    return float(max(0.0, ((below - above) @ downwards(points)).mean()))


def lips_width(points: Points, row: Sequence[int]) -> float:
    """Compute the distance between the ends of a row of the lips in landmarks [N, 2], in pixels."""
    return float(np.linalg.norm(points[row[-1]] - points[row[0]]))


def relaxing(before: Points, after: Points) -> float:
    """Measure how far the mouth gives up a smile from landmarks `before` to `after`, each [N, 2]: 0 (not) to 1.

    Judged by how much narrower the mouth becomes.
    """
    return float(np.clip(_narrower(before, after) / _RELAXED, 0, 1))


def broadly(before: Points, after: Points) -> float:
    """Measure how broad a smile was that is removed from landmarks `before` to `after`, each [N, 2].

    0 for a plain one, 1 for one that had raised the cheeks.
    """
    return float(np.clip((_narrower(before, after) - _RELAXED) / (_BROAD - _RELAXED), 0, 1))


def _narrower(before: Points, after: Points) -> float:
    widths = [lips_width(points, LIPS_OUTSIDE[0]) for points in (before, after)]
    return 1 - widths[1] / widths[0]


def heights(points: Points, where: Tensor) -> Tensor:
    """Tell how far down the face the places `where` [1, 2, H, W] lie: [1, 1, H, W], 0 at the brows and 1 on the nose.

    Places and `points` are in the same pixels.
    """
    down = (points[CHEEKS] - points[BROWS]).astype(np.float32)
    away = where - torch.tensor(points[BROWS], dtype=torch.float32).view(1, 2, 1, 1)
    return (away * torch.from_numpy(down / (down @ down)).view(1, 2, 1, 1)).sum(dim=1, keepdim=True)


def below_eyes(points: Points, where: Tensor, fade: float, ends: Sequence[Sequence[int]] = LIDS_END) -> Tensor:
    """Mask what of the places `where` [1, 2, H, W] lies below the lower lids: [1, 1, H, W].

    0 as far as the lids' end (or a line through `ends`), rising to 1 over `fade` face sizes. Places and `points` are in the
    same pixels.
    """
    first, second = (points[list(pair)].mean(axis=0) for pair in ends)
    across = (second - first) / np.linalg.norm(second - first)
    normal = np.array([-across[1], across[0]])
    normal *= np.sign(normal @ downwards(points))
    away = where - torch.tensor((first + second) / 2, dtype=where.dtype).view(1, 2, 1, 1)
    depth = torch.einsum("i,nihw->nhw", torch.tensor(normal, dtype=where.dtype), away)[:, None]
    return smoothstep(depth, 0.0, fade * face_size(points))


def _share(photo: Points, parts: Parts) -> NDArray[np.float64]:
    """Choose the share (0..1) of the motion that each point takes, [468].

    The forehead and the sides of the face take none, brows and upper lids take `parts.upper`. If brows are meant to
    move, the forehead up to the hair gives way to them.
    """
    upper = parts.upper
    down = photo[CHEEKS] - photo[BROWS]
    height = ((photo - photo[BROWS]) @ down) / (down @ down)  # 0 at the brows, 1 on the nose
    share = upper + (1 - upper) * _ramp(height, 0.1, 0.9)
    share *= _ramp(height, -0.6 - _FOREHEAD * parts.brows, -0.5 * _FOREHEAD * parts.brows)
    share[list(OVAL)] = lowness()
    return smooth(share[:, None], np.isin(np.arange(COUNT), (*OVAL, *ON_LIPS)), rounds=3)[:, 0]


def _hold(motion: NDArray[np.float64], photo: Points, margin: NDArray[np.float64]) -> None:
    """Limit the `motion` [468, 2], in place, so that no point crosses the rim.

    The limit of a point is the distance to the nearest point of the oval plus a share of the `margin` [36] from there
    to the rim, all in pixels. On the far side of a turned face cheek and oval lie on one line, and would fold over each
    other.
    """
    ways = np.linalg.norm(photo[:, None] - photo[list(OVAL)], axis=2)  # [468, 36]
    nearest = ways.argmin(axis=1)
    limit = _OVAL_SHARE * margin[nearest] + ways[np.arange(COUNT), nearest]
    motion /= (1 + (np.linalg.norm(motion, axis=1) / limit) ** 4)[:, None] ** 0.25


def _close_mouth(target: Points, photo: Points, reconstructed: Points, edited: Points) -> None:
    """Place the inner lips of `target` [468, 2], in place, so that a mouth which the edit closes is really closed.

    Adding the landmarks' differences alone would leave the mouth ajar if it is more open in the photo than in the
    reconstruction. So, where the edit narrows the gap, the photo's gap is narrowed by the same ratio. The lips never
    cross.
    """
    down = downwards(photo)
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
