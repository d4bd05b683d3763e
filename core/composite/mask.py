"""Masks of where and how far an edit may change the photo: float32 [1, 1, H, W], 0..1. `size` is the face's, in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.composite.mesh import BROWS, CHEEKS, COUNT, NOSE_TIP, ON_EYES, ON_LIPS, OVAL, Points, face_size, lowness
from core.composite.warp import blur, smoothstep

_SEEN = 1.5, 5.0  # levels of change below which it is the generator's restlessness, and above which it is taken whole
_OTHER = 60.0, 110.0  # levels by which photo and reconstruction must differ to be of different things
_NOSE = 0.085  # in face sizes, reach of the nose's lower half: its nostrils never lie where the generator has them
_HARD = 15.0, 30.0  # levels of contrast from which an edge is partly, and wholly, none of the face
_ABOVE = 1.2, 1.6  # heights between which that rule ends: 0 at the brows, 1 on the nose
_HAIR = 1.6  # heights above the brows at which hair may begin
_WINGS = 0.4  # share of that reach
_BELOW_EYES = 0.7, 1.1  # heights, as above
_NOSE_KEPT = 0.8  # share of a change of shade that is refused there


def point_weights(points: Points, brows: float = 0.0, wide: float = 0.0) -> NDArray[np.float64]:
    """Weigh each mesh point as skin that the edit may change, as lips and as eyes: [V, 3], each 0..1.

    Skin fades to 0 at the rim, and from the cheeks up to the brows; `brows` (0..1) extends it to the middle of the
    forehead. The tip of the nose mostly stays the photo's. `wide` (0..1), for cheeks that fall, gives the wings of the
    nose to the edit.
    """
    down = points[CHEEKS] - points[BROWS]
    height = ((points - points[BROWS]) @ down) / (down @ down)
    skin = np.maximum(np.clip(height, 0, 1), brows * np.clip((height + _HAIR) / (_HAIR / 2), 0, 1))
    skin[list(OVAL)] *= 0.4 * lowness()
    away = np.linalg.norm(points - points[NOSE_TIP], axis=1) / ((1 - _WINGS * wide) * _NOSE * face_size(points))
    skin *= 1 - _NOSE_KEPT * np.exp(-0.5 * away**2)
    skin[COUNT:] = 0
    lips, eyes = np.zeros(len(points)), np.zeros(len(points))
    lips[list(ON_LIPS)] = 1
    eyes[list(ON_EYES)] = 1
    return np.stack([skin, lips, eyes], axis=1)


def significance(change: Tensor, size: float) -> Tensor:
    """Mark where the edit's change [1, 3, H, W], in levels of 0..255, is visible (1) and where it is only noise (0)."""
    return smoothstep(blur(change.abs().mean(dim=1, keepdim=True), 0.02 * size), *_SEEN)


def disagreement(photo: Tensor, reconstructed: Tensor, skin: Tensor, size: float) -> Tensor:
    """Mark (1) where photo and reconstruction show different things, such as a hand, a microphone or hair: [1, 1, H, W].

    Both are [1, 3, H, W] on the same mesh. They are compared where `skin` [1, 1, H, W] is high; a difference that the whole
    face shares is taken for light and ignored.
    """
    difference = blur(photo - reconstructed, 0.02 * size)
    common = (difference * skin).sum(dim=(2, 3), keepdim=True) / skin.sum().clamp(min=1)
    return smoothstep(blur((difference - common).square().sum(dim=1, keepdim=True).sqrt(), 0.01 * size), *_OTHER)


def chin(height: Tensor, wide: float) -> Tensor:
    """Weigh by `height` (as in `solid`) whether hairs there belong to a beard: [1, 1, H, W], 0..1.

    With `wide` 0 the weight is 1 everywhere; with 1 it is 1 only below the bridge of the nose, since lashes and the
    lines around the eyes have as much detail as a beard.
    """
    return 1 - wide * (1 - smoothstep(height, *_BELOW_EYES))


def solid(photo: Tensor, height: Tensor, size: float) -> Tensor:
    """Mark (1) edges that are harder than any fold of skin, such as the rims of glasses or a strand of hair: [1, 1, H, W].

    `height` [1, 1, H, W] is 0 at the brows and 1 on the nose. Further down nothing is marked: lips and beards have edges as
    hard, and an edit does change them.
    """
    grey = photo.mean(dim=1, keepdim=True)
    edges = blur((grey - blur(grey, 0.02 * size)).abs(), 0.006 * size)
    found = blur(smoothstep(edges, *_HARD), 0.008 * size)
    return (1.5 * found).clamp(0, 1) * (1 - smoothstep(height, *_ABOVE))
