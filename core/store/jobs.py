"""Jobs: a row is written before the work starts, so that no accepted request is forgotten, whatever stops the process.

    queued -> running -> done | failed | cancelled        (running -> queued: requeue, recover)

Two events are distinguished: a job is finished (`finish`: the work is over) and told (`told`: the member has the answer).
Each succeeds for one caller only, and jobs finished but not told are returned again at the next start, so an answer is
neither lost nor given twice. A photo is never part of a request; ids to fetch it again, or a latent, are. Requests, tokens
and checkpoints are encrypted, and wiped once the member was told.
"""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import sqlite_utils

from core.errors import Blocked, StoreDamaged
from core.errors.base import Fact
from core.store.database import Database, insert, next_id
from core.store.guilds import GuildSettings, retention_seconds
from core.store.job import STATES, Ending, Job, Recovered, State
from core.store.limits import Limits
from core.store.members import is_blocked
from core.store.owner import NOBODY, Owner
from core.store.part import Part, in_row, member_index
from core.store.vault import Vault

log = logging.getLogger(__name__)

LEASE_SECONDS = 600.0  # of work without a word, before the job counts as abandoned
KEEP_SECONDS = 86_400.0  # a request is kept no longer than this, done or not
_SEALED = ("request", "token", "checkpoint")


