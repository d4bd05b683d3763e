"""Makes directions that are sums of others: a smile that shows the teeth is a smile without what closes it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.directions.direction import Direction, load_direction
from core.generator import Generator
from core.seeds import SeedSet
from core.settings import Settings

METHOD: Final = "sum"


def combine(seeds: SeedSet, generator: Generator, settings: Settings) -> Direction:
    """Add up the directions that the file of the seeds' expression names (`move.sum`). The seeds only name the expression.

    Raises what `load_direction` does for one that is missing.
    """
    move = seeds.expression.move
    parts = [(steps, load_direction(name, settings, generator)) for name, steps in move.sum.items()]
    step: NDArray[np.float32] = np.zeros((generator.num_ws, generator.w_dim), dtype=np.float32)
    for steps, part in parts:
        step = step + np.float32(steps) * part.step()
    styles: NDArray[np.float32] = np.any(step != 0, axis=1).astype(np.float32)
    moved = [side for side, style in zip(generator.style_resolutions, styles, strict=True) if style]
    provenance: dict[str, Any] = {
        "method": METHOD,
        "task": " ".join(f"{steps:+g} {part.name}" for steps, part in parts),
        "C": None,
        "of": {part.name: part.digest for _, part in parts},
        "sides": [min(moved), max(moved)],
        "weight": 1.0,
        "unit": float(np.linalg.norm(step[styles > 0].mean(axis=0))),  # length in w of the mean over the styles that move
        "generator": generator.name,
        "truncation": seeds.truncation,
        "seeds": [int(seeds.seeds[0]), int(seeds.seeds[-1])],
        "labels": seeds.digest,
    }
    return Direction(move.direction, step, styles, generator.digest, provenance)
