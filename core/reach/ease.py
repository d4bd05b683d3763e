"""Finds what on a face does not belong to the expression: scores outside the range that is usual with it.

Examples are a grimace or a frown under a smile, or an open mouth at rest. The usual range comes from drawn faces that show
about as much of the expression. Scores outside are to be brought back into it; all other scores are to stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from core.expressions import Expression
from core.reach.maps import Maps

MOVED: Final = ("brow", "mouth", "jaw", "eyeSquint", "eyeWide")  # how the names of scores begin that an expression moves
UPPER: Final = ("brow", "eyeSquint", "eyeWide")
FROWN: Final = "browDown"
_LEFT = (FROWN, "eyeSquint", "mouthPress")  # scores that differ so much between calm faces that they are never unusual
_FEW, _USUAL = 0.1, 0.8  # shares of the drawn faces that have no more of a score
_SLACK = 0.1  # score above the usual that is let be: so much the landmarker errs
_NEAR = 0.12  # score of the expression within which drawn faces count as showing about as much of it
_FEWEST = 60  # of them, or the nearest
Usual = Mapping[str, tuple[float, float]]  # least and highest usual value of each score
_PLAIN = 0.12  # change of a score from which its part of the face follows an edit whole


def usual(maps: Maps, expression: Expression, level: float, *, calm: bool = False) -> Usual:
    """Compute the usual range of each score MOVED among drawn faces that show the expression at this `level`, 0..1.

    `calm` uses faces at rest, with a score up to the level. Lowered brows are
    never unusual here: `with_lift` lifts them in the photo.
    """
    shown = np.array([expression.of(dict(zip(maps.names, face, strict=True))) for face in maps.faces.tolist()], dtype=np.float32)
    if calm:
        chosen = maps.calm & (shown <= max(level, _NEAR))
    else:
        away = np.abs(shown - level)
        chosen = away <= max(_NEAR, float(np.sort(away)[min(_FEWEST, len(away)) - 1]))
    lows, highs = np.quantile(maps.faces[chosen], [_FEW if calm else 0.0, _USUAL], axis=0).tolist()
    ranges = {}
    for name, low, high in zip(maps.names, lows, highs, strict=True):
        if name.startswith(MOVED):
            ranges[name] = (0.0, 1.0) if name.startswith(_LEFT) else (low, high)
    return ranges


def wanted(scores: Mapping[str, float], ranges: Usual, held: Mapping[str, float]) -> dict[str, float]:
    """Compute the wanted change of each score MOVED: 0 for scores within the usual range.

    `held` are the expression's own scores, which stay as they are.
    """
    return {name: 0.0 if name in held else _change(scores[name], *ends) for name, ends in ranges.items()}


def _change(score: float, low: float, high: float) -> float:
    if low - _SLACK <= score <= high + _SLACK:
        return 0.0
    return (low if score < low else high) - score


def reach_of(maps: Maps, pull: Sequence[float]) -> tuple[float, float]:
    """Tell how far two parts of the face are meant to follow a pull, 0..1 each: brows and lids, then mouth and cheeks."""
    predicted = dict(zip(maps.names, np.abs(maps.gram @ maps.values(pull)).tolist(), strict=True))
    most = [
        max(change for name, change in predicted.items() if name.startswith(MOVED) and name.startswith(UPPER) == above)
        for above in (True, False)
    ]
    return min(1.0, most[0] / _PLAIN), min(1.0, most[1] / _PLAIN)


def own_step(pull: Sequence[float], maps: Maps | None) -> float:
    """Read from a pull the step along the expression's own direction, its number after the K scores; 0 if it has none."""
    return float(pull[len(maps.names)]) if maps is not None and len(pull) > len(maps.names) else 0.0


def lift_of(pull: Sequence[float], maps: Maps) -> float:
    """Read from a pull how far brows are lifted in the photo, 0..1, its second number after the K scores; 0 if it has none."""
    place = len(maps.names) + 1
    return float(pull[place]) if len(pull) > place else 0.0


def with_lift(pull: Sequence[float], maps: Maps, lift: float) -> tuple[float, ...]:
    """Return the pull with another lift of the brows, 0..1."""
    return (*maps.values(pull).tolist(), own_step(pull, maps), lift)


def squint_of(pull: Sequence[float], maps: Maps) -> float:
    """Read from a pull how far lower lids and cheeks rise in the photo, 0..1, its third number after the K scores; 0 without."""
    place = len(maps.names) + 2
    return float(pull[place]) if len(pull) > place else 0.0


def with_squint(pull: Sequence[float], maps: Maps, squint: float) -> tuple[float, ...]:
    """Return the pull with so much of a smile of the eyes, 0..1."""
    return (*with_lift(pull, maps, lift_of(pull, maps)), squint)


def shut_of(pull: Sequence[float], maps: Maps) -> float:
    """Read from a pull how far lips come together in the photo, 0..1, its fourth number after the K scores; 0 without."""
    place = len(maps.names) + 3
    return float(pull[place]) if len(pull) > place else 0.0


def with_shut(pull: Sequence[float], maps: Maps, shut: float) -> tuple[float, ...]:
    """Return the pull with lips that come together so far, 0..1."""
    return (*with_squint(pull, maps, squint_of(pull, maps)), shut)
