"""What a strength means, and the search for the strength at which a face is neutral."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np

Strength = float | Literal["neutral"]
NEUTRAL: Final = "neutral"
LIMIT = 5.0  # units of the direction; beyond three the picture soon stops being a face
NEUTRAL_SCORE = 0.08  # smile score (0..1) at or below which a mouth counts as at rest; the median of the neutral seeds is 0.06
_GRID = np.arange(-3.0, 0.01, 0.5)


def neutral_strength(score: Callable[[Sequence[float]], Sequence[float]]) -> float:
    """The strength nearest to zero at which the face no longer smiles; 0 for a face that is neutral already.

    `score` gives the smile score (0..1, nan where no face is seen) at each of some strengths. The grid is scored once,
    then the crossing of NEUTRAL_SCORE is interpolated linearly between its neighbours: seven renders.
    Where no strength of the grid reaches it, the one with the lowest score is taken.
    """
    scores = np.asarray(score(list(_GRID)), dtype=np.float64)
    scores = np.where(np.isnan(scores), 1.0, scores)
    if scores[-1] <= NEUTRAL_SCORE:
        return 0.0
    for index in range(len(_GRID) - 2, -1, -1):
        if scores[index] <= NEUTRAL_SCORE:
            high, low = scores[index + 1], scores[index]
            share = (high - NEUTRAL_SCORE) / (high - low)
            return float(_GRID[index + 1] - share * (_GRID[index + 1] - _GRID[index]))
    return float(_GRID[int(scores.argmin())])
