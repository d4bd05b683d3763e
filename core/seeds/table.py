"""The table of labelled seeds: SQLite in WAL mode with numbered migrations.

A set belongs to one generator at one truncation, and to one class of a generator with labels; a seed appears once in a set.
Rows are only added, a batch at a time in one transaction, so an interrupted build is continued by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database, Migrations

from core.emotion import EMOTIONS
from core.expressions import Expression
from core.generator.protocol import Generator, class_of
from core.seeds.measure import MEASURES, Measured, score_of
from core.settings import Settings

FILE = "seeds.sqlite3"
POSE = ("yaw", "pitch", "roll")

migrations = Migrations("seeds")


@migrations(name="001_sets_and_seeds")
def _sets_and_seeds(db: Database) -> None:
    """Create the tables of sets and of seeds: latents, probabilities, pose, measures and blendshapes.

    `w` is little-endian float32; `digest` is what `key_of` tells.

    The column `smile` is left from versions with one expression; nothing reads it, since blendshapes give every score.
    """
    sets = {"id": int, "generator": str, "digest": str, "truncation": float}
    db.table("sets").create(sets, pk="id", not_null=set(sets))
    db.table("sets").create_index(["digest", "truncation"], unique=True)
    scores = dict.fromkeys((*EMOTIONS, "smile", *POSE, *MEASURES), float)
    columns = {"set_id": int, "seed": int, "w": bytes, **scores, "landmarks": bytes, "blendshapes": str}
    db.table("seeds").create(
        columns,
        pk=("set_id", "seed"),
        foreign_keys=[("set_id", "sets", "id")],
        not_null={"set_id", "seed", "w", *EMOTIONS},
    )


def key_of(generator: Generator) -> str:
    """Name what a generator's seeds belong to: its digest, with the class that it draws unless that is the first."""
    label = class_of(generator)
    return f"{generator.digest}-{label}" if label else generator.digest


class SeedTable:
    """The table, for one thread. Open it with `SeedTable.open(settings)` and use it as a context manager."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = Database(path)
        self._db.enable_wal()
        self._db.execute("PRAGMA foreign_keys = ON")
        migrations.apply(self._db)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the table in EGAO_HOME, created if it is missing."""
        return cls(settings.home / FILE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def set_id(self, name: str, key: str, truncation: float) -> int:
        """Return the id of the set of a generator (its name, its `key_of`) at a truncation, created if it is new."""
        row = {"generator": name, "digest": key, "truncation": truncation}
        self._db.table("sets").insert(row, ignore=True)
        found = self._find(key, truncation)
        assert found is not None
        return found

    def _find(self, key: str, truncation: float) -> int | None:
        rows = self._db.query("select id from sets where digest = ? and truncation = ?", [key, truncation])
        return next((int(row["id"]) for row in rows), None)

    def missing(self, set_id: int, seeds: Iterable[int]) -> list[int]:
        """List those of `seeds` that the set lacks, in the order given."""
        known = {row["seed"] for row in self._db.query("select seed from seeds where set_id = ?", [set_id])}
        return [seed for seed in seeds if seed not in known]

    def add(self, set_id: int, rows: Sequence[Measured], ws: NDArray[np.float32]) -> None:
        """Write rows with their latents w [N, w_dim] in one transaction."""
        assert len(rows) == len(ws), (len(rows), len(ws))
        records = [_record(set_id, row, w) for row, w in zip(rows, ws, strict=True)]
        self._db.table("seeds").insert_all(records, replace=True)

    def columns(self, key: str, truncation: float, expression: Expression) -> dict[str, NDArray[Any]] | None:
        """Read all labels of a set as arrays, ordered by seed; None if it has no seeds.

        Keys: `seeds` int64 [N], `w` float32 [N,w_dim], `probabilities` float32 [N,7], `score` of the expression float32 [N],
        `pose` float32 [N,3], `measures` float32 [N,6]. NaN where no face was found.
        """
        names = (*EMOTIONS, *POSE, *MEASURES)
        listed = ", ".join(names)
        sql = f"select seed, w, blendshapes, {listed} from seeds where set_id = ? order by seed"  # noqa: S608  # our own names
        rows = list(self._db.query(sql, [self._find(key, truncation)]))
        if not rows:
            return None
        values = np.array([[row[name] for name in names] for row in rows], dtype=np.float32)
        parts = np.split(values, np.cumsum([len(EMOTIONS), len(POSE)]), axis=1)
        return {
            "seeds": np.array([row["seed"] for row in rows], dtype=np.int64),
            "w": np.stack([np.frombuffer(row["w"], dtype="<f4") for row in rows]),
            "probabilities": parts[0],
            "score": np.array([score_of(json.loads(row["blendshapes"] or "{}"), expression) for row in rows], np.float32),
            "pose": parts[1],
            "measures": parts[2],
        }


def _record(set_id: int, row: Measured, w: NDArray[np.float32]) -> dict[str, Any]:
    scores = [*row.probabilities, *row.pose, *row.measures]
    names = (*EMOTIONS, *POSE, *MEASURES)
    return {
        "set_id": set_id,
        "seed": row.seed,
        "w": w.astype("<f4").tobytes(),
        **{name: _number(score) for name, score in zip(names, scores, strict=True)},
        "landmarks": None if row.landmarks is None else row.landmarks.astype("<f2").tobytes(),
        "blendshapes": json.dumps(row.blendshapes) if row.blendshapes else None,
    }


def _number(score: float) -> float | None:
    """Convert a label for SQLite, which has no NaN: None for NaN, else four decimals, which is all that labels hold."""
    return None if np.isnan(score) else round(float(score), 4)
