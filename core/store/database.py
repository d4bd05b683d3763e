"""One SQLite file, safe to use from any thread.

One connection writes, under a lock, in `begin immediate` transactions: no thread sees half of another's change, and another
process is waited for at most `BUSY_SECONDS`. Each read uses a connection of its own and sees a snapshot; it never waits for a
write (WAL). All are blocks:

    with database.writing() as db: db.table("faces").insert(row)
    with database.reading() as db: rows = list(db.query("select …"))
    with database.erasing() as db: db.execute("delete …")

synchronous=FULL: what a finished `writing()` block wrote survives a power cut. secure_delete: erased bytes are overwritten.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlite_utils

from core.errors import (
    BadSetting,
    EgaoError,
    ShuttingDown,
    StoreBusy,
    StoreDamaged,
    StoreInUse,
    StoreNewer,
    StoreUnwritable,
)
from core.store import migrations
from core.store.reserve import Reserve

BUSY_SECONDS = 5.0  # how long another process's write is waited for
IDLE_READERS = 4  # reading connections kept open between uses
QUICK_BYTES = 32 * 2**20  # a store up to this size is vacuumed at each erasure (0.2 s); a larger one by the sweep
TOGETHER_SECONDS = 1.0  # how long wiped values may stay in the WAL while one wiping follows another: emptying it is three syncs
SCRUB_TRIES = 2  # of BUSY_SECONDS each, to find a moment without readers
FIRST_TIME = 1_767_225_600.0  # 2026-01-01, before the first release: a clock that says less is wrong
NUMBERS_A_SECOND = 1000  # more than the rows of a table ever made in one, else numbers would run ahead of the time
# The header's user_version is free for use: kept in the transaction that erased, it outlives a crash before the vacuum.
_CLEAN, _VACUUM_DUE = 0, 1

log = logging.getLogger(__name__)


class Database:
    """The SQLite file `path`: created if missing (mode 0600), and migrated to the present version when opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()  # re-entrant: a writing block inside another joins it
        self._readers: list[sqlite_utils.Database] = []
        self._closed = False
        self._counting = threading.Lock()
        self._wipers = 0  # blocks that wipe at once and are open, or wait for the lock
        self._emptied = 0.0  # when the WAL was last emptied (time.monotonic())
        self._reserve: Reserve | None = None
        self.wal_due = True  # erased bytes may still be in the WAL; at first those of a killed process
        with self._translated():
            _make_private(path)
            self._writer = self._connect()
            try:
                self._migrate()
            except BaseException:
                self._writer.close()
                raise

    def keep_room(self) -> None:
        """Keep some of the disk for `erasing`, so that it works on a full one."""
        self._reserve = Reserve(self.path.parent)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite_utils.Database]:
        """Open a transaction: all of the outermost block is written or, if that raises, nothing.

        A block inside another joins it: what it wrote before an error that the outer one catches is written. Waits for the
        blocks of other threads, and BUSY_SECONDS for other processes. Raises StoreBusy, StoreUnwritable, StoreDamaged;
        BadSetting if the file can't be opened; ShuttingDown after `close`.
        """
        with self._lock, self._translated():
            self._check_open()
            if self._writer.conn.in_transaction:
                yield self._writer
                return
            self._writer.conn.execute("begin immediate")
            try:
                yield self._writer
                self._writer.conn.execute("commit")
            except BaseException:
                self._writer.conn.rollback()
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite_utils.Database]:
        """Open a snapshot to read from. It doesn't see uncommitted changes of a `writing()` block around it.

        Raises StoreError classes, BadSetting, ShuttingDown.
        """
        self._check_open()
        with self._translated():
            try:
                db = self._readers.pop()
            except IndexError:
                db = self._connect()
                db.conn.execute("pragma query_only = on")
            db.conn.execute("begin")
            try:
                yield db
            finally:
                db.conn.rollback()
                self._put_back(db)

    @contextlib.contextmanager
    def wiping(self, *, at_once: bool = True) -> Iterator[sqlite_utils.Database]:
        """Open a `writing()` block that empties values: those are overwritten, and leave the WAL too.

        `at_once` (some 10 ms), unless somebody reads at that moment or the disk is full; else with the next block of this kind
        or the next sweep. Nobody is waited for. Of several blocks that wait for each other, the last one does it for all, but
        none later than TOGETHER_SECONDS.
        """
        self._count_wipers(int(at_once))
        with self._lock:
            try:
                with self.writing() as db:
                    before = db.conn.total_changes
                    yield db
                    self.wal_due |= db.conn.total_changes > before
            finally:
                others = self._count_wipers(-int(at_once))
            late = time.monotonic() - self._emptied > TOGETHER_SECONDS
            if self.wal_due and at_once and (late or not others):
                self.wal_due = not self._truncate_wal_at_once()

    def _count_wipers(self, change: int) -> int:
        with self._counting:
            self._wipers += change
            return self._wipers

    @contextlib.contextmanager
    def erasing(self, *, thorough: bool = True) -> Iterator[sqlite_utils.Database]:
        """Open a `writing()` block after which all that it deleted is overwritten in the file and gone from the WAL.

        If not `thorough`, or if the file is larger than QUICK_BYTES, the vacuum is left to a later `scrub`, so that nobody
        waits for it. A block that changes nothing costs nothing.
        """
        with self._lock, self._reserve.given() if self._reserve else contextlib.nullcontext():
            with self.writing() as db:
                before = db.conn.total_changes
                yield db
                erased = db.conn.total_changes > before
                if erased:
                    db.execute(f"pragma user_version = {_VACUUM_DUE}")
            if erased:
                self.scrub(vacuum=thorough and self._bytes() <= QUICK_BYTES)

    def scrub(self, *, vacuum: bool) -> bool:
        """Empty the WAL into the file and, with `vacuum`, rewrite the file. False if readers or a full disk prevent it.

        secure_delete zeroes a freed cell, but a page that was split may keep stale copies of rows that moved away (seen in
        one of fifty erasures). Only a vacuum, 0.7 s for 100 MB, surely leaves none. What was prevented stays due (`wal_due`,
        `vacuum_due`) for the next scrub.
        """
        with self._lock:
            self._check_open()
            assert not self._writer.conn.in_transaction
            whole = not vacuum or self._tried(self._vacuum)
            clean = self._tried(lambda: any(self._truncate_wal() for _ in range(SCRUB_TRIES)))  # also what a vacuum left there
            self.wal_due = not clean
            return whole and clean

    def _tried(self, work: Callable[[], bool]) -> bool:
        """Do a part of `scrub`; False if it could not be done."""
        try:
            return work()
        except sqlite3.OperationalError as error:
            log.warning("the store could not be scrubbed, will try again: %s", error)
            return False

    def _vacuum(self) -> bool:
        self._writer.conn.execute("vacuum")
        self._writer.conn.execute(f"pragma user_version = {_CLEAN}")
        return True

    @property
    def vacuum_due(self) -> bool:
        """Whether stale copies of erased rows may still be in the file."""
        with self.reading() as db:
            return bool(db.execute("pragma user_version").fetchone()[0] == _VACUUM_DUE)

    def close(self) -> None:
        """Wait for the write in progress, empty the WAL and close. Later use raises ShuttingDown."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            while self._readers:
                self._readers.pop().close()
            with contextlib.suppress(sqlite3.OperationalError):
                self._truncate_wal()
            self._writer.close()

    def _bytes(self) -> int:
        pages, size = (self._writer.conn.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(pages * size)

    def _truncate_wal(self) -> bool:
        busy, _, _ = self._writer.conn.execute("pragma wal_checkpoint(truncate)").fetchone()
        if not busy:
            self._emptied = time.monotonic()
        return not busy

    def _truncate_wal_at_once(self) -> bool:
        """Empty the WAL if that can be done without waiting: a member's answer hangs on it. False if it can't."""
        if self._writer.conn.in_transaction:  # within somebody else's block
            return False
        self._writer.conn.execute("pragma busy_timeout = 0")
        try:
            return self._truncate_wal()
        except sqlite3.OperationalError as error:
            log.warning("the WAL could not be emptied, will try again: %s", error)
            return False
        finally:
            self._writer.conn.execute(f"pragma busy_timeout = {round(1000 * BUSY_SECONDS)}")

    def _check_open(self) -> None:
        """Raise ShuttingDown after `close`."""
        if self._closed:
            raise ShuttingDown

    def _connect(self) -> sqlite_utils.Database:
        conn = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "secure_delete = on"):
                conn.execute(f"pragma {pragma}")
        except BaseException:
            conn.close()
            raise
        return sqlite_utils.Database(conn, recursive_triggers=False, execute_plugins=False)

    def _put_back(self, db: sqlite_utils.Database) -> None:
        # A reader that outlived close() is closed here; list.append and pop are atomic, a surplus does no harm.
        if self._closed or len(self._readers) >= IDLE_READERS:
            db.close()
        else:
            self._readers.append(db)

    def _migrate(self) -> None:
        found = self._writer.conn.execute("pragma application_id").fetchone()[0]
        if found != migrations.APPLICATION_ID and self._writer.table_names():
            raise StoreDamaged(path=self.path, reason="it is a file of another program")
        # Taken whole and immediately, so that of two processes starting at once the second finds the work done.
        with self.writing() as db:
            applied = {step.name for step in migrations.steps.applied(db)}
            if unknown := applied - set(migrations.names()):
                raise StoreNewer(path=self.path, found=max(unknown))
            migrations.steps.apply(db)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise SQLite's errors within the block as those of `told`, and those of the file as BadSetting."""
        try:
            yield
        except sqlite3.Error as error:
            raise told(error, self.path) from error
        except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
            raise BadSetting(name="EGAO_HOME", reason=f"{error.strerror}: {error.filename}") from error


