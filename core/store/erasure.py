"""Erases people, servers and what has expired. Every function is one transaction, after which the file is scrubbed.

Two things outlive the erasure of a member, because else erasing oneself would lift a block or refill a quota: blocks, and the
counted uses of the last 24 hours. Neither holds the member's id in plain text (see `members.py`, `limits.py`).
"""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlite_utils

from core.store.database import FIRST_TIME, Database
from core.store.jobs import KEEP_SECONDS, Jobs
from core.store.limits import DAY
from core.store.owner import NOBODY, Owner

MEMBER_SECONDS = 365 * DAY  # a consent that was not used for a year is asked for again
REPORT_SECONDS = 30 * DAY
VACUUM_SECONDS = 300.0  # least time between two vacuums of the sweep: each writes the whole file
VACUUM_SHARE = 0.005  # most of the time that they may keep other writes waiting

PERSONAL = ("faces", "jobs", "reports")


class Erased(NamedTuple):
    """How many faces and jobs were erased, and the ids of the unfinished jobs among them, which are to be stopped."""

    faces: int = 0
    jobs: int = 0
    job_ids: tuple[int, ...] = ()


class Expired(NamedTuple):
    """What a sweep erased."""

    faces: int
    jobs: int  # rows that had ended long ago
    lapsed: tuple[int, ...]  # jobs that waited too long and failed; their members must be told
    members: int
    reports: int


def forget(database: Database, owner: Owner) -> Erased:
    """Erase a member in one server or in direct messages, with what others there made of the member's photos.

    The consent is erased too if nothing of the member's is left anywhere.
    """
    guild, member = owner.columns
    with database.erasing() as db:
        erased = _erase(db, "guild_id = :guild", guild=guild, member=member)
        left = " union all ".join(f"select 1 from {table} where member_id = :member" for table in PERSONAL)
        db.execute(f"delete from members where member_id = :member and not exists ({left})", {"member": member})
    return erased


def forget_member(database: Database, member_id: int) -> Erased:
    """Erase a member everywhere, with consent and preferences, and what others made of the member's photos."""
    assert member_id != NOBODY
    with database.erasing() as db:
        db.execute("delete from members where member_id = ?", [member_id])
        return _erase(db, "true", member=member_id)


def forget_guild(database: Database, guild_id: int, *, settings_too: bool) -> Erased:
    """Erase the faces, jobs and reports of a server. With `settings_too` also its settings, blocks and counted uses."""
    assert guild_id != NOBODY
    with database.erasing() as db:
        for table in ("blocks", "uses", "guilds") if settings_too else ():
            db.execute(f"delete from {table} where guild_id = ?", [guild_id])
        return _erase(db, "guild_id = :guild", guild=guild_id)


def forget_messages(database: Database, *message_ids: int) -> Erased:
    """Erase the faces whose photos were in these messages, and the jobs about them, because the messages were deleted."""
    return _forget_sources(database, "message_id", "source_message_id", message_ids)


def forget_channels(database: Database, *channel_ids: int) -> Erased:
    """Erase the faces and jobs from these channels, because the channels were deleted with all their messages."""
    return _forget_sources(database, "channel_id", "channel_id", channel_ids)


def _forget_sources(database: Database, of_source: str, of_job: str, ids: Sequence[int]) -> Erased:
    marks = ", ".join("?" for _ in ids)
    in_faces, in_jobs = f"select face_id from sources where {of_source} in ({marks})", f"{of_job} in ({marks})"
    with database.reading() as db:  # most deleted messages have no data here: not worth waiting for the writer
        if not db.execute(f"{in_faces} union all select id from jobs where {in_jobs}", [*ids, *ids]).fetchone():
            return Erased()
    with database.erasing() as db:
        running = _unfinished(db, in_jobs, list(ids))
        faces = db.execute(f"delete from faces where id in ({in_faces})", list(ids)).rowcount
        jobs = db.execute(f"delete from jobs where {in_jobs}", list(ids)).rowcount
        return Erased(faces, jobs, running)


def owners(database: Database) -> list[Owner]:
    """List every member of a server of whom something is kept, with the server; also authors of photos of kept faces."""
    tables = " union ".join(f"select guild_id, member_id from {table}" for table in PERSONAL)
    tables += " union select guild_id, author_id from faces join sources on face_id = id where author_id is not null"
    sql = f"select guild_id, member_id from ({tables}) where guild_id != ? and member_id != ? order by 1, 2"
    with database.reading() as db:
        return [Owner.of_columns(*row) for row in db.execute(sql, [NOBODY, NOBODY]).fetchall()]


