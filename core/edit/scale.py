"""The meaning of a strength for one face.

The same step along a direction makes one face beam and hardly changes another. So a face's expression is scored at a few
steps, and a strength s asks for a share of what the face has left to gain, or to lose:

    wanted(s) = now + (most - now) * tanh(firm s)     for s > 0
    wanted(s) = now + (now - least) * tanh(firm s)    for s < 0

So one strength changes faces with equal scores by the same amount. Strength 1 takes four fifths of what there is (with `firm`
1.1), and above 2 hardly anything is added: a face stays a face. Where the score tells nothing more (for a smile, below a
closed mouth and above a broad smile) the step still grows slowly with the strength. The constants are the expression's own:
`core.expressions.Calibration`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.edit.curves import STEPS, Curves
from core.expressions import Calibration, Expression
from core.learned import KnownScale

LIMIT = 5.0  # strengths; beyond three hardly anything changes
EASED = 0.25  # strength from which the pull is whole: below any smile that somebody asks for, above an invisible one
_TRIALS = 5  # pictures at most where curves foretell the rest
_MATTERS = ((1.0, 1.0), (-1.0, 0.7), (0.5, 0.7), (2.0, 0.5))  # strengths that are asked for, and how much each counts
NEAR = 0.15  # steps within which a face needs no second try
_UNSEEN = 0.01  # of a score: less than it trembles by
_SURE = 0.03  # spread of a score that no eye sees

Pull = tuple[float, ...]  # see core.reach.maps; () for none
Score = Callable[[Sequence[float]], Sequence[float]]  # steps -> scores 0..1, nan where no face is seen


@dataclass(frozen=True)
class Scale:
    """The measured reaction of one face's expression to steps along a direction, and the pulls to add."""

    steps: tuple[float, ...]  # along the direction, in its own length, rising, with 0
    scores: tuple[float, ...]  # score 0..1 at each, never falling
    rest: float  # the step at which the face is neutral; 0 if it is so by itself
    calibration: Calibration
    # What takes off the face all that is no part of the expression; () where there is nothing of that.
    ease: Pull = ()  # as soon as it is edited
    full: Pull = ()  # at strength 1
    calm: Pull = ()  # at rest

    @property
    def neutral(self) -> float:
        """The strength at which the face is at rest; 0 only if it is so without an edit."""
        strength = self.strength(self.rest)
        return min(strength, -EASED) if any(self.calm) else strength

    def within(self, strength: float) -> float:
        """Return the strength, or the neutral one in place of a lower one where there is nothing beyond rest."""
        return strength if self.calibration.beyond_rest else max(strength, self.neutral)

    def pull(self, strength: float) -> Pull:
        """Interpolate the pull that goes with a strength: () or zeros at 0, and `calm`, `ease` and `full` at their strengths."""
        found = [np.array(one) for one in (self.calm, self.ease, self.full)]
        width = max(map(len, found))
        if not width:
            return ()
        calm, ease, full = (np.pad(one, (0, width - len(one))) for one in found)
        knots = [(-EASED, ease), (0.0, np.zeros(width)), (EASED, ease), (1.0, full)]
        neutral = self.neutral
        knots = [(neutral, calm), *(knots if neutral < -EASED else knots[1:])] if neutral < 0 else knots
        places, pulls = [place for place, _ in knots], np.stack([one for _, one in knots])
        return tuple(round(float(np.interp(strength, places, column)), 4) for column in pulls.T)

    def step(self, strength: float) -> float:
        """Compute the step that a strength asks for, within plus and minus the calibration's reach; 0 for 0.

        Where there is nothing beyond rest, no step is lower than `rest`.
        """
        by = self.calibration
        steps, scores = np.array(self.steps), np.array(self.scores)
        now, least, most = float(np.interp(0.0, steps, scores)), scores.min(), min(by.most, scores.max())
        room = max(0.0, most - now) if strength > 0 else now - least
        wanted = now + room * np.tanh(by.firm * strength) + by.slope * by.pace * strength
        rising = scores + by.slope * steps
        beyond = np.clip(wanted, rising[0], rising[-1])
        step = float(np.interp(beyond, rising, steps)) + (wanted - beyond) / by.slope
        return float(np.clip(step, -by.reach if by.beyond_rest else self.rest, by.reach))

    def strength(self, step: float) -> float:
        """Compute the strength that leads to a step: the inverse of `step`, within -LIMIT to LIMIT."""
        strengths = np.linspace(-LIMIT, LIMIT, 201)
        return float(np.interp(step, [self.step(one) for one in strengths], strengths))

    def score(self, step: float) -> float:
        """Interpolate the score, 0..1, to expect at a step."""
        return float(np.interp(step, self.steps, self.scores))

    def known(self, expression: Expression, of: str) -> KnownScale:
        """Convert it to plain data, rounded to thousandths. `of` is the digest of what moves the face. The inverse of `by`."""
        scores, rest = tuple(round(one, 3) for one in self.scores), round(self.rest, 3)
        pulls = (tuple(round(one, 4) for one in pull) for pull in (self.ease, self.full, self.calm))
        kept = Scale(self.steps, scores, rest, self.calibration, *pulls)
        return KnownScale(expression.name, of, kept.steps, kept.scores, rest, kept.neutral, kept.ease, kept.full, kept.calm)

    @classmethod
    def plain(cls, calibration: Calibration) -> Self:
        """Make the scale of a picture in which there is nothing to measure: a strength is so many units of what moves it."""
        return cls((0.0,), (0.0,), 0.0, calibration.model_copy(update={"pace": 1.0, "reach": LIMIT}))

    @classmethod
    def by(cls, known: KnownScale, expression: Expression) -> Self:
        """Make the scale again from the plain data of `known`."""
        return cls(known.steps, known.scores, known.rest, expression.calibration, known.ease, known.full, known.calm)