class Jobs(Part):
    """The jobs: creates them and changes their state."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], float]) -> None:
        super().__init__(database, vault, now)
        self._holder = secrets.token_hex(8)  # tells the jobs that this process runs from an earlier one's

    def create(
        self,
        owner: Owner,
        kind: str,
        request: bytes,
        *,
        once: str | None = None,
        limits: GuildSettings | None = None,
        token: str | None = None,
        token_expires: float | None = None,
        channel_id: int | None = None,
        message_id: int | None = None,
        source_message_id: int | None = None,
        author_id: int | None = None,
        max_attempts: int = 3,
    ) -> Job | None:
        """Accept a request as a new job. None if one with the same `once` was accepted before: the same event came twice.

        `author_id` is who posted the photo; it is noted unless that is the owner. With `limits`, a use is counted in the same
        transaction, which may raise CoolingDown or QuotaSpent. Raises Blocked.
        """
        with self.database.writing() as db:
            if once is not None and db.execute("select 1 from jobs where once = ?", [once]).fetchone():
                return None
            self._refuse_blocked(db, owner)
            number, now = next_id(db, "jobs", self.now()), self.now()
            guild, member = owner.columns
            span = retention_seconds(db, owner)
            mine = in_row(owner, number)
            row = {
                "id": number, "guild_id": guild, "member_id": member, "kind": kind, "state": "queued", "once": once,
                "request": self._seal(request, "jobs", "request", mine),
                "token": None if token is None else self._seal(token.encode(), "jobs", "token", mine),
                "token_expires": token_expires, "attempts": 0, "max_attempts": max_attempts,
                "channel_id": channel_id, "message_id": message_id, "source_message_id": source_message_id,
                "author_id": None if author_id == owner.member_id else author_id,
                "created": now, "expires": now + min(KEEP_SECONDS, span or KEEP_SECONDS), "told": 0,
            }  # fmt: skip
            insert(db, "jobs", row)
            if limits is not None:
                Limits(self.database, self.vault, self.now).take(owner, limits, number)
            return self._one(db, number)

    def claim(
        self,
        job_id: int | None = None,
        *,
        lease_seconds: float = LEASE_SECONDS,
        channel_id: int | None = None,
        message_id: int | None = None,
    ) -> Job | None:
        """Begin work on a queued job, or (None) on the oldest one. None if it isn't queued any more.

        The ids are of the message that the answer is written in; None leaves what was noted.
        """
        which = "id = :id" if job_id is not None else "id = (select min(id) from jobs where state = 'queued')"
        sql = (
            "update jobs set state = 'running', attempts = attempts + 1, holder = :holder, started = :now, lease = :lease, "
            "channel_id = coalesce(:channel, channel_id), message_id = coalesce(:message, message_id) "
            f"where state = 'queued' and {which} returning id"
        )
        facts = {"id": job_id, "holder": self._holder, "now": self.now(), "lease": self.now() + lease_seconds}
        facts |= {"channel": channel_id, "message": message_id}
        with self.database.writing() as db:
            claimed = db.execute(sql, facts).fetchall()
            return self._one(db, claimed[0][0]) if claimed else None

    def renew(self, job_id: int, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Extend the lease of a running job. False if it was cancelled or erased meanwhile: then the work must stop."""
        return self._running(job_id, {"lease": self.now() + lease_seconds})

    def checkpoint(self, job_id: int, blob: bytes | None) -> bool:
        """Keep the progress of a running job for after a restart. False as for `renew`."""
        with self.database.writing() as db:
            sealed = None if blob is None else self._sealed(db, job_id, "checkpoint", blob)
            return self._running(job_id, {"checkpoint": sealed})

    def worked(self, job_id: int, blob: bytes) -> bool:
        """Note that the work is over but its answer not yet given; `blob` is the checkpoint that says so. False as for `renew`.

        A later failure isn't the work's fault, so this doesn't count as an attempt.
        """
        sql = "update jobs set checkpoint = ?, attempts = max(attempts - 1, 0) where id = ? and state = 'running'"
        with self.database.writing() as db:
            return db.execute(sql, [self._sealed(db, job_id, "checkpoint", blob), job_id]).rowcount > 0

    def requeue(self, job_id: int, *, counted: bool = False) -> bool:
        """Put a running job back into the queue, as at a shutdown. Unless `counted`, it doesn't use up an attempt.

        False if it doesn't run.
        """
        sql = (
            "update jobs set state = 'queued', lease = null, holder = null, attempts = max(attempts - ?, 0) "
            "where id = ? and state = 'running'"
        )
        with self.database.writing() as db:
            return db.execute(sql, [0 if counted else 1, job_id]).rowcount > 0

    def finish(
        self,
        job_id: int,
        state: Ending = "done",
        *,
        error: str | None = None,
        facts: Mapping[str, Fact] | None = None,
        refund: bool = False,
        told: bool = False,
    ) -> bool:
        """End a job, queued or running. True only for the call that ended it.

        `error` and `facts` are an EgaoError's code and facts, kept until the member was told. `refund` gives the counted use
        back, when the failure was not the member's. `told` means that the member knows already.
        """
        with self.database.wiping(at_once=told) as db:  # else `told` follows
            if not self._end(db, "id = :id", {"id": job_id}, state, error, facts):
                return False
            if refund:
                _refund(db, [job_id])
            if told:
                _wipe(db, job_id)
            return True

    def told(self, job_id: int) -> bool:
        """Note that the member has the answer, and wipe what was needed to give it.

        True only the first time, for a finished job.
        """
        with self.database.wiping() as db:
            return _wipe(db, job_id)

    def cancel(self, owner: Owner, job_id: int) -> bool:
        """Cancel a job of this owner. False if it isn't the owner's, or has ended."""
        guild, member = owner.columns
        where = "id = :id and guild_id = :guild and member_id = :member"
        with self.database.writing() as db:
            ended = self._end(db, where, {"id": job_id, "guild": guild, "member": member}, "cancelled", "JobCancelled")
            return bool(ended)

    def get(self, job_id: int) -> Job | None:
        """Read any job by its id; None if there is none. (For a member's own jobs use `of`.)"""
        with self.database.reading() as db:
            return self._one(db, job_id)

    def accepted(self, once: str) -> Literal["no", "open", "told"]:
        """Tell whether a request with this `once` was accepted, and whether its member has the answer. Rows stay for a day."""
        with self.database.reading() as db:
            found = db.execute("select told from jobs where once = ?", [once]).fetchone()
        return "no" if found is None else "told" if found[0] else "open"

    def of(self, owner: Owner) -> list[Job]:
        """List an owner's jobs that have not ended, oldest first."""
        guild, member = owner.columns
        with self.database.reading() as db:
            where = "guild_id = :guild and member_id = :member and finished is null"
            return self._select(db, where, guild=guild, member=member)

    def about(self, message_id: int) -> list[Job]:
        """List the jobs of all owners about the photo in a message that have not ended."""
        with self.database.reading() as db:
            return self._select(db, "source_message_id = :message and finished is null", message=message_id)

    def numbers(self, owner: Owner) -> list[int]:
        """List the ids of all of an owner's jobs that still have a row, ended or not."""
        with self.database.reading() as db:
            sql = "select id from jobs where guild_id = ? and member_id = ? order by id"
            return [row[0] for row in db.execute(sql, owner.columns)]

    def counts(self, guild_id: int | None = None, since: float = 0.0) -> dict[State, int]:
        """Count jobs by state, of a server or (None) of all: those not ended, and those ended after `since` (kept for a day)."""
        of = "" if guild_id is None else "guild_id = :guild and "  # by that index, not through everybody's jobs
        sql = f"select state, count(*) from jobs where {of}(finished is null or finished >= :since) group by state"
        with self.database.reading() as db:
            found = dict(db.execute(sql, {"guild": guild_id, "since": since}).fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def recover(self, held: Collection[int] | None = None, before: float | None = None) -> Recovered:
        """Queue again the running jobs of an earlier process or with an expired lease; return all queued and untold jobs.

        Jobs without attempts left fail as WorkerDied and are refunded. `held` are the jobs that this process has in hand:
        these are left alone, and any other counts as forgotten if it was created before `before` (Unix seconds; None for any
        time).
        """
        free = "created < :before and id not in (select value from json_each(:held))"
        forgotten = "holder is not :holder or lease <= :now" if held is None else "true"
        stale = f"state = 'running' and ({forgotten}) and {free}"
        before = float("inf") if before is None else before
        facts = {"holder": self._holder, "now": self.now(), "before": before, "held": json.dumps(sorted(held or ()))}
        with self.database.writing() as db:
            dead = self._end(db, f"{stale} and attempts >= max_attempts", facts, "failed", "WorkerDied")
            _refund(db, dead)
            db.execute(f"update jobs set state = 'queued', holder = null, lease = null where {stale}", facts)
            queued, untold = f"state = 'queued' and {free}", f"finished is not null and told = 0 and {free}"
            return Recovered(self._select(db, queued, **facts), self._select(db, untold, **facts))

    def lapse(self, db: sqlite_utils.Database) -> list[int]:
        """Fail the jobs that waited longer than a request may be kept, as part of a sweep, and return their ids."""
        lapsed = self._end(db, "expires <= :now", {"now": self.now()}, "failed", "JobTimedOut")
        _refund(db, lapsed)
        return lapsed

    def _refuse_blocked(self, db: sqlite_utils.Database, owner: Owner) -> None:
        """Check that the member is not blocked, there or everywhere. Raises Blocked."""
        if owner.member_id is None:
            return
        guilds = {owner.guild_id or NOBODY, NOBODY}
        if is_blocked(db, *(member_index(self.vault, "block", guild, owner.member_id) for guild in guilds)):
            raise Blocked

    def _end(
        self,
        db: sqlite_utils.Database,
        where: str,
        values: Mapping[str, Any],
        state: Ending,
        error: str | None,
        facts: Mapping[str, Fact] | None = None,
    ) -> list[int]:
        sql = (
            "update jobs set state = :state, error = :error, facts = :facts, finished = :ended, "
            f"lease = null, holder = null, checkpoint = null where finished is null and {where} returning id"
        )
        told = json.dumps(dict(facts)) if facts else None
        ending = {"state": state, "error": error, "facts": told, "ended": self.now()}
        rows = db.execute(sql, {**values, **ending}).fetchall()
        return [row[0] for row in rows]

    def _sealed(self, db: sqlite_utils.Database, job_id: int, column: str, plain: bytes) -> bytes | None:
        """Encrypt a value for the row of this job; None if the row is gone."""
        for row in db.query("select id, guild_id, member_id from jobs where id = ?", [job_id]):
            return self._seal(plain, "jobs", column, row)
        return None

    def _running(self, job_id: int, changes: Mapping[str, Any]) -> bool:
        return self._update(job_id, changes, "state = 'running'")

    def _update(self, job_id: int, changes: Mapping[str, Any], where: str = "told = 0") -> bool:
        columns = ", ".join(f"{column} = :{column}" for column in changes)
        with self.database.writing() as db:
            sql = f"update jobs set {columns} where id = :id and {where}"
            return db.execute(sql, {**changes, "id": job_id}).rowcount > 0

    def _one(self, db: sqlite_utils.Database, job_id: int) -> Job | None:
        found = self._select(db, "id = :id", id=job_id)
        return found[0] if found else None

    def _select(self, db: sqlite_utils.Database, where: str, **facts: Any) -> list[Job]:
        return [self._job(row) for row in db.query(f"select * from jobs where {where} order by id", facts)]

    def _job(self, row: dict[str, Any]) -> Job:
        plain = {column: self._read(row, column) for column in _SEALED}
        same = {name: row[name] for name in _SAME}
        return Job(
            owner=Owner.of_columns(row["guild_id"], row["member_id"]),
            request=plain["request"],
            checkpoint=plain["checkpoint"],
            token=None if plain["token"] is None else plain["token"].decode(),
            told=bool(row["told"]),
            facts=json.loads(row["facts"] or "{}"),
            **same,
        )

    def _read(self, row: Mapping[str, Any], column: str) -> bytes | None:
        """Decrypt a value of a job. A damaged value becomes None, as if wiped, so that only this job suffers."""
        try:
            return None if row[column] is None else self._open(row[column], "jobs", column, row)
        except StoreDamaged as error:
            log.error("the %s of request R%d is left out: %s", column, row["id"], error)
            return None


_SAME = (
    "id", "kind", "state", "token_expires", "attempts", "max_attempts", "lease", "channel_id", "message_id",
    "source_message_id", "author_id", "created", "started", "finished", "error",
)  # fmt: skip


def _refund(db: sqlite_utils.Database, job_ids: Sequence[int]) -> None:
    for job_id in job_ids:
        db.execute("delete from uses where job_id = ?", [job_id])


def _wipe(db: sqlite_utils.Database, job_id: int) -> bool:
    sql = (
        "update jobs set told = 1, request = null, token = null, checkpoint = null, facts = null "
        "where id = ? and told = 0 and finished is not null"
    )
    return db.execute(sql, [job_id]).rowcount > 0
