"""Measures how one face's expression reacts to edits, after it has found what else to take off this face.

A pull takes off what does not belong to the expression, such as a frown under a smile. A face with nothing unusual gets no
pull, and only the expression's own direction moves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from core.edit.curves import Curves
from core.edit.scale import Pull, Scale, measure
from core.edit.trials import Scores, Trials
from core.expressions import Expression
from core.reach.ease import FROWN, Usual, usual, wanted, with_lift, with_shut
from core.reach.maps import Maps

_ROUNDS = 3  # of reaching and measuring again: each takes a picture
_GIVEN = 0.05  # of the expression's score that may be lost by it
_CLEAR = 0.3  # by which some score must leave the usual before a face is eased: faces differ
_POUT = 0.3  # scores in all above which a face is not at rest: lips that pout let go as soon as they begin to smile,
_AGAINST_POUTS = 0.5, 1.0  # at such steps
_LONGEST = 4.0  # standard deviations that a face is pulled at most: beyond, it is another person's
_FROWN, _FROWN_AT_REST = 0.18, 0.45  # scores of lowered brows above which they are lifted under an expression, and at rest
_LIFTS = 0.5, 1.0  # how far that is tried, in the unit of core.expressions.Parts


def learn(trials: Trials, expression: Expression, maps: Maps | None, curves: Curves | None = None) -> Scale:
    """Measure the face's scale with three or four pictures, a few more if there is something to take off.

    `maps` tells how to pull; None measures without pulls. Without `curves` it takes about ten pictures.
    """
    ease, shown = _eased(trials, expression, maps) if maps is not None else ((), trials.now)
    now = float("nan") if shown is None else expression.of(shown)

    def score(steps: Sequence[float]) -> list[float]:
        found = (trials.at(step, ease) for step in steps)
        return [float("nan") if one is None else expression.of(one) for one in found]

    scale = measure(score, now, expression.calibration, curves)
    if maps is None or shown is None:
        return scale
    calm = _calmed(trials, expression, maps, scale.rest, ease, shown)
    if _shows(trials, expression) or any(name.startswith(FROWN) for name in expression.score):  # some expressions frown
        return _at_rest(replace(scale, ease=ease, full=ease, calm=calm), maps)
    lifted = _lifted(trials, maps, scale.step(1.0), ease, _FROWN)
    if scale.rest == 0:
        calm = _lifted(trials, maps, 0.0, calm, _FROWN_AT_REST)
    return _at_rest(replace(scale, ease=lifted if _frown(shown) > _FROWN else ease, full=lifted, calm=calm), maps)


def _at_rest(scale: Scale, maps: Maps) -> Scale:
    """Have the lips come together at rest, if the face has to be moved to get there."""
    moved = scale.rest != 0 or any(scale.calm)
    return replace(scale, calm=with_shut(scale.calm, maps, 1.0)) if moved else scale


def _eased(trials: Trials, expression: Expression, maps: Maps) -> tuple[Pull, Scores | None]:
    """Find the pull that takes off the face all that does not go with its present amount of the expression.

    Returns the pull, () for none, and the scores of the face after it; None if no face is seen.
    """
    found = trials.now
    if found is None or _shows(trials, expression):  # who beams with the whole face may go on
        return (), found
    ranges, held = usual(maps, expression, expression.of(found)), {**expression.score, **expression.absent}
    if not _clear(found, ranges, held):
        return (), found
    return _reach(trials, expression, maps, ranges, 0.0, (), found, held)


def _lifted(trials: Trials, maps: Maps, step: float, pull: Pull, most: float) -> Pull:
    """Add to the pull the smallest lift of the brows that brings their lowering to at most `most` after the step.

    If no lift does, the best one is added. Brows are lifted in the photo itself: with lowered brows the generator would also
    change beard and age.
    """
    found = trials.near(step, pull)
    best, least = pull, 1.0 if found is None else _frown(found)
    for lift in _LIFTS:
        if least <= most:
            break
        tried = with_lift(pull, maps, lift)
        found = trials.at(step, tried)
        if found is not None and _frown(found) < least:
            best, least = tried, _frown(found)
    return best


def _frown(scores: Scores) -> float:
    found = [score for name, score in scores.items() if name.startswith(FROWN)]
    return sum(found) / len(found)


def _shows(trials: Trials, expression: Expression) -> bool:
    return trials.now is not None and expression.of(trials.now) >= expression.judged.shown


def _calmed(trials: Trials, expression: Expression, maps: Maps, rest: float, ease: Pull, shown: Scores) -> Pull:
    """Find the pull that takes off the face all that is unusual for a face at rest, where `rest` is the step to there."""
    ranges = usual(maps, expression, expression.calibration.rest, calm=True)
    found = shown if rest == 0 else trials.near(rest, ease)
    if found is None or not _clear(found, ranges, {}):
        return ease
    pull, best = _reach(trials, expression, maps, ranges, rest, ease, found)
    for step in _AGAINST_POUTS if rest == 0 and _left(best, ranges, {}) > _POUT else ():
        tried = (*maps.values(pull).tolist(), step)
        after = trials.at(rest, tried, parting=False)
        if after is not None and _left(after, ranges, {}) < _left(best, ranges, {}):
            pull, best = tried, after
    return pull


def _reach(
    trials: Trials, expression: Expression, maps: Maps, ranges: Usual, step: float, begun: Pull, found: Scores,
    held: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Pull, Scores]:  # fmt: skip
    """Extend the pull `begun`, which gave the scores `found`, in a few rounds until nothing unusual is left or it gets no better.

    Only what parts no lips and lowers the mean of the `held` scores by at most `_GIVEN` is kept. Returns the pull and the
    scores after it.
    """
    pull, best, gain = maps.values(begun), found, 1.0
    for _ in range(_ROUNDS):
        change, left = wanted(best, ranges, held), _left(best, ranges, held)
        if not left:
            break
        total = pull + gain * maps.pull(change)
        total *= min(1.0, _LONGEST / max(maps.length(total), 1e-6))
        after = trials.at(step, tuple(total.round(4).tolist()), parting=False)
        reached = 0.0 if after is None else 1 - _left(after, ranges, held) / left
        if after is None or (held and expression.of(after) < expression.of(best) - _GIVEN):
            gain /= 2
        elif reached > 0:
            pull, best, gain = total, after, 1.0 if reached > 0.5 else 2.0
        else:
            gain *= 2
    return tuple(pull.round(4).tolist()) if pull.any() else (), best


def _clear(scores: Scores, ranges: Usual, held: Mapping[str, float]) -> bool:
    return max(abs(one) for one in wanted(scores, ranges, held).values()) >= _CLEAR


def _left(scores: Scores, ranges: Usual, held: Mapping[str, float]) -> float:
    return sum(abs(one) for one in wanted(scores, ranges, held).values())
