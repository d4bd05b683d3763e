"""Backups of the store: written while it is in use, checked before they count, restored atomically.

A backup is encrypted like the store itself; keep the key elsewhere, or it is worth nothing. What members erase remains in
older backups: keep none for longer than the longest retention.
"""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import sqlite_utils

from core.errors import BackupUnfit, StoreNewer
from core.settings import Settings
from core.store import migrations
from core.store.database import Database
from core.store.keys import choose, read_keys, sync_folder
from core.store.vault import Unopened, Vault


def write(database: Database, path: Path) -> None:
    """Copy the store to `path` and check the copy; until then an older file there stays. Raises BackupUnfit, StoreError."""
    with _fresh(path) as fresh:
        with database.reading() as db:
            _copy(db.conn, fresh)
        with _opened(fresh) as conn:
            _refuse_unsound(conn, path)
        fresh.replace(path)
    sync_folder(path.parent)


def put_back(settings: Settings, path: Path, target: Path) -> None:
    """Replace the store at `target` by the copy at `path`, if it is sound and a key of the settings opens it.

    Raises BackupUnfit, StoreNewer, WrongKey, BadSetting, KeyExposed.
    """
    if not path.is_file():
        raise BackupUnfit(path=path, reason="there is no such file")
    with _fresh(target) as fresh:
        with _opened(path) as conn:
            _refuse_unsound(conn, path)
            row = conn.execute("select value from checks where id = 1").fetchone()
            if row is not None:
                choose(row[0], read_keys(settings, create=False), path)
            _copy(conn, fresh)
        # The old WAL belongs to the old file; left beside the new one it would be taken for the new one's.
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
        fresh.replace(target)
    sync_folder(target.parent)


def problems(database: Database, vault: Vault) -> list[str]:
    """List what is wrong with the store, in words; empty if it is sound."""
    with database.reading() as db:
        return _structure(db.conn) + _unopened(db, vault)


def _structure(conn: sqlite3.Connection) -> list[str]:
    said = [row[0] for row in conn.execute("pragma integrity_check") if row[0] != "ok"]
    dangling = conn.execute("pragma foreign_key_check").fetchall()
    return said + [f"{row[0]} row {row[1]} points at nothing in {row[2]}" for row in dangling]


def _unopened(db: sqlite_utils.Database, vault: Vault) -> list[str]:
    bad = []
    for table, columns in migrations.SEALED.items():
        for column in columns:
            bound = ", ".join(("id", *migrations.BOUND[table], column))
            for row in db.query(f"select {bound} from {table} where {column} is not null"):
                try:
                    vault.open(row[column], migrations.place(table, column, row))
                except Unopened as error:
                    bad.append(str(error))
    return bad


def _refuse_unsound(conn: sqlite3.Connection, path: Path) -> None:
    """Check that a file can take the place of the store. Raises BackupUnfit, StoreNewer."""
    try:
        if conn.execute("pragma application_id").fetchone()[0] != migrations.APPLICATION_ID:
            raise BackupUnfit(path=path, reason="it is not a store of egao")
        if said := _structure(conn):
            raise BackupUnfit(path=path, reason=said[0])
        # egao's store has no triggers or views: a trigger in a copy could keep erased data
        if conn.execute("select 1 from sqlite_master where type not in ('table', 'index')").fetchone():
            raise BackupUnfit(path=path, reason="it holds statements of its own")
        applied = {row[0] for row in conn.execute("select name from _sqlite_migrations where migration_set = 'egao'")}
    except sqlite3.Error as error:
        raise BackupUnfit(path=path, reason=str(error)) from error
    if unknown := applied - set(migrations.names()):
        raise StoreNewer(path=path, found=max(unknown))


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """Copy the store, as it is at one moment, into one file. Raises BackupUnfit."""
    copy = sqlite3.connect(path)
    try:
        source.backup(copy)
        copy.execute("pragma journal_mode = delete")  # one file, with nothing beside it
    except sqlite3.Error as error:
        raise BackupUnfit(path=path, reason=str(error)) from error
    finally:
        copy.close()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # immutable: a copy on a read-only medium opens too, and nothing is written beside it
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        yield conn
    finally:
        conn.close()


@contextlib.contextmanager
def _fresh(path: Path) -> Iterator[Path]:
    """Create a private empty file beside `path` and yield its path. It is deleted at the end unless it was renamed.

    Raises BackupUnfit if it can't be created.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise BackupUnfit(path=path, reason=error.strerror) from error
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)