def told(error: sqlite3.Error, path: Path) -> Exception:
    """Translate SQLite's error into one for a person. Others, such as wrong SQL, are returned as they are."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code, without its details
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(path=path)
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StoreUnwritable(path=path, reason=str(error))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(path=path, reason=str(error))
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return BadSetting(name="EGAO_HOME", reason=f"{path}: {error}")
    return error


def insert(db: sqlite_utils.Database, table: str, row: Mapping[str, Any]) -> None:
    """Insert a row by the names of its columns. sqlite-utils would first ask for the whole schema, which takes milliseconds."""
    db.execute(f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608 - names of our own


def next_id(db: sqlite_utils.Database, table: str, now: float) -> int:
    """Choose the id of a table's next row, which is needed before the row exists to encrypt its values. `now` is in Unix seconds.

    An id is never used twice, so that an old button finds nothing rather than somebody's newer face. The table alone can't
    ensure that, because an older backup may have replaced it. So ids follow the time.
    """
    row = db.execute("select seq from sqlite_sequence where name = ?", [table]).fetchone()
    return max((row[0] if row else 0) + 1, int((now - FIRST_TIME) * NUMBERS_A_SECOND))


class Hold:
    """An advisory lock on a file, or on a `folder`, held until closed or until the process ends in any way."""

    def __init__(self, path: Path, *, exclusive: bool, folder: bool = False, failed: EgaoError | None = None) -> None:
        """Take the lock, and make its file if there is none.

        If another process holds it, raises `failed` or, if that is None, StoreInUse. Raises OSError.
        """
        self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY if folder else os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            if isinstance(error, BlockingIOError):
                raise failed or StoreInUse(path=path if folder else path.parent) from None
            raise

    def close(self) -> None:
        os.close(self._handle)


def _make_private(path: Path) -> None:
    """Create the file for its owner only, before SQLite writes to it; its -wal and -shm get the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
