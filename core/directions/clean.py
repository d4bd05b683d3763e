"""Learns the clean direction of an expression by drawing faces, so that an edit changes nothing else of them.

A plane between seeds that show the expression and others also points along everything that happens to go with it: sex, age,
pose, glasses, light. Here the step that strength 1 adds is learned by its effect on the picture. Faces of the seed set are
drawn before and after the step by the preview head. A judge (`judge`) must see the score reach its target: upwards for faces
at rest, downwards for faces that show the expression. Changes of all that should stay (`still`) are penalised.

The start is the SVM's plane, given to the same styles. Ridge regression of the score on w, with the effects of pose, measures
and other emotions removed, is a worse start: drawn, it moved four times as much. Half of the faces lie outside W, as
projected photographs do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.directions.descent import Descent, Whitened, free_styles
from core.directions.judge import Ridge, mouth_inputs
from core.directions.still import PARTS, Seen, Stillness
from core.expressions import Taught
from core.fast.preview import FEATURE_SIDE, Preview
from core.generator.protocol import FeatureGenerator
from core.generator.render import network_in
from core.projection.features import Features

BATCH = 4
FULL = 1.5  # the strength of an expression's targets
_PRICES = dict(zip(PARTS, (1.0, 1.5, 0.5, 0.5), strict=True))  # of each part, in units of its change by the start
_REACH = 2.0  # price of a logit by which the target is missed, squared, in the same units
_LENGTH = 0.02  # price of the squared length of the step, in deviations of w over the seeds
_UNIT = 8  # batches over which the changes by the start are averaged


class Drawing:
    """Draws faces fast, with a gradient, and computes their features."""

    def __init__(self, generator: FeatureGenerator, head: Preview, features: Features, dtype: torch.dtype) -> None:
        self.generator, self.head, self.features, self.dtype = generator, head, features, dtype
        self._network = network_in(generator, dtype)

    def __call__(self, ws: Tensor) -> Seen:
        """Draw ws [N, num_ws, w_dim]: pictures of 256 pixels and their features."""
        half = self._network.features(ws.to(self.dtype), FEATURE_SIDE)
        images = self.head(half.float(), ws).contiguous(memory_format=torch.channels_last)
        return Seen(images, self.features(images))


@dataclass(frozen=True)
class Lesson:
    """One iteration of the learning, for its log."""

    step: int
    missed: float  # mean squared logits by which the score missed its target
    moved: Tensor  # [4], each of PARTS in units of its change by the start


class Learning:
    """The learning of one step [num_ws, w_dim], by gradient descent on drawn faces of the seed set."""

    def __init__(
        self, drawing: Drawing, score: Ridge, still: Stillness, taught: Taught, w: Tensor, start: Tensor, steps: int
    ) -> None:
        """Keep all that is needed.

        `w` [N, w_dim] are the seeds to learn from, `start` [w_dim] is one unit of the first direction.

        `steps` is the number of iterations.
        """
        self.drawing, self.score, self.still, self.w, self.steps = drawing, score, still, w, steps
        self._taught = taught
        coordinates = Whitened(w)
        self.descent = Descent(coordinates.of(start), coordinates, free_styles(drawing.generator), steps)
        self._random = np.random.RandomState(0)

    def run(self) -> Iterator[Lesson]:
        """Learn to the end, yielding after each iteration."""
        prices = torch.tensor(list(_PRICES.values()))
        with torch.no_grad():
            unit = torch.cat([self._try()[1] for _ in range(_UNIT)]).mean(dim=0)
        for index in range(self.steps):
            missed, moved = self._try()
            parts = (moved / unit).mean(dim=0)
            self.descent.descend((prices * parts).sum() + _REACH * missed.mean() + _LENGTH * self.descent.size, index)
            yield Lesson(index + 1, float(missed.detach().mean()), parts.detach())

    def _try(self) -> tuple[Tensor, Tensor]:
        """Edit a batch of N faces: by how much each score missed its target, squared [N], and what else changed [N, 4]."""
        ws = self._faces()
        with torch.no_grad():
            before = self.drawing(ws)
            shown = self.score(mouth_inputs(before.taps))[:, 0]
        rest, full = self._taught.turns
        up = torch.from_numpy(self._random.rand(BATCH)) < (full - shown.sigmoid()) / (full - rest)
        size = torch.from_numpy(self._random.uniform(0.7, 1.0, BATCH)).float()
        strength = torch.where(up, FULL, -FULL) * size
        after = self.drawing(ws + strength[:, None, None] * self.descent.step)
        low, high = self._taught.targets
        wanted = shown + size * (torch.where(up, high, low) - shown)
        reached = self.score(mouth_inputs(after.taps))[:, 0]
        lacking = torch.where(up, wanted - reached, reached - wanted).clamp(min=0)
        return lacking.square(), self.still(before, after)

    def _faces(self) -> Tensor:
        """Draw random latents [BATCH, num_ws, w_dim]: two plain seeds, one mixed of two seeds, one with each style jittered."""
        count = self.drawing.generator.num_ws
        chosen = self.w[self._random.randint(0, len(self.w), BATCH)]
        ws: Tensor = self.drawing.generator.broadcast(chosen).clone()
        others = self.w[self._random.randint(0, len(self.w), (BATCH, count))]
        ws[2, self._random.randint(3, count - 3) :] = others[2, 0]
        ws[3] += float(self._random.uniform(0.1, 0.4)) * (others[3] - self.w.mean(dim=0))
        return ws
