"""Cooldown and daily quota: uses counted over the last 24 hours, kept in SQLite so that a restart doesn't reset them.

A use outlives an erasure (else erasing oneself would refill the quota), so it holds the member only as a keyed hash and
encrypted. Uses are erased after 24 hours.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import sqlite_utils

from core.errors import CoolingDown, QuotaSpent, QuotaTooSmall
from core.store.database import insert, next_id
from core.store.guilds import GuildSettings
from core.store.owner import Owner
from core.store.part import Part, member_index

DAY = 86_400.0


class Left(NamedTuple):
    """What a member may still do."""

    quota: int  # edits in the rolling day
    cooldown_seconds: float  # until the next


class Limits(Part):
    """The counted uses: counts a use, or refuses it if it is over a limit."""

    def take(self, owner: Owner, limits: GuildSettings, job: int | None = None, *, pause: bool = True) -> int:
        """Count one use and return its id. Raises CoolingDown(seconds) or QuotaSpent(limit, wait, seconds).

        Without `pause` the cooldown is not checked, for further uses of one request: it applies between requests.
        """
        with self.database.writing() as db:
            left, frees = self._left(db, owner, limits)
            if pause and left.cooldown_seconds > 0:
                raise CoolingDown(seconds=math.ceil(left.cooldown_seconds))
            if left.quota <= 0:
                raise QuotaSpent(limit=limits.daily_quota, wait=in_words(frees), seconds=math.ceil(frees))
            guild, member = owner.columns
            number = next_id(db, "uses", self.now())
            sealed = self._seal(str(member).encode(), "uses", "member", {"id": number, "guild_id": guild})
            row = {
                "id": number,
                "guild_id": guild,
                "who": self._who(owner),
                "member": sealed,
                "at": self.now(),
                "job_id": job,
            }
            insert(db, "uses", row)
            return number

    def taken(self, job: int) -> int:
        """Count the uses that a job has taken."""
        with self.database.reading() as db:
            return int(db.execute("select count(*) from uses where job_id = ?", [job]).fetchone()[0])

    def require(self, owner: Owner, limits: GuildSettings, count: int, more: int) -> None:
        """Raise QuotaTooSmall unless the quota has room for `more` further uses of a request with `count` uses in all."""
        left = self.left(owner, limits).quota
        if more > left:
            raise QuotaTooSmall(count=count, left=left + count - more, limit=limits.daily_quota)

    def refund(self, job: int) -> bool:
        """Give back the uses of a job that failed through no fault of the member. False if there are none."""
        with self.database.writing() as db:
            return db.execute("delete from uses where job_id = ?", [job]).rowcount > 0

    def times(self, owner: Owner) -> list[float]:
        """List the times of the last day's uses, in Unix seconds."""
        with self.database.reading() as db:
            rows = db.execute("select at from uses where who = ? order by at", [self._who(owner)])
            return [row[0] for row in rows]

    def left(self, owner: Owner, limits: GuildSettings) -> Left:
        """Compute what the member may still do."""
        with self.database.reading() as db:
            return self._left(db, owner, limits)[0]

    def _who(self, owner: Owner) -> bytes:
        return member_index(self.vault, "use", *owner.columns)

    def _left(self, db: sqlite_utils.Database, owner: Owner, limits: GuildSettings) -> tuple[Left, float]:
        """Compute what is left, and the seconds until the next use is free (0 if one is)."""
        now = self.now()
        sql = "select at from uses where who = ? and at > ? order by at"
        rows = db.execute(sql, [self._who(owner), now - DAY]).fetchall()
        # A clock that was set back must not lock anyone out until it catches up: how long ago such a use was isn't known.
        times = [min(row[0], now) for row in rows]
        known = [row[0] for row in rows if row[0] <= now]
        cooldown = known[-1] + limits.cooldown_seconds - now if known else 0.0
        free = limits.daily_quota - len(times)
        frees = times[-limits.daily_quota] + DAY - now if free <= 0 else 0.0
        return Left(max(free, 0), max(cooldown, 0.0)), frees


def in_words(seconds: float) -> str:
    """Format a span of seconds, such as "3 h 20 min", rounded up to the minute."""
    minutes = max(1, math.ceil(seconds / 60))
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest))
