"""What a strength means for one face.

The same step along a direction makes one face beam and leaves another cold. So a face's smile is measured at a few
steps, and a strength asks for a share of the smile that is left to gain, or to lose:

    wanted(s) = now + (most - now) * tanh(1.1 s)     for s > 0
    wanted(s) = now + (now - least) * tanh(1.1 s)    for s < 0

The same strength so changes faces that smile alike by the same amount, 1.0 by four fifths of what they have to give,
and from two on hardly more: a face stays a face. Where the score no longer tells anything (below a closed mouth, above
a broad smile) the step goes on growing, slowly, with the strength.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

Strength = float | Literal["neutral"]
NEUTRAL: Final = "neutral"
LIMIT = 5.0  # strengths; beyond three hardly anything changes
NEUTRAL_SCORE = 0.08  # smile score (0..1) at or below which a mouth counts as at rest; the median of the neutral seeds is 0.06
REACH = 4.0  # steps at most, in units of the direction; beyond, pictures stop being faces
_MOST = 0.97  # smile score; what lies above is noise
_FIRM = 1.1
_SLOPE = 0.03  # smile score that a step counts for where the score itself does not change
_PACE = 0.75  # steps to a strength there
_STEPS = {  # by the score from which they are taken: few where the curve is flat, close together where it is steep
    0.5: (-3.0, -2.0, -1.5, -1.0, -0.5, 1.0, 2.5),
    NEUTRAL_SCORE: (-2.5, -1.5, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0),
    0.0: (-2.0, 0.5, 1.0, 1.5, 2.0, 3.0),
}

Score = Callable[[Sequence[float]], Sequence[float]]  # steps -> smile scores 0..1, nan where no face is seen


@dataclass(frozen=True)
class Scale:
    """How one face's smile answers to one direction."""

    steps: tuple[float, ...]  # in units of the direction, rising, 0 among them
    scores: tuple[float, ...]  # smile score 0..1 at each, never falling
    rest: float  # the step at which the face is neutral; 0 if it is so by itself

    def step(self, strength: float) -> float:
        """The step, in units of the direction, that this strength asks for; -REACH to REACH. 0 for 0."""
        steps, scores = np.array(self.steps), np.array(self.scores)
        now, least, most = float(np.interp(0.0, steps, scores)), scores.min(), min(_MOST, scores.max())
        room = max(0.0, most - now) if strength > 0 else now - least
        wanted = now + room * np.tanh(_FIRM * strength) + _SLOPE * _PACE * strength
        rising = scores + _SLOPE * steps
        beyond = np.clip(wanted, rising[0], rising[-1])
        step = float(np.interp(beyond, rising, steps)) + (wanted - beyond) / _SLOPE
        return float(np.clip(step, -REACH, REACH))

    def strength(self, step: float) -> float:
        """The strength that leads to this step: the inverse of `step`, within -LIMIT to LIMIT."""
        strengths = np.linspace(-LIMIT, LIMIT, 201)
        return float(np.interp(step, [self.step(one) for one in strengths], strengths))

    def score(self, step: float) -> float:
        """The smile score to be expected at a step."""
        return float(np.interp(step, self.steps, self.scores))

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"steps": [*self.steps], "scores": [round(one, 3) for one in self.scores], "rest": round(self.rest, 3)}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        """The inverse of `dump`. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(tuple(map(float, data["steps"])), tuple(map(float, data["scores"])), float(data["rest"]))


def measure(score: Score, now: float) -> Scale:
    """Find a face's scale with eight or nine pictures. `now` is its smile score at step 0."""
    now = 0.0 if np.isnan(now) else now
    steps = next(steps for least, steps in _STEPS.items() if now > least or least == 0.0)
    known = {0.0: now} | dict(zip(steps, score(steps), strict=True))
    # once more where it matters most: at rest for a smile, at strength 1 for a sober face
    closer = _rest(known) if now > NEUTRAL_SCORE else round(_scale(known, 0.0).step(1.0), 2)
    if closer not in known:
        known[closer] = score([closer])[0]
    return _scale(known, _rest(known))


def _scale(known: dict[float, float], rest: float) -> Scale:
    steps, scores = _monotone(known)
    return Scale(tuple(steps.tolist()), tuple(scores.tolist()), rest)


def _monotone(known: dict[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and scores in order; no score falls, going away from 0, and steps without a face are left out."""
    steps = np.array(sorted(step for step, score in known.items() if not np.isnan(score)))
    scores = np.array([known[step] for step in steps])
    middle = int(np.searchsorted(steps, 0.0))
    scores[middle:] = np.maximum.accumulate(scores[middle:])
    scores[: middle + 1] = np.minimum.accumulate(scores[: middle + 1][::-1])[::-1]
    return steps, scores


def _rest(known: dict[float, float]) -> float:
    """The step nearest to 0 at which the smile is gone, linear between its neighbours; the least smile if it never is."""
    steps, scores = _monotone(known)
    middle = int(np.searchsorted(steps, 0.0))
    if scores[middle] <= NEUTRAL_SCORE:
        return 0.0
    if scores[0] > NEUTRAL_SCORE:
        return float(steps[int(np.flatnonzero(scores == scores[0])[-1])])
    return round(float(np.interp(NEUTRAL_SCORE, scores[: middle + 1], steps[: middle + 1])), 2)
