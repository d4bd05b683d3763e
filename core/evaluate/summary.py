"""Summarises many edits of many faces as data for JSON, and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from rich.table import Table

from core.directions.split import share
from core.emotion import EMOTIONS
from core.evaluate.trial import PHOTO, Row
from core.expressions import NEUTRAL, Expression

_STEADY = 0.01  # a step counts as rising unless the score falls by more: at both ends of 0..1 it can't rise
_MEANS = ("identity", "turned", "yaw", "pitch", "roll", "eyes", "skin")


def summary(rows: Sequence[Row], expression: Expression) -> list[dict[str, Any]]:
    """Summarise the rows of each direction and surface: one entry for each, in order of first appearance."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.direction, row.surface), []).append(row)
    return [
        {"direction": direction, "surface": surface, **_method(of, expression)} for (direction, surface), of in groups.items()
    ]


def _method(rows: list[Row], by: Expression) -> dict[str, Any]:
    sweep = sorted({row.strength for row in rows if row.asked != NEUTRAL})
    strengths = [_strength([row for row in rows if row.asked == strength], strength, by) for strength in sweep]
    return {
        "faces": len({row.subject for row in rows}),
        "strengths": strengths,
        "neutral": _neutral([row for row in rows if row.asked == NEUTRAL], by),
        "equal_gain": [_at(strengths, score) for score in by.judged.gains],
        "rising": _rising(rows),
        "seconds": mean_of(row.seconds for row in rows),
    }


def _strength(rows: list[Row], strength: float, by: Expression) -> dict[str, Any]:
    at_rest = [row for row in rows if row.before < by.judged.rests and not row.was_showing]
    return {
        "strength": strength,
        "score": mean_of(row.after for row in rows),
        "showing": share(sum(row.showing for row in rows), len(rows)),
        "resting_that_score": share(sum(row.after >= by.judged.shown for row in at_rest), len(at_rest)),
        "resting_that_show": share(sum(row.showing for row in at_rest), len(at_rest)),
        **_changes(rows, by),
    }


def _neutral(rows: list[Row], by: Expression) -> dict[str, Any]:
    """Summarise the edits to neutral; success is judged only on faces that showed the expression before."""
    showed = [row for row in rows if row.was_showing]
    scored = [row for row in rows if row.before >= by.judged.rests]
    return {
        "score": mean_of(row.after for row in rows),
        "showing_that_stop": share(sum(not row.showing for row in showed), len(showed)),
        "scoring_that_rest": share(sum(row.after < by.judged.rests for row in scored), len(scored)),
        **_changes(rows, by),
    }


def _changes(rows: list[Row], by: Expression) -> dict[str, Any]:
    """Average changes over faces. Of signed changes the size is averaged, so that a turn left and a turn right don't cancel."""
    made: dict[str, Any] = {key: mean_of(abs(row.changes[key]) for row in rows) for key in _MEANS}
    made["worst_identity"] = _worst(row.changes["identity"] for row in rows)
    made["emotions"] = {name: mean_of(row.changes[name] for row in rows) for name in EMOTIONS if name != by.judged.emotion}
    made["glasses"] = {"on": sum(row.glasses > 0 for row in rows), "off": sum(row.glasses < 0 for row in rows)}
    made["lost"] = int(sum(np.isnan(row.after) for row in rows))
    made["told"] = sum(bool(row.told) for row in rows)
    made["things"] = max((row.thing for row in rows if row.thing is not None and not row.told), default=None)
    made["outside"] = max((row.outside for row in rows), default=0)
    made["seam"] = mean_of(row.seam for row in rows)
    made["worst_seam"] = _worst(row.seam for row in rows)
    return made


def _at(strengths: list[dict[str, Any]], score: float) -> dict[str, Any] | None:
    """Interpolate the summaries of `_strength`, in the order of their strengths, to where the mean score is `score`.

    Returns that score, the strength, the `_MEANS` and "others" there. It lies between the first two neighbours, from the
    lower to the higher strength, of which the score rises past it; None if there are none.
    """
    for low, high in pairwise(strengths):
        first, last = low["score"], high["score"]
        if None not in (first, last) and first <= score <= last and first < last:
            part = (score - first) / (last - first)
            blend = {key: round(low[key] + part * (high[key] - low[key]), 4) for key in ("strength", *_MEANS)}
            return {"score": score, **blend, "others": round(_others(low) + part * (_others(high) - _others(low)), 4)}
    return None


