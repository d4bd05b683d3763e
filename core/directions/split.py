"""Splits a seed set into parts to fit, compare and test on, and measures how well a plane separates two classes of seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.emotion import NEUTRAL
from core.seeds import SeedSet

SPLIT_SEED = 600  # of the draw that splits the seeds; any number would do, this is the set's first seed
TEST, VALIDATION = 0.2, 0.1  # shares of the set: about 400 and 200 seeds of 2001


@dataclass(frozen=True)
class Split:
    """Indices into a seed set: seeds to fit on, seeds to compare methods on, and seeds used only for the final test."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]

    @classmethod
    def of(cls, count: int) -> Split:
        """Split `count` seeds, always in the same way. No label is used, so new labels move no seed between the parts."""
        order = np.random.RandomState(SPLIT_SEED).permutation(count)
        test, validation = round(count * TEST), round(count * VALIDATION)
        parts = np.split(order, [test, test + validation])
        return cls(np.sort(parts[2]), np.sort(parts[1]), np.sort(parts[0]))

    @property
    def known(self) -> NDArray[np.intp]:
        """The training and validation parts together, on which a direction is fitted once its C is chosen."""
        return np.sort(np.concatenate([self.train, self.validation]))


@dataclass(frozen=True)
class Task:
    """Two classes of seeds as masks [N]; seeds in neither are left out."""

    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]

    @classmethod
    def of(cls, seeds: SeedSet, against: str) -> Task:
        """Compare seeds that show the expression with "rest" (all others) or "neutral" (neutral is the likeliest emotion)."""
        return cls(seeds.showing, ~seeds.showing if against == "rest" else seeds.neutral)

    def part(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Pick those of the `chosen` indices that are in a class: the indices [M], and whether each is positive [M]."""
        inside = chosen[(self.positive | self.negative)[chosen]]
        return inside, self.positive[inside]

    def confident(self, seeds: SeedSet, share: float) -> Task:
        """Keep only this share (0..1) of each class: the seeds of which the classifier is surest."""
        margin = seeds.probabilities[:, seeds.emotion] - seeds.probabilities[:, NEUTRAL]
        high = margin >= np.quantile(margin[self.positive], 1 - share)
        low = margin <= np.quantile(margin[self.negative], share)
        return Task(self.positive & high, self.negative & low)


@dataclass(frozen=True)
class Plane:
    """A plane in w that separates two classes: w is positive where w @ normal > threshold."""

    normal: NDArray[np.float64]  # [w_dim], of length 1
    threshold: float
    c: float | None = None  # inverse strength of the regularisation, where the method has one

    def accuracy(self, w: NDArray[np.float64], positive: NDArray[np.bool_]) -> dict[str, Any]:
        """Compute the share of w [N,w_dim] on the right side, with its interval, as `share` tells them."""
        right = int(((w @ self.normal > self.threshold) == positive).sum())
        return share(right, len(w))


def share(hits: int, of: int) -> dict[str, Any]:
    """Compute hits/of with its 95 % score interval (Wilson 1927), which is honest near 0 and 1 too: a dict of JSON numbers.

    For `of` 0 the interval is 0..1 and the share 0.5.
    """
    z = 1.959964  # two-sided 95 % of the normal distribution
    part = hits / of if of else 0.5
    centre = (hits + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * math.sqrt(of * part * (1 - part) + z * z / 4)
    bounds = [round(centre - half, 4), round(centre + half, 4)]
    return {"hits": hits, "of": of, "share": round(part, 4), "interval": bounds}
