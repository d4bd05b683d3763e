"""Judges a drawn face with a gradient: its score, pose and measures, from perceptual features by ridge regression.

The landmarker scores an expression, but tells no gradient. This judge was fitted to say the same of generated faces, and is
differentiable. It is only used to learn a direction; the direction's quality is then measured by the landmarker and the
emotion classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(-2, 4))  # of the ridge, tried on held-out faces
# Cells of the 16x16 grid that hold the mouth and the folds beside it in a face aligned as FFHQ aligns: rows, columns.
_MOUTH = slice(9, 15), slice(4, 12)
_BROWS_TO_CHIN = slice(3, 15), slice(3, 13)  # the same of the whole face
_FINE, _COARSE = 2, 3  # taps of the feature network with 32 and 16 cells a side


def mouth_inputs(taps: Sequence[Tensor]) -> Tensor:
    """Pool the features around the mouth from the feature network's taps: [N, K]."""
    return _within(taps, *_MOUTH)


def expression_inputs(taps: Sequence[Tensor]) -> Tensor:
    """Pool the features from the brows to the chin, as finely as those around the mouth: [N, K]."""
    return _within(taps, *_BROWS_TO_CHIN)


def _within(taps: Sequence[Tensor], rows: slice, columns: slice) -> Tensor:
    cells = [F.avg_pool2d(taps[_FINE], 2), taps[_COARSE]]
    return torch.cat([part[:, :, rows, columns].flatten(1) for part in cells], dim=1)


def face_inputs(taps: Sequence[Tensor]) -> Tensor:
    """Pool the features of the whole picture on a coarser grid: [N, K]."""
    return F.avg_pool2d(taps[_COARSE], 2).flatten(1)


@dataclass(frozen=True)
class Ridge:
    """A linear map [N, K] -> [N, T], fitted by ridge regression."""

    weight: Tensor  # [K, T]
    centre: Tensor  # [K], mean of the inputs
    offset: Tensor  # [T], mean of the targets
    explained: Tensor  # [T], share of the variance of held-out targets; at most 1

    @classmethod
    def fit(cls, inputs: Tensor, targets: Tensor, held_out: Tensor) -> Ridge:
        """Fit inputs [N, K] to targets [N, T], with the penalty that is best on the faces of the mask `held_out` [N]."""
        x, y = inputs[~held_out].double(), targets[~held_out].double()
        centre, offset = x.mean(dim=0), y.mean(dim=0)
        x, y = x - centre, y - offset
        other, wanted = inputs[held_out].double() - centre, targets[held_out].double() - offset
        across = other @ x.T
        values, vectors = torch.linalg.eigh(x @ x.T)  # in the dual: there are more inputs than faces
        turned = vectors.T @ y
        best: tuple[float, Tensor, Tensor] | None = None
        for penalty in PENALTIES:
            dual = vectors @ (turned / (values.clamp(min=0) + penalty)[:, None])
            explained = 1 - (across @ dual - wanted).square().mean(dim=0) / wanted.var(dim=0, unbiased=False)
            if best is None or float(explained.mean()) > best[0]:
                best = float(explained.mean()), dual, explained
        assert best is not None
        _, dual, explained = best
        return cls((x.T @ dual).float(), centre.float(), offset.float(), explained.float())

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs - self.centre) @ self.weight + self.offset


def logit(score: Tensor) -> Tensor:
    """Map scores of 0..1 to logits, -5..5, where the step from rest to half a smile is as large as from half to a broad one."""
    return torch.logit(score, eps=0.0067)
