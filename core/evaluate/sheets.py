"""Contact sheets of a trial, for what no number shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.evaluate.trial import Row, Subject
from core.expressions import NEUTRAL
from core.pictures import contact_sheet, encode

_SIDE = 256  # pixels of a face


def draw_sheet(subject: Subject, rows: Sequence[Row], out: Path) -> Path:
    """Draw the sheet of one subject to a PNG in the folder `out` and return its path.

    There is a row for each direction and surface: the photo's face first, then every strength.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.direction, row.surface), []).append(row)
    original = _small(subject.aligned.image)
    lines = []
    for (direction, surface), of in groups.items():
        of = sorted(of, key=lambda row: (row.asked == NEUTRAL, row.strength))
        cells = [(f"{row.asked if row.asked == NEUTRAL else ''} {row.strength:+.1f}: {row.after:.2f}", row.picture) for row in of]
        lines.append([(f"{direction}, {surface}", original), *cells])
    file = out / f"{subject.name}.png"
    file.write_bytes(encode(contact_sheet(lines, _SIDE), "png", source="generated"))
    return file


def _small(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))
