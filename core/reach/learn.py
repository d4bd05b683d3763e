"""Fits the maps to measured faces: one ridge regression of every score on both latents of a mixed face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.emotion import NEUTRAL
from core.generator import Generator
from core.reach.drawn import Drawn, movable
from core.reach.maps import Maps

_RIDGE: Final = 60.0  # price of the slopes' squared length, chosen on faces held out
_HELD_OUT: Final = 10  # one of so many faces is held out to measure the explained variance


@dataclass(frozen=True, eq=False)
class Fitted:
    """The maps, and for each score by name the share (at most 1) of its variance that they explain on held-out faces."""

    maps: Maps
    explained: dict[str, float]


def fit(drawn: Drawn, generator: Generator, ridge: float = _RIDGE) -> Fitted:
    """Fit maps to faces drawn with this generator. `ridge` is the penalty of the slopes' squared length."""
    both, scores = np.concatenate([drawn.rest, drawn.moved], axis=1).astype(np.float64), drawn.scores.astype(np.float64)
    held = np.arange(len(both)) % _HELD_OUT == 0
    missed = scores[held] - _predict(both[~held], scores[~held], both[held], ridge)
    explained = 1 - missed.var(axis=0) / np.maximum(scores[held].var(axis=0), 1e-9)
    effect = _slopes(both, scores, ridge)[drawn.rest.shape[1] :]  # [w_dim, K], of the styles that move
    moves = np.cov(drawn.moved.astype(np.float64).T) @ effect
    maps = Maps(
        generator=generator.digest, names=drawn.names, moves=moves.T.astype(np.float32),
        gram=(effect.T @ moves).astype(np.float32), styles=movable(generator).astype(np.float32),
        faces=drawn.scores, calm=drawn.emotions.argmax(axis=1) == NEUTRAL,
    )  # fmt: skip
    return Fitted(maps, dict(zip(drawn.names, explained.round(3).tolist(), strict=True)))


def _slopes(x: NDArray[np.float64], y: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Compute the slopes [inputs, outputs] that minimise |y - x slopes|^2 + ridge |slopes|^2, with both means removed."""
    centred = x - x.mean(axis=0)
    made: NDArray[np.float64] = np.linalg.solve(
        centred.T @ centred + ridge * np.eye(x.shape[1]), centred.T @ (y - y.mean(axis=0))
    )
    return made


def _predict(x: NDArray[np.float64], y: NDArray[np.float64], other: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    made: NDArray[np.float64] = y.mean(axis=0) + (other - x.mean(axis=0)) @ _slopes(x, y, ridge)
    return made
