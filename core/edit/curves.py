"""How the scores of drawn faces change along an expression; they predict those of a new face from a few that are measured.

A face's curve is its score at each of `STEPS`. Of a new face a few points are known. Each drawn curve counts by how near it
comes to those points:

    weight = exp(-(squared distance over the known points) / (2 width^2))

`width` is ERROR, or as much more as lets at least LIKE curves count. The predicted curve is the weighted mean, bent so that
it passes through the known points; its spread is the weighted standard deviation (kernel regression, Nadaraya 1964).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from core.errors import WeightsUnfit
from core.untrusted import read_as_data

STEPS: Final = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)  # 0 is the face as it is
ERROR: Final = 0.06  # of a score; so much two pictures of one face differ
LIKE: Final = 6.0  # curves that count at least, as (sum of weights)^2 / (sum of their squares)
_WIDER: Final = 1.3  # by which the width grows until they do

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of N drawn faces for one expression, made by one direction of one generator."""

    generator: str  # digest of the weights
    moved_by: str  # digest of the direction
    scores: Values  # [N, len(STEPS)], 0..1

    def foretell(self, known: Mapping[float, float]) -> tuple[Values, Values]:
        """Predict a face's scores, 0..1, at `STEPS` and their standard deviation, each [len(STEPS)].

        `known`: the scores that were measured, 0..1, by step; at least one.
        """
        steps = sorted(known)
        scores = np.array([known[step] for step in steps])
        at = np.stack([np.interp(steps, STEPS, curve) for curve in self.scores])  # [N, points]
        weights = _weights(np.square(at - scores).sum(axis=1))
        mean = weights @ self.scores
        spread = np.sqrt(weights @ np.square(self.scores - mean))
        bent = mean + np.interp(STEPS, steps, scores - np.interp(steps, STEPS, mean))
        return bent.clip(0.0, 1.0), spread

    @classmethod
    def load(cls, file: Path, generator: str) -> Curves:
        """Read the file of `save`, for the generator of that digest. Raises WeightsUnfit for another's, ModelUnreadable."""
        with read_as_data(file.name), safe_open(file, framework="numpy") as tensors:
            about = json.loads(tensors.metadata()["curves"])
            if about["generator"] != generator:
                raise WeightsUnfit(name=file.stem, found=str(about["generator"])[:12], expected=generator[:12])
            scores = tensors.get_tensor("scores").astype(np.float64)
            if scores.ndim != 2 or tuple(about["steps"]) != STEPS or scores.shape[1] != len(STEPS) or not len(scores):
                raise ValueError("curves of other steps")
            return cls(generator, str(about["moved_by"]), scores)

    def save(self, file: Path, facts: Mapping[str, object]) -> None:
        """Write the file whole, with `facts` (what JSON can hold) on how it was made. The same curves give the same bytes."""
        about = {"generator": self.generator, "moved_by": self.moved_by, "steps": STEPS, **facts}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        save_file({"scores": self.scores.astype(np.float16)}, part, {"curves": json.dumps(about)})
        part.chmod(0o644)  # safetensors writes for the owner alone, but scores of drawn faces are no secret
        part.replace(file)


def _weights(distances: Values) -> Values:
    """Weigh curves by their squared `distances` [N] from the known points; together 1."""
    width = ERROR
    while True:
        weights: Values = np.exp((distances.min() - distances) / (2 * width**2))  # the nearest counts 1: never all zero
        if weights.sum() ** 2 / np.square(weights).sum() >= min(LIKE, len(weights)):
            share: Values = weights / weights.sum()
            return share
        width *= _WIDER
