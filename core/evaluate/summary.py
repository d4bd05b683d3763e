"""Many edits of many faces -> what a method is worth: one object that JSON can hold, and tables of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from rich.table import Table

from core.directions.split import share
from core.emotion import EMOTIONS, HAPPY
from core.evaluate.trial import PHOTO, Row
from core.expressions import NEUTRAL

SMILES = 0.6  # smile score from which a photo's face smiles to anyone
RESTS = 0.25  # and below which it does not
GAINS = (0.89, 0.02)  # mean smile scores at which directions are set side by side: equal gains from equal starts
_STEADY = 0.01  # a step counts as rising unless the score falls by more: at both ends of 0..1 it can't rise
_MEANS = ("identity", "turned", "yaw", "pitch", "roll", "eyes", "skin")
_OTHERS = tuple(name for index, name in enumerate(EMOTIONS) if index != HAPPY)


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for each direction and surface, in the order in which they first come."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.direction, row.surface), []).append(row)
    return [{"direction": direction, "surface": surface, **_method(of)} for (direction, surface), of in groups.items()]


def _method(rows: list[Row]) -> dict[str, Any]:
    sweep = sorted({row.strength for row in rows if row.asked != NEUTRAL})
    strengths = [_strength([row for row in rows if row.asked == strength], strength) for strength in sweep]
    return {
        "faces": len({row.subject for row in rows}),
        "strengths": strengths,
        "neutral": _neutral([row for row in rows if row.asked == NEUTRAL]),
        "equal_gain": [_at(strengths, smile) for smile in GAINS],
        "rising": _rising(rows),
        "seconds": _mean(row.seconds for row in rows),
    }


def _strength(rows: list[Row], strength: float) -> dict[str, Any]:
    at_rest = [row for row in rows if row.before < RESTS and not row.was_happy]
    return {
        "strength": strength,
        "smile": _mean(row.after for row in rows),
        "happy": share(sum(row.happy for row in rows), len(rows)),
        "resting_that_smile": share(sum(row.after >= SMILES for row in at_rest), len(at_rest)),
        "resting_that_are_happy": share(sum(row.happy for row in at_rest), len(at_rest)),
        **_changes(rows),
    }


def _neutral(rows: list[Row]) -> dict[str, Any]:
    """What asking for neutral came to; the success is judged on faces that were happy."""
    happy = [row for row in rows if row.was_happy]
    smiling = [row for row in rows if row.before >= RESTS]
    return {
        "smile": _mean(row.after for row in rows),
        "happy_that_stop": share(sum(not row.happy for row in happy), len(happy)),
        "smiling_that_rest": share(sum(row.after < RESTS for row in smiling), len(smiling)),
        **_changes(rows),
    }


def _changes(rows: list[Row]) -> dict[str, Any]:
    """Means over faces: of signed changes their size, for a turn to the left and one to the right are two turns."""
    made: dict[str, Any] = {key: _mean(abs(row.changes[key]) for row in rows) for key in _MEANS}
    made["worst_identity"] = _worst(row.changes["identity"] for row in rows)
    made["emotions"] = {name: _mean(row.changes[name] for row in rows) for name in _OTHERS}
    made["glasses"] = {"on": sum(row.glasses > 0 for row in rows), "off": sum(row.glasses < 0 for row in rows)}
    made["lost"] = int(sum(np.isnan(row.after) for row in rows))
    made["outside"] = max((row.outside for row in rows), default=0)
    made["seam"] = _mean(row.seam for row in rows)
    made["worst_seam"] = _worst(row.seam for row in rows)
    return made


def _at(strengths: list[dict[str, Any]], smile: float) -> dict[str, Any] | None:
    """The means where the mean smile is `smile`, between the two strengths around it; None where none reaches it."""
    for low, high in pairwise(strengths):
        if None not in (low["smile"], high["smile"]) and low["smile"] <= smile <= high["smile"] and low["smile"] < high["smile"]:
            part = (smile - low["smile"]) / (high["smile"] - low["smile"])
            blend = {key: round(low[key] + part * (high[key] - low[key]), 4) for key in ("strength", *_MEANS)}
            return {"smile": smile, **blend, "others": round(_others(low) + part * (_others(high) - _others(low)), 4)}
    return None


def _others(at: dict[str, Any]) -> float:
    """Size of the mean change of each other emotion but neutral, which a smile must lower."""
    return float(sum(abs(value) for name, value in at["emotions"].items() if name != "neutral"))


def _rising(rows: list[Row]) -> dict[str, Any]:
    steps = []
    for subject in dict.fromkeys(row.subject for row in rows):
        of = sorted((row.strength, row.after) for row in rows if row.subject == subject and row.asked != NEUTRAL)
        scores = np.array([score for _, score in of])
        steps.extend(np.diff(scores[~np.isnan(scores)]) > -_STEADY)
    return share(int(sum(steps)), len(steps))


def _mean(values: Iterable[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(known)), 4) if known else None


def _worst(values: Iterable[float]) -> float | None:
    return max((round(value, 4) for value in values if not np.isnan(value)), default=None)


def tables(made: list[dict[str, Any]]) -> list[Table]:
    """For a terminal: every method at its strengths, and all of them at equal gain."""
    return [*(_of_method(method) for method in made), equal_gain(made)]


def _of_method(method: dict[str, Any]) -> Table:
    rising = method["rising"]
    table = Table(
        title=f"{method['direction']} in the {method['surface']}, {method['faces']} faces",
        caption=f"the smile rises in {rising['share']:.1%} of {rising['of']} steps; {_show(method['seconds'])} s an edit",
    )
    for column in ("strength", "smile", "happy", f"at rest -> {SMILES}", "identity", "worst", "turned", "eyes", "skin ΔE",
                   "other emotions", "glasses +/-", "outside", "seam", "worst"):  # fmt: skip
        table.add_column(column)
    for at in (*method["strengths"], {**method["neutral"], "strength": NEUTRAL}):
        table.add_row(
            at["strength"] if at["strength"] == NEUTRAL else f"{at['strength']:+g}",
            _show(at["smile"]), _hits(at.get("happy")), _hits(at.get("resting_that_smile")),
            _show(at["identity"]), _show(at["worst_identity"]), f"{_show(at['turned'])}°", _show(at["eyes"], 3),
            _show(at["skin"], 1), _show(_others(at) if at["emotions"]["sad"] is not None else None),
            f"{at['glasses']['on']}/{at['glasses']['off']}",
            str(at["outside"]) if method["surface"] == PHOTO else "-", _show(at["seam"]), _show(at["worst_seam"]),
        )  # fmt: skip
    return table


def equal_gain(made: list[dict[str, Any]]) -> Table:
    """All methods where the mean smile is the same: what each pays for it."""
    table = Table(
        title="At equal gain", caption="means over faces, interpolated to the strength at which the mean smile is reached"
    )
    for column in ("direction", "in the", "mean smile", "strength", "identity", "turned", "eyes", "skin ΔE", "other emotions"):
        table.add_column(column)
    for method in made:
        for smile, at in zip(GAINS, method["equal_gain"], strict=True):
            cells = ["not reached"] if at is None else [
                f"{at['strength']:+.2f}", _show(at["identity"], 3), f"{at['turned']:.1f}°", _show(at["eyes"], 3),
                _show(at["skin"], 1), _show(at["others"]),
            ]  # fmt: skip
            table.add_row(method["direction"], method["surface"], f"{smile:g}", *cells)
    return table


def _show(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _hits(part: dict[str, Any] | None) -> str:
    return "-" if part is None or not part["of"] else f"{part['hits']}/{part['of']}"
