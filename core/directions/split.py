"""Which seeds a direction is fitted on, and how well a plane between two classes of seeds does on the others."""

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
    """Indices into a seed set: what is fitted on, what methods are compared on, and what is only ever tested."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]

    @classmethod
    def of(cls, count: int) -> Split:
        """Make the one split of `count` seeds. It looks at no label, so relabelling moves no seed between the parts."""
        order = np.random.RandomState(SPLIT_SEED).permutation(count)
        test, validation = round(count * TEST), round(count * VALIDATION)
        parts = np.split(order, [test, test + validation])
        return cls(np.sort(parts[2]), np.sort(parts[1]), np.sort(parts[0]))

    @property
    def known(self) -> NDArray[np.intp]:
        """All but the test part: what a shipped direction is fitted on, once its C is chosen."""
        return np.sort(np.concatenate([self.train, self.validation]))


@dataclass(frozen=True)
class Task:
    """Two classes of seeds as masks [N]; what is in neither is left out."""

    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]

    @classmethod
    def of(cls, seeds: SeedSet, against: str) -> Task:
        """Set seeds that show the expression against "rest" (all others) or "neutral" (where that is the likeliest emotion)."""
        return cls(seeds.showing, ~seeds.showing if against == "rest" else seeds.neutral)

    def part(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Pick those of the chosen indices that are in a class, and whether each is positive."""
        inside = chosen[(self.positive | self.negative)[chosen]]
        return inside, self.positive[inside]

    def confident(self, seeds: SeedSet, share: float) -> Task:
        """Keep only the given share (0..1) of each class, that of which the classifier is surest."""
        margin = seeds.probabilities[:, seeds.emotion] - seeds.probabilities[:, NEUTRAL]
        high = margin >= np.quantile(margin[self.positive], 1 - share)
        low = margin <= np.quantile(margin[self.negative], share)
        return Task(self.positive & high, self.negative & low)


@dataclass(frozen=True)
class Plane:
    """w is taken for positive where w @ normal > threshold."""

    normal: NDArray[np.float64]  # [w_dim], of length 1
    threshold: float
    c: float | None = None  # inverse strength of the regularisation, where the method has one

    def accuracy(self, w: NDArray[np.float64], positive: NDArray[np.bool_]) -> dict[str, Any]:
        """Share of w [N,w_dim] on the right side, with its 95 % interval (Wilson 1927)."""
        right = int(((w @ self.normal > self.threshold) == positive).sum())
        return share(right, len(w))


def share(hits: int, of: int) -> dict[str, Any]:
    """Tell hits/of with its 95 % score interval (Wilson 1927), which stays honest near 0 and 1; of nothing it is 0..1."""
    z = 1.959964  # two-sided 95 % of the normal distribution
    part = hits / of if of else 0.5
    centre = (hits + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * math.sqrt(of * part * (1 - part) + z * z / 4)
    bounds = [round(centre - half, 4), round(centre + half, 4)]
    return {"hits": hits, "of": of, "share": round(part, 4), "interval": bounds}
