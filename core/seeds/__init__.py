"""The seed set: generated faces labelled with what they express, from which directions are learned.

`egao seeds build` draws and labels them and keeps them in EGAO_HOME/seeds.sqlite3. That file holds no person's data and can
be made again. The labels of seeds 600-2600 also ship for the default generator (see core.weights.parts), so that fitting a
direction needs no drawing.
"""

from __future__ import annotations

from core.seeds.build import build, parse_seeds
from core.seeds.labels import TRUNCATION, SeedSet, labels_part, load_labels, load_seed_set, named_seeds, save_labels
from core.seeds.measure import MEASURES
from core.seeds.table import SeedTable, key_of

__all__ = [
    "MEASURES",
    "TRUNCATION",
    "SeedSet",
    "SeedTable",
    "build",
    "key_of",
    "labels_part",
    "load_labels",
    "load_seed_set",
    "named_seeds",
    "parse_seeds",
    "save_labels",
]  # fmt: skip