def _others(at: dict[str, Any]) -> float:
    """Sum the sizes of the mean changes of the other emotions, except neutral, which the expression must lower."""
    return float(sum(abs(value) for name, value in at["emotions"].items() if name != "neutral"))


def _rising(rows: list[Row]) -> dict[str, Any]:
    steps = []
    for subject in dict.fromkeys(row.subject for row in rows):
        of = sorted((row.strength, row.after) for row in rows if row.subject == subject and row.asked != NEUTRAL)
        scores = np.array([score for _, score in of])
        steps.extend(np.diff(scores[~np.isnan(scores)]) > -_STEADY)
    return share(int(sum(steps)), len(steps))


def mean_of(values: Iterable[float]) -> float | None:
    """Compute the mean of the values that are numbers, rounded; None if there are none."""
    known = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(known)), 4) if known else None


def _worst(values: Iterable[float]) -> float | None:
    return max((round(value, 4) for value in values if not np.isnan(value)), default=None)


def tables(made: list[dict[str, Any]], expression: Expression) -> list[Table]:
    """Make tables for a terminal: one for each entry of `summary`, then one that compares all at equal gain."""
    return [*(_of_method(method, expression) for method in made), equal_gain(made, expression)]


def _of_method(method: dict[str, Any], by: Expression) -> Table:
    rising, photo = method["rising"], method["surface"] == PHOTO
    table = Table(
        title=f"{method['direction']} in the {method['surface']}, {method['faces']} faces",
        caption=f"{_risen(rising, by)}; {_show(method['seconds'])} s an edit",
    )
    for column in ("strength", by.name, by.judged.emotion, f"at rest -> {by.judged.shown:g}", "identity", "worst", "turned",
                   "eyes", "skin ΔE", "other emotions", "glasses +/-", "outside", "things", "seam", "worst", "told"):  # fmt: skip
        table.add_column(column)
    for at in (*method["strengths"], {**method["neutral"], "strength": NEUTRAL}):
        table.add_row(
            at["strength"] if at["strength"] == NEUTRAL else f"{at['strength']:+g}",
            _show(at["score"]), _hits(at.get("showing")), _hits(at.get("resting_that_score")),
            _show(at["identity"]), _show(at["worst_identity"]), f"{_show(at['turned'])}°", _show(at["eyes"], 3),
            _show(at["skin"], 1), _show(None if None in at["emotions"].values() else _others(at)),
            f"{at['glasses']['on']}/{at['glasses']['off']}",
            str(at["outside"]) if photo else "-", "-" if at["things"] is None else str(at["things"]),
            _show(at["seam"]), _show(at["worst_seam"]), str(at["told"]) if photo else "-",
        )  # fmt: skip
    return table


def _risen(rising: dict[str, Any], by: Expression) -> str:
    if not rising["of"]:
        return f"no face has two strengths between which the {by.name} could rise"
    return f"the {by.name} rises in {rising['share']:.1%} of {rising['of']} steps"


def equal_gain(made: list[dict[str, Any]], expression: Expression) -> Table:
    """Make a table that compares all directions at the same mean scores."""
    table = Table(
        title="At equal gain", caption="means over faces, interpolated to the strength at which the mean score is reached"
    )
    for column in (
        "direction",
        "in the",
        f"mean {expression.name}",
        "strength",
        "identity",
        "turned",
        "eyes",
        "skin ΔE",
        "other emotions",
    ):
        table.add_column(column)
    for method in made:
        for score, at in zip(expression.judged.gains, method["equal_gain"], strict=True):
            cells = ["not reached"] if at is None else [
                f"{at['strength']:+.2f}", _show(at["identity"], 3), f"{at['turned']:.1f}°", _show(at["eyes"], 3),
                _show(at["skin"], 1), _show(at["others"]),
            ]  # fmt: skip
            table.add_row(method["direction"], method["surface"], f"{score:g}", *cells)
    return table


def _show(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _hits(part: dict[str, Any] | None) -> str:
    return "-" if part is None or not part["of"] else f"{part['hits']}/{part['of']}"