def measure(score: Score, now: float, calibration: Calibration, curves: Curves | None = None) -> Scale:
    """Measure a face's scale. `now` is its score at step 0; nan counts as 0.

    With the `curves` of drawn faces three or four pictures do; without, it takes eight or nine.
    """
    now = 0.0 if np.isnan(now) else now
    if curves is not None:
        return _foretold(score, now, calibration, curves)
    steps = calibration.steps_for(now)
    known = {0.0: now} | dict(zip(steps, score(steps), strict=True))
    # one more measurement where it matters most: at rest if the face shows the expression, else at strength 1
    closer = _rest(known, calibration) if now > calibration.rest else round(_scale(known, 0.0, calibration).step(1.0), 2)
    if closer not in known:
        known[closer] = score([closer])[0]
    return _scale(known, _rest(known, calibration), calibration)


def _foretold(score: Score, now: float, calibration: Calibration, curves: Curves) -> Scale:
    """Measure the face only at the steps that matter and whose score `curves` predict badly; take predicted scores elsewhere.

    `score` draws and scores the face at steps; `now`: its score at step 0, 0..1.
    """
    known, tried, ends = {0.0: now}, {0.0}, (STEPS[0], STEPS[-1])
    most_asked = 0 if now <= calibration.rest else 1  # of _MATTERS: tried in any case
    for _ in range(_TRIALS):
        scores, spread = curves.foretell(known)
        scale = _joined(known, scores, ends, calibration)
        asked = [(scale.step(strength), weight) for strength, weight in _MATTERS] + [(scale.rest, 1.0)]
        steps = [round(min(max(step, ends[0]), ends[1]), 2) for step, _ in asked]
        unsure = [
            0.0
            if min(abs(step - other) for other in tried) < NEAR
            else max(weight * float(np.interp(step, STEPS, spread)), _SURE if place == most_asked else 0.0)
            for place, (step, (_, weight)) in enumerate(zip(steps, asked, strict=True))
        ]
        worst = int(np.argmax(unsure))
        if unsure[worst] < _SURE:
            break
        step = steps[worst]
        tried.add(step)
        (found,) = score([step])
        if np.isnan(found):  # no face is left there, nor beyond
            ends = (step + NEAR, ends[1]) if step < 0 else (ends[0], step - NEAR)
        else:
            known[step] = found
    return _joined(known, curves.foretell(known)[0], ends, calibration)


def _joined(
    known: Mapping[float, float], foretold: NDArray[np.float64], ends: tuple[float, float], calibration: Calibration
) -> Scale:
    """Make the scale of measured and predicted scores.

    `known`: measured scores, 0..1, by step. `foretold` [len(STEPS)], the predicted scores at STEPS, count only at steps within
    `ends` that lie at least NEAR from every measured one, and are cut at `calibration.most`.
    """
    far = {
        step: min(one, calibration.most)
        for step, one in zip(STEPS, foretold.tolist(), strict=True)
        if ends[0] <= step <= ends[1] and min(abs(step - at) for at in known) >= NEAR
    }
    joined = far | dict(known)
    return _scale(joined, _rest(joined, calibration), calibration)


def _scale(known: dict[float, float], rest: float, calibration: Calibration) -> Scale:
    steps, scores = _monotone(known)
    return Scale(tuple(steps.tolist()), tuple(scores.tolist()), rest, calibration)


def _monotone(known: dict[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sort steps and scores for interpolation; steps without a face are left out.

    Scores are made monotone: upwards from step 0 none falls, downwards none rises.
    """
    steps = np.array(sorted(step for step, score in known.items() if not np.isnan(score)))
    scores = np.array([known[step] for step in steps])
    middle = int(np.searchsorted(steps, 0.0))
    scores[middle:] = np.maximum.accumulate(scores[middle:])
    scores[: middle + 1] = np.minimum.accumulate(scores[: middle + 1][::-1])[::-1]
    return steps, scores


def _rest(known: dict[float, float], calibration: Calibration) -> float:
    """Find the step nearest to 0 at which the expression is gone, interpolated.

    If it never is, or just barely, it is the step nearest to 0 that leaves as good as nothing more than the lowest score:
    scores are flat there, and longer steps would change all of the face for nothing.
    """
    steps, scores = _monotone(known)
    middle = int(np.searchsorted(steps, 0.0))
    if scores[middle] <= calibration.rest:
        return 0.0
    gone = max(calibration.rest, float(scores[0]) + _UNSEEN)
    return round(float(np.interp(gone, scores[: middle + 1], steps[: middle + 1])), 2)
