"""The store as a whole. Open it once, use its parts from any thread, or from the event loop through `run`.

store = Store.open(settings)
faces = await store.run(store.faces.of, owner)
await store.aclose()
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from core.errors import BadSetting, ShuttingDown, StoreInUse
from core.settings import Settings
from core.store import backup, erasure, migrations
from core.store.database import Database, Hold
from core.store.erasure import Erased, Expired
from core.store.export import Exporter
from core.store.faces import Faces
from core.store.groups import Groups
from core.store.guilds import Guilds, GuildSettings
from core.store.jobs import Jobs
from core.store.keys import unlock
from core.store.limits import Limits
from core.store.members import Member, Members
from core.store.owner import Owner
from core.store.reports import Reports
from core.store.reserve import make_way
from core.store.vault import Vault

THREADS = 4  # of `run`: enough that reads don't wait behind a write; more would only wait for the same lock

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


class Store:
    """Faces, jobs, members, servers, limits and reports in EGAO_HOME/egao.sqlite3."""

    def __init__(self, database: Database, vault: Vault, hold: Hold, now: Callable[[], float]) -> None:
        """Build the parts. Call `Store.open` instead."""
        self.database, self.vault, self.now = database, vault, now
        self._holds = [hold]
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="egao-store")
        self.faces = Faces(database, vault, now)
        self.groups = Groups(database, vault, now, self.faces)
        self.jobs = Jobs(database, vault, now)
        self.members = Members(database, vault, now)
        self.guilds = Guilds(database, vault, now)
        self.limits = Limits(database, vault, now)
        self.reports = Reports(database, vault, now)
        self._exporter = Exporter(self.faces, self.groups, self.jobs, self.members, self.limits, self.reports)
        self._sweeper = erasure.Sweeper(database, now)

    @classmethod
    def open(cls, settings: Settings, *, now: Callable[[], float] = time.time, exclusive: bool = False) -> Self:
        """Open the store of these settings, creating it and its key on first use; then erase what has expired.

        `exclusive` refuses to share it with other processes (StoreInUse). Raises StoreError classes, and BadSetting for a
        home folder or a key that can't be used. It blocks, so don't call it on the event loop.
        """
        hold = hold_home(settings, exclusive=exclusive)
        make_way(settings.home)  # opening writes too, and erases what has expired
        try:
            database = Database(database_file(settings))
            try:
                store = cls(database, unlock(database, settings), hold, now)
                with database.erasing(thorough=False) as db:
                    migrations.apply_sealed(db, store.vault)
                store.expire()
            except BaseException:
                database.close()
                raise
        except BaseException:
            hold.close()
            raise
        return store

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a method of the store, or any function that uses it, on the store's threads, and return its result.

        Cancelling the wait doesn't cut a transaction short: it is done whole or, if it had not begun, not at all. Raises
        ShuttingDown after `close`.
        """
        try:
            waiting = self._threads.submit(functools.partial(work, *args, **kwargs))
        except RuntimeError:
            raise ShuttingDown from None
        return await asyncio.wrap_future(waiting)

    def close(self) -> None:
        """Let the calls that have begun end, then close. Later use raises ShuttingDown."""
        self._threads.shutdown(wait=True)
        self.database.close()
        while self._holds:
            self._holds.pop().close()

    async def aclose(self) -> None:
        """Call `close` from the event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def alone(self) -> None:
        """Lock the home folder until closed, so that no second bot runs on it, and keep room there for erasures on a full disk.

        Raises StoreInUse if there is one.
        """
        folder = self.database.path.parent
        lock = Hold(folder / "bot.lock", exclusive=True)
        try:
            self._holds.append(Hold(folder, exclusive=True, folder=True))  # who deletes that file by hand lets nobody in
        except StoreInUse:
            lock.close()
            raise
        except OSError as error:
            log.debug("no lock on the folder %s: %s", folder, error.strerror)  # some network file systems have none
        self._holds.append(lock)
        self.database.keep_room()

    def forget(self, owner: Owner) -> Erased:
        """Erase an owner: a member in one server or in direct messages, or the command line."""
        return erasure.forget(self.database, owner)

    def forget_member(self, member_id: int) -> Erased:
        """Erase a member everywhere."""
        return erasure.forget_member(self.database, member_id)

    def forget_guild(self, guild_id: int) -> Erased:
        """Erase a server that the bot has left, with its settings, blocks and counted uses."""
        return erasure.forget_guild(self.database, guild_id, settings_too=True)

    def purge_guild(self, guild_id: int) -> Erased:
        """Erase the faces, requests and reports of a server; its settings, blocks and counted uses stay."""
        return erasure.forget_guild(self.database, guild_id, settings_too=False)

    def forget_source_message(self, *message_ids: int) -> Erased:
        """Erase the faces and requests about the photos in these messages, because they were deleted."""
        return erasure.forget_messages(self.database, *message_ids)

    def forget_channel(self, *channel_ids: int) -> Erased:
        """Erase the faces and requests about photos in these channels, because they were deleted."""
        return erasure.forget_channels(self.database, *channel_ids)

    def known_of(self, guild_id: int | None, member_id: int) -> tuple[GuildSettings, Member]:
        """Read the settings of a server (None: of direct messages) and what is known of a member there."""
        return self.guilds.get(guild_id), self.members.get(member_id)

    def answered_in(self, message_id: int) -> set[Owner]:
        """Find the owners of the answer in a message of the bot's, from kept faces and the last day's requests."""
        here = "select guild_id, member_id from"
        sql = f"{here} faces where message_id = :id union {here} jobs where message_id = :id"
        with self.database.reading() as db:
            return {Owner.of_columns(*row) for row in db.execute(sql, {"id": message_id}).fetchall()}

    def owners(self) -> list[Owner]:
        """List every member of a server of whom something is kept."""
        return erasure.owners(self.database)

    def channels(self) -> list[tuple[int, int]]:
        """List (server, channel or thread) of every photo of which something is kept."""
        return erasure.channels(self.database)

    def expire(self) -> Expired:
        """Erase what has expired. Call it every few minutes."""
        expired = erasure.expire(self.database, self.jobs, self.now())
        self._sweeper.tidy()
        return expired

    def export_member(self, member_id: int, most: int) -> Iterator[bytes]:
        """Yield all that is kept of a member as zips of at most `most` bytes, each made when it is asked for."""
        return self._exporter.of_member(member_id, most)

    def backup(self, path: Path) -> None:
        """Write a checked copy to `path` (mode 0600) while the store is in use. It opens only with the present key.

        Raises BackupUnfit.
        """
        backup.write(self.database, path)

    @staticmethod
    def restore(settings: Settings, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Replace the store by a backup, after checking it, and erase what has expired since.

        Raises StoreInUse, BackupUnfit, WrongKey.
        """
        hold = hold_home(settings, exclusive=True)
        try:
            backup.put_back(settings, path, database_file(settings))
        finally:
            hold.close()
        Store.open(settings, now=now).close()

    def integrity(self) -> list[str]:
        """List what is wrong with the file: structure, references, values that can't be decrypted. Empty if it is sound."""
        return backup.problems(self.database, self.vault)

    def size(self) -> int:
        """Count the bytes on disk, with the WAL."""
        path = self.database.path
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def database_file(settings: Settings) -> Path:
    """Return the path of the store's file."""
    return settings.home / "egao.sqlite3"


def hold_home(settings: Settings, *, exclusive: bool) -> Hold:
    """Lock the home folder, `exclusive` or shared with others. Raises StoreInUse, BadSetting."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Hold(settings.home / "store.lock", exclusive=exclusive)
    except OSError as error:
        raise BadSetting(name="EGAO_HOME", reason=f"{settings.home}: {error.strerror}") from error