def channels(database: Database) -> list[tuple[int, int]]:
    """List (server, channel or thread) of every photo of which something is kept, without direct messages."""
    sql = """
        select guild_id, sources.channel_id from sources join faces on faces.id = face_id where sources.channel_id is not null
        union select guild_id, channel_id from jobs where channel_id is not null
    """
    with database.reading() as db:
        return [(guild, channel) for guild, channel in db.execute(sql).fetchall() if guild != NOBODY]


def expire(database: Database, jobs: Jobs, now: float) -> Expired:
    """Erase what has expired: faces, requests and tokens, ended jobs, uses, reports, members long unseen."""
    pull_back(database, now)
    with database.erasing(thorough=False) as db:
        lapsed = jobs.lapse(db)
        db.execute("update jobs set request = null, checkpoint = null where request is not null and expires <= ?", [now])
        db.execute("update jobs set token = null where token is not null and token_expires <= ?", [now])
        db.execute("delete from uses where at <= ?", [now - DAY])
        return Expired(
            faces=db.execute("delete from faces where expires <= ?", [now]).rowcount,
            jobs=db.execute("delete from jobs where finished <= ?", [now - KEEP_SECONDS]).rowcount,
            lapsed=tuple(lapsed),
            members=db.execute("delete from members where seen <= ?", [now - MEMBER_SECONDS]).rowcount,
            reports=db.execute("delete from reports where created <= ?", [now - REPORT_SECONDS]).rowcount,
        )


def pull_back(database: Database, now: float) -> None:
    """Move times in the future to now, after a clock that ran ahead was corrected: else their rows would be kept until then."""
    if now < FIRST_TIME:  # a clock without a battery, until the network puts it right: then all of this would run out
        return
    with database.reading() as db:  # hardly ever is there any: not worth waiting for the writer
        ahead = [table for table, moment, _ in _MOMENTS if _later(db, table, moment, now)]
    if not ahead:
        return
    with database.writing() as db:
        for table, moment, ends in _MOMENTS:
            moved = "".join(f", {end} = {end} - ({moment} - :now)" for end in ends)
            db.execute(f"update {table} set {moment} = :now{moved} where {moment} > :now", {"now": now})


# The times in each row, with the columns that lie a span after each. Not a face's `chosen`: it is an order.
_MOMENTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("faces", "created", ("expires",)), ("faces", "last_used", ()),
    ("jobs", "created", ("expires", "token_expires")), ("jobs", "started", ("lease",)), ("jobs", "finished", ()),
    ("members", "seen", ()), ("members", "consent_at", ()), ("blocks", "at", ()), ("uses", "at", ()),
    ("reports", "created", ()), ("guilds", "changed", ()),
)  # fmt: skip


def _later(db: sqlite_utils.Database, table: str, moment: str, now: float) -> bool:
    return db.execute(f"select 1 from {table} where {moment} > ? limit 1", [now]).fetchone() is not None


class Sweeper:
    """Does what erasures left due: it empties the WAL after each sweep, and vacuums the file at longer intervals."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._last = -VACUUM_SECONDS
        self._pause = VACUUM_SECONDS

    def tidy(self) -> None:
        """Vacuum if that is due and enough time has passed since the last one; else only empty the WAL."""
        waited = abs(self._now() - self._last) >= self._pause  # abs: the clock may have been set back
        if waited and self._database.vacuum_due:
            began = time.monotonic()
            if self._database.scrub(vacuum=True):
                self._last = self._now()
                self._pause = max(VACUUM_SECONDS, (time.monotonic() - began) / VACUUM_SHARE)
        elif self._database.wal_due:
            self._database.scrub(vacuum=False)


def _erase(db: sqlite_utils.Database, where: str, *, guild: int = NOBODY, member: int | None = None) -> Erased:
    """Delete the rows `where` holds: of everybody, or, with a `member`, of that member and made of that member's photos."""
    facts: dict[str, int | None] = {"guild": guild, "member": member}
    of = dict.fromkeys(PERSONAL, where)
    if member is not None:
        of = dict.fromkeys(PERSONAL, f"({where}) and member_id = :member")
        of["faces"] = f"({where}) and (member_id = :member or id in (select face_id from sources where author_id = :member))"
        of["jobs"] = f"({where}) and (member_id = :member or author_id = :member)"
    running = _unfinished(db, of["jobs"], facts)
    counts = {table: db.execute(f"delete from {table} where {of[table]}", facts).rowcount for table in PERSONAL}
    return Erased(counts["faces"], counts["jobs"], running)


def _unfinished(db: sqlite_utils.Database, where: str, facts: Sequence[int] | dict[str, int | None]) -> tuple[int, ...]:
    rows = db.execute(f"select id from jobs where finished is null and {where}", facts)
    return tuple(row[0] for row in rows.fetchall())
