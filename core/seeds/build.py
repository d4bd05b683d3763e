"""Draws, labels and stores seeds, a batch at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.emotion import EmotionClassifier
from core.errors import BadSeeds
from core.generator import Generator, seed_w
from core.seeds.measure import measure
from core.seeds.table import SeedTable, key_of

if TYPE_CHECKING:
    from core.faces.landmarks import FaceFinder
    from core.rendering import Renderer

BATCH = 8  # faces per render and transaction; more render no faster on two cores, and lose more when interrupted
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def parse_seeds(text: str) -> list[int]:
    """Parse seeds such as `600-2600` (both ends included), `7`, or several with commas: without repeats, in order.

    Raises BadSeeds for anything else, and for numbers from 2^32.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last >= 2**32:  # RandomState takes 32 bits
            raise BadSeeds(reason=f"{part.strip()!r} is neither a number nor a range such as 600-2600")
        seeds.extend(range(first, last + 1))
    return list(dict.fromkeys(seeds))


def build(
    seeds: Sequence[int],
    truncation: float,
    generator: Generator,
    renderer: Renderer,
    classifier: EmotionClassifier,
    finder: FaceFinder,
    table: SeedTable,
    on_progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Add those of `seeds` that the table lacks, and return how many that was.

    `on_progress` is called after each stored batch with its number of faces. If it is interrupted, stored batches remain.
    """
    set_id = table.set_id(generator.name, key_of(generator), truncation)
    todo = table.missing(set_id, seeds)
    for start in range(0, len(todo), BATCH):
        batch = todo[start : start + BATCH]
        w = seed_w(generator, batch, truncation)
        images = renderer.images(generator.broadcast(w))
        table.add(set_id, measure(batch, images, classifier, finder), w.cpu().numpy().astype(np.float32))
        on_progress(len(batch))
    return len(todo)
