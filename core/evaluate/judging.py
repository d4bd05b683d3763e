"""Counts how well the product judges itself: what it finds of results that were spoiled on purpose, and what else it tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table

from core.evaluate.spoiled import WAYS
from core.evaluate.trial import PHOTO, Row

_BROKEN: Final = "NotWhole"  # the ResultError of torn lips and teeth; others are no matter of the picture


def self_judgement(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Count the spoiled results that were found, by the way in which they were spoiled; None if none was spoiled.

    "recall" is the share of spoiled results that were found. "precision" is the share of spoiled ones among all that were
    called broken; results that nobody spoiled count as good, also where they are not, so the true one is as high or higher.
    """
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for row in rows:
        tried.update(row.spoiled.keys())
        found.update(way for way, told in row.spoiled.items() if told)
    if not tried:
        return None
    changed = [row for row in rows if row.surface == PHOTO and row.step != 0]
    unspoiled = sum(row.told == _BROKEN for row in changed)
    hits = found.total()
    return {
        "ways": {way: {"hits": found[way], "of": tried[way]} for way in WAYS},
        "unspoiled": {"hits": unspoiled, "of": len(changed)},
        "recall": round(hits / tried.total(), 3),
        "precision": round(hits / (hits + unspoiled), 3) if hits + unspoiled else None,
    }


def judging_table(made: dict[str, Any]) -> Table:
    """Make a table for a terminal of what `self_judgement` returned."""
    precision = "-" if made["precision"] is None else f"{made['precision']:.1%}"
    table = Table(title="Its judge of itself", caption=f"recall {made['recall']:.1%}, precision at least {precision}")
    table.add_column("results")
    table.add_column("called broken")
    for way, counted in {**made["ways"], "not spoiled": made["unspoiled"]}.items():
        table.add_row(way, f"{counted['hits']}/{counted['of']}")
    return table
