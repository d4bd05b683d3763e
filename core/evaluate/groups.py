"""Breaks a report down by people: by the tone of their skin, which is measured, and by whatever a file says of the photos."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from core.errors import BadOption
from core.evaluate.summary import mean_of
from core.evaluate.trial import PHOTO, Row
from core.expressions import NEUTRAL

PHOTO_COLUMN: Final = "photo"
_FULL: Final = 1.0  # the strength that is broken down, beside neutral


def read_groups(file: Path) -> dict[str, dict[str, str]]:
    """Read what a CSV file says of photos: for the name of each, without its ending, the columns beside `photo` and their values.

    Raises BadOption for a file that can't be read as that.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            table = csv.DictReader(opened, strict=True)
            if PHOTO_COLUMN not in (table.fieldnames or ()):
                raise ValueError(f"no column {PHOTO_COLUMN}")
            return {Path(row[PHOTO_COLUMN]).stem: _labels(row) for row in table}
    except (OSError, ValueError, csv.Error):
        reason = f"{file.name} is not a readable CSV file with the column {PHOTO_COLUMN!r} and one column for each kind of group"
        raise BadOption(name="--groups", reason=reason) from None


def _labels(row: Mapping[str | Any, Any]) -> dict[str, str]:
    return {kind: value.strip() for kind, value in row.items() if kind != PHOTO_COLUMN and value and value.strip()}


def by_group(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Summarise the edits in photos for each group of each kind, at strength 1 and at neutral; of one direction at a time.

    "over" is the group's mean distance of identity divided by that of everybody: 1.2 is a fifth worse.
    """
    made: list[dict[str, Any]] = []
    for direction in dict.fromkeys(row.direction for row in rows):
        for asked in (_FULL, NEUTRAL):
            of = [row for row in rows if row.direction == direction and row.surface == PHOTO and row.asked == asked]
            everybody = _identity(of)
            for kind, name in sorted({label for row in of for label in row.groups.items()}):
                group = [row for row in of if row.groups.get(kind) == name]
                own = _identity(group)
                made.append({
                    "direction": direction, "asked": asked, "kind": kind, "group": name, "faces": len(group),
                    "score": mean_of(row.after for row in group), "identity": own,
                    "over": round(own / everybody, 3) if own is not None and everybody else None,
                    "told": sum(bool(row.told) for row in group),
                })  # fmt: skip
    return made


def _identity(rows: Sequence[Row]) -> float | None:
    return mean_of(row.changes["identity"] for row in rows)


def group_table(made: list[dict[str, Any]]) -> Table:
    """Make a table for a terminal of what `by_group` returned."""
    table = Table(title="In the photo, by group", caption="over all: the distance of identity divided by everybody's")
    for column in ("direction", "strength", "kind", "group", "faces", "score", "identity", "over all", "told"):
        table.add_column(column)
    for at in made:
        cells = ["-" if at[key] is None else f"{at[key]:.2f}" for key in ("score", "identity", "over")]
        asked = at["asked"] if at["asked"] == NEUTRAL else f"{at['asked']:+g}"
        table.add_row(at["direction"], asked, at["kind"], at["group"], str(at["faces"]), *cells, str(at["told"]))
    return table
