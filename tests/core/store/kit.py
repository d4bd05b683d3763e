"""What the tests of the store share: a clock that stands still, faces to keep, and a search for traces in the file."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.learned import KnownScale, Learned
from core.settings import Settings
from core.store import Owner, PhotoPlace, Store, StoredFace
from core.store.database import Database

GENERATOR = "g" * 64
PHOTO = "ab" * 32
HOUR, DAY = 3600.0, 86_400.0
ALICE, BOB = 0x1A2B_3C4D_5E6F_7081, 0x0F1E_2D3C_4B5A_6978  # as long as Discord's ids, and easy to find in a file
LEARNED = Learned("there").with_scale(KnownScale("smile", "of", (-1.0, 0.0, 1.5), (0.1, 0.3, 0.9), -1.0, -0.9))
SERVER, OTHER_SERVER = 0x1122_3344_5566_7788, 0x2233_4455_6677_8899


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += seconds


def settings_at(home: Path, **more: str) -> Settings:
    return Settings.load({"EGAO_HOME": str(home), **more})


def keep_face(store: Store, owner: Owner, photo: str = PHOTO, **changes: Any) -> StoredFace:
    """Keep a face with a latent and a picture that occur nowhere else."""
    facts: dict[str, Any] = {
        "photo_sha256": photo, "face": 0, "box": (1.0, 2.0, 3.0, 4.0), "quad": ((0, 0), (0, 9), (9, 9), (9, 0)),
        "latent": secrets.token_bytes(3000), "thumbnail": b"\x89PNG" + secrets.token_bytes(500),
        "generator": GENERATOR, "method": "w+", **changes,
    }  # fmt: skip
    return store.faces.add(owner, **facts)


def give_again(store: Store, owner: Owner, message: int, photo: str = PHOTO) -> None:
    """Give the photo of a kept face again, in another message."""
    place = PhotoPlace("http://cdn/again", 9, 3, message_id=message)
    assert store.faces.given_again(owner, photo, 0, place, generator=GENERATOR, method="w+") is not None


def latest(store: Store, owner: Owner) -> StoredFace | None:
    """The face last given or picked."""
    return next(iter(store.faces.of(owner)), None)


def scrub_due(database: Database) -> bool:
    """Whether erased bytes may still be somewhere in the file or its WAL."""
    return database.wal_due or database.vacuum_due


def rows(store: Store, table: str) -> list[dict[str, Any]]:
    with store.database.reading() as db:
        return list(db.query(f"select * from {table}"))


def tables(store: Store) -> list[str]:
    with store.database.reading() as db:
        return db.table_names()


def files(store: Store) -> dict[str, bytes]:
    """The raw database with everything beside it."""
    folder = store.database.path.parent
    return {path.name: path.read_bytes() for path in folder.glob("egao.sqlite3*")}


def traces(store: Store, needles: Mapping[str, bytes | int | str]) -> set[str]:
    """Where, in any value of any table or in the raw files, one of the needles occurs, as "needle in place"."""
    found = set()
    for name, needle in needles.items():
        for table in tables(store):
            for row in rows(store, table):
                found |= {f"{name} in {table}.{column}" for column, value in row.items() if _holds(value, needle)}
        for file, content in files(store).items():
            if any(form in content for form in forms(needle)):
                found.add(f"{name} in {file}")
    return found


def _holds(value: Any, needle: bytes | int | str) -> bool:
    raw = value if isinstance(value, bytes) else str(value).encode()
    return value == needle or any(form in raw for form in forms(needle))


def forms(needle: bytes | int | str) -> list[bytes]:
    """How a value may stand in the file: SQLite writes an integer of this size big-endian in 8 bytes."""
    if isinstance(needle, int):
        return [needle.to_bytes(8, "big"), needle.to_bytes(8, "little"), str(needle).encode()]
    if isinstance(needle, str):
        return [needle.encode(), needle.encode("utf-16-le")]
    return [needle[at : at + 24] for at in range(0, len(needle) - 24, 24)]  # a blob is scattered over pages


@contextlib.contextmanager
def raw(home: Path) -> Iterator[sqlite3.Connection]:
    """The file behind the store's back; each statement is a transaction."""
    with contextlib.closing(sqlite3.connect(home / "egao.sqlite3", isolation_level=None)) as conn:
        yield conn
