"""Reports of pictures, for a server's admins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import StoreDamaged
from core.store.database import next_id
from core.store.owner import NOBODY, Owner
from core.store.part import Part

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """A member's report that a picture should not be there."""

    id: int
    guild_id: int | None
    member_id: int  # who reported
    channel_id: int | None  # where the picture is
    message_id: int | None
    reason: str
    created: float


class Reports(Part):
    """The open reports, by server. They are erased when closed, after 30 days, or with the member who made them."""

    def add(self, guild_id: int | None, member_id: int, *, channel_id: int | None, message_id: int | None, reason: str) -> int:
        """Keep a report and return its id."""
        with self.database.writing() as db:
            number = next_id(db, "reports", self.now())
            row: dict[str, Any] = {
                "id": number, "guild_id": guild_id or NOBODY, "member_id": member_id, "channel_id": channel_id,
                "message_id": message_id, "created": self.now(),
            }  # fmt: skip
            row["reason"] = self._seal(reason.encode(), "reports", "reason", row)
            db.table("reports").insert(row, pk="id")
            return number

    def of(self, guild_id: int | None, limit: int = 10) -> list[Report]:
        """List the newest open reports of a server (None: of direct messages)."""
        with self.database.reading() as db:
            sql = "select * from reports where guild_id = ? order by id desc limit ?"
            rows = list(db.query(sql, [guild_id or NOBODY, limit]))
        return [self._opened(row) for row in rows]

    def by(self, owner: Owner) -> list[Report]:
        """List the open reports that a member made in one place."""
        with self.database.reading() as db:
            rows = list(db.query("select * from reports where guild_id = ? and member_id = ?", owner.columns))
        return [self._opened(row) for row in rows]

    def count(self, guild_id: int | None) -> int:
        """Count the open reports of a server (None: of direct messages)."""
        with self.database.reading() as db:
            return int(db.execute("select count(*) from reports where guild_id = ?", [guild_id or NOBODY]).fetchone()[0])

    def close(self, guild_id: int | None, report_id: int) -> Report | None:
        """Erase a report that an admin has dealt with, and return it; None if it isn't of this server, or is closed."""
        which = [report_id, guild_id or NOBODY]
        with self.database.erasing() as db:
            found = [self._opened(row) for row in db.query("select * from reports where id = ? and guild_id = ?", which)]
            db.execute("delete from reports where id = ? and guild_id = ?", which)
        return found[0] if found else None

    def _opened(self, row: Mapping[str, Any]) -> Report:
        """Convert a row to a Report. A damaged reason becomes "?"."""
        try:
            reason = self._open(row["reason"], "reports", "reason", row).decode()
        except StoreDamaged as error:  # the report still tells where the picture is, and can be closed
            log.error("the reason of report %d is left out: %s", row["id"], error)
            reason = "?"
        return Report(**{**row, "guild_id": row["guild_id"] or None, "reason": reason})
