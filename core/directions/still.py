"""The loss that penalises unwanted changes: what a smile has no business with, and how much of it an edit changed.

Pictures are 256 pixels, aligned as FFHQ aligns, so a mouth is always in the same place (its centre moves by 4 pixels over the
seed set). All pixels should stay: background, hair, eyes, glasses, nose, and with them the turn of the head. Around the mouth
only what is broader than a fold should stay: skin tone, light and beard. The pose, eyes, face shape and opening of the mouth
that the judge reads should stay too. Changes of the mouth itself also cost something: measured, dlib's identity distance
comes from there alone (edited faces with every pixel outside the mouth restored are as far from the person), so the smile
that changes least keeps the person best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.directions.judge import Ridge, face_inputs
from core.projection.features import SIDE

# Ellipses (centre x, y; half axes) in pixels of 256, from the mean landmarks of the seed set and their spread
_EXPRESSION = 128, 186, 54, 36  # lips and the folds beside them
_LIPS = 128, 190, 44, 24
_PERSON = 128, 120, 66, 42  # brows, eyes, nose, by which people are recognised
_FACE = 128, 158, 66, 84
_BLOCK = 16  # pixels: tone and light are means over blocks of this side
_PERSON_WEIGHT = 3.0  # weight of those pixels, against 1 for background and hair
_EXPRESSION_WEIGHT = 1.5  # weight of the expression's pixels: of all smiles the one that changes least is wanted
_GRAIN = 0.02  # of -1..1: differences far below this are the drawing's noise and count by their square
PARTS = ("pixels", "features", "tone", "traits")


def ellipse(shape: tuple[int, int, int, int], side: int = SIDE) -> Tensor:
    """Mask an ellipse, (centre x, centre y, half axes) in pixels of 256, on a grid [1, 1, side, side]: 1 inside, 0 outside.

    The edge is soft over a fifth of the radius.
    """
    x, y, a, b = (value * side / SIDE for value in shape)
    line = torch.arange(side) + 0.5
    radius = (((line - x) / a).square()[None, :] + ((line - y) / b).square()[:, None]).sqrt()
    return ((1.1 - radius) / 0.2).clamp(0, 1)[None, None]


@dataclass(frozen=True)
class Seen:
    """Drawn faces with the features by which they are compared."""

    images: Tensor  # [N, 3, 256, 256], -1..1
    taps: Sequence[Tensor]  # of the feature network


class Stillness:
    """The loss for changes of what should stay, in the parts PARTS."""

    def __init__(self, traits: Ridge, spread: Tensor, pixels: Tensor | None = None) -> None:
        """Prepare the masks.

        `traits` predicts pose and measures of a face; `spread` [T] is how much each varies between faces. `pixels`
        [1, 1, 256, 256] weighs the pixels for an expression of the whole face; None weighs them for one of the mouth.
        """
        self.traits, self.spread = traits, spread
        if pixels is None:
            outside = 1 - (1 - _EXPRESSION_WEIGHT) * ellipse(_EXPRESSION)
            pixels = outside * (1 + (_PERSON_WEIGHT - 1) * ellipse(_PERSON))
        self.pixels = pixels / pixels.mean()
        tone = ellipse(_FACE) * (1 - ellipse(_LIPS))
        self.tone = F.avg_pool2d(tone, _BLOCK)

    def __call__(self, before: Seen, after: Seen) -> Tensor:
        """Measure the change between two sets of N pictures: [N, 4], a column for each of PARTS, 0 where nothing changed."""
        difference = after.images - before.images
        pixels = (self.pixels * _charbonnier(difference)).mean(dim=(1, 2, 3))
        tone = (self.tone * _charbonnier(F.avg_pool2d(difference, _BLOCK))).mean(dim=(1, 2, 3))
        features = torch.stack([self._tap(a, b) for a, b in zip(before.taps, after.taps, strict=True)]).sum(dim=0)
        moved = (self.traits(face_inputs(after.taps)) - self.traits(face_inputs(before.taps))) / self.spread
        return torch.stack([pixels, features, tone, moved.square().mean(dim=1)], dim=1)

    def _tap(self, before: Tensor, after: Tensor) -> Tensor:
        weight = F.adaptive_avg_pool2d(self.pixels, before.shape[-1])
        return (weight[:, 0] * (after - before).square().sum(dim=1)).mean(dim=(1, 2))


def _charbonnier(x: Tensor) -> Tensor:
    return (x.square() + _GRAIN**2).sqrt() - _GRAIN
