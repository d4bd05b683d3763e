"""Compares directions: how they were learned, how similar they are, what they do to faces that they were not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.table import Table

from core.directions.direction import Direction, apply, held_out
from core.directions.effect import Bench, Subjects, effect, subjects
from core.generator import seed_w
from core.pictures import contact_sheet

STRENGTHS = (-1.5, -1.0, 1.0, 1.5)
SWEEP = tuple(range(-3, 4))
SWEEP_SEEDS = (5000, 5001, 5003, 5004)


def cosines(directions: Sequence[Direction]) -> NDArray[np.float64]:
    """Compute the cosines [N,N] between the steps of N directions; 1 where they differ only in length."""
    flat = np.stack([direction.step().ravel().astype(np.float64) for direction in directions])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    result: NDArray[np.float64] = flat @ flat.T
    return result


def report(
    directions: Sequence[Direction],
    bench: Bench,
    seeds: Sequence[int],
    truncation: float,
    on_progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Judge directions and return, as data for JSON, each one's provenance and effects, and the cosines between all.

    `seeds` must not be among those that the directions were fitted to. Neutral faces are moved by the positive STRENGTHS,
    those that show the expression by the negative ones. `on_progress` is called with the share (0..1) that is done.
    """
    drawn = _Drawn(len(seeds) * (1 + len(directions) * len(STRENGTHS)), on_progress)
    neutral, showing = subjects(bench, seeds, truncation, drawn)
    moved = [neutral if strength > 0 else showing for strength in STRENGTHS]
    drawn.total = len(seeds) + len(directions) * sum(len(faces.ws) for faces in moved)
    rows = []
    for direction in directions:
        effects = [effect(bench, direction, faces, s, drawn) for faces, s in zip(moved, STRENGTHS, strict=True)]
        rows.append({"name": direction.name, **direction.provenance, "effects": [_known(asdict(one)) for one in effects]})
    drawn(0)
    return {
        "expression": bench.expression.name,
        "emotion": bench.expression.judged.emotion,
        "seeds": [int(seeds[0]), int(seeds[-1])],
        "neutral": _start(neutral),
        "showing": _start(showing),
        "directions": rows,
        "cosines": {
            a.name: {b.name: round(float(value), 3) for b, value in zip(directions, values, strict=True)}
            for a, values in zip(directions, cosines(directions), strict=True)
        },
    }


def _known(effect: dict[str, Any]) -> dict[str, Any]:
    """Replace the means of faces that the landmarker did not find, NaN, by None."""
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in effect.items()}


class _Drawn:
    """Counts drawn faces, and tells the share (0..1) of `total` after each call."""

    def __init__(self, total: int, on_progress: Callable[[float], None]) -> None:
        self.total, self._done, self._on_progress = total, 0, on_progress

    def __call__(self, count: int) -> None:
        self._done += count
        self._on_progress(self._done / self.total)


def _start(faces: Subjects) -> dict[str, Any]:
    """Count the faces, and average the scores of those that the landmarker found; None if it found none."""
    score = faces.looks.score
    known = score[~np.isnan(score)]
    return {"count": len(score), "score": round(float(known.mean()), 3) if len(known) else None}


def tables(made: dict[str, Any]) -> list[Table]:
    """Make tables of a report for a terminal: how each was learned, what it does, and how similar they are."""
    return [_learned(made), _effects(made), _blendshapes(made), _cosines(made)]


def _learned(made: dict[str, Any]) -> Table:
    table = Table(title="Learned")
    for column in ("direction", "from", "C", "shown / other", "validation", "held-out test (95 %)", "unit in w"):
        table.add_column(column)
    for row in made["directions"]:
        c = row["C"]
        table.add_row(
            row["name"],
            row["task"],
            "-" if c is None else f"{c:.2g}",
            " / ".join(str(count) for count in row.get("fitted_on", {}).values()) or "-",
            f"{row['validation']['share']:.1%}" if "validation" in row else "-",
            held_out(row),
            f"{row['unit']:.2f}",
        )
    return table


def _effects(made: dict[str, Any]) -> Table:
    neutral, showing, emotion = made["neutral"]["count"], made["showing"]["count"], made["emotion"]
    table = Table(
        title=f"Done to {neutral} neutral and {showing} {emotion} faces of seeds {made['seeds'][0]}-{made['seeds'][1]}",
        caption=f"change of the {made['expression']} score by strength; what else moved is the mean of the strongest both ways",
    )
    for column in ("direction", *(f"{s:+}" for s in STRENGTHS), f"not {emotion} at {STRENGTHS[0]}",
                   f"{emotion} at {STRENGTHS[-1]:+}", "head turned", "top rows"):  # fmt: skip
        table.add_column(column)
    for row in made["directions"]:
        effects = row["effects"]
        ends = effects[0], effects[-1]
        table.add_row(
            row["name"],
            *(_told(one["change"], "+.2f") for one in effects),
            *(f"{one['reached']['hits']}/{one['reached']['of']}" for one in ends),
            *(_told(_mean([one[key] for one in ends]), ".1f", unit) for key, unit in (("turned", "°"), ("border", ""))),
        )
    return table


def _blendshapes(made: dict[str, Any]) -> Table:
    """Make the table of the blendshapes that each direction moves, which are candidates for the expression's score."""
    table = Table(title=f"Blendshapes that change most at {STRENGTHS[-1]:+}")
    for column in ("direction", "and by how much"):
        table.add_column(column)
    for row in made["directions"]:
        moved = row["effects"][-1]["blendshapes"]
        table.add_row(row["name"], ", ".join(f"{name} {value:+.2f}" for name, value in moved.items()) or "-")
    return table


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else float(np.mean(values))  # type: ignore[arg-type]


def _told(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def _cosines(made: dict[str, Any]) -> Table:
    table = Table(title="Cosine between directions")
    for column in ("", *made["cosines"]):
        table.add_column(column)
    for name, row in made["cosines"].items():
        table.add_row(name, *(f"{value:.2f}" for value in row.values()))
    return table


def sweep(
    direction: Direction, bench: Bench, truncation: float, seeds: Sequence[int] = SWEEP_SEEDS, size: int = 256,
    on_progress: Callable[[float], None] = lambda share: None,
) -> NDArray[np.uint8]:  # fmt: skip
    """Draw a sheet uint8 [H,W,3]: a row for each seed, a column for each strength of SWEEP, `size` pixels a face."""
    strengths = torch.tensor(SWEEP, dtype=torch.float32)
    rows, drawn = [], _Drawn(len(seeds) * len(SWEEP), on_progress)
    for seed, w in zip(seeds, seed_w(bench.generator, seeds, truncation), strict=True):
        ws = apply(direction, bench.generator.broadcast(w.expand(len(SWEEP), -1)), strengths)
        faces = []
        for batch in bench.renderer.batches(ws):
            faces += [_small(image, size) for image in batch]
            drawn(len(batch))
        labels = [f"{seed}: {strength:+d}" for strength in SWEEP]
        rows.append(list(zip(labels, faces, strict=True)))
    return contact_sheet(rows, side=size)


def _small(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a picture to `size` pixels at once, so that a sheet never holds all faces at full size."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))
