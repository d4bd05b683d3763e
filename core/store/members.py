"""Members: their consent, their preferences, and who is blocked."""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal, NamedTuple

import sqlite_utils

from core.errors import Blocked, ConsentNeeded, StoreDamaged
from core.store.database import next_id
from core.store.owner import NOBODY, Owner
from core.store.part import Part, member_index

log = logging.getLogger(__name__)

SEEN_STEP = 86_400.0  # a write per request only to note the time would be a waste

Visibility = Literal["public", "private"]


@dataclass(frozen=True)
class Member:
    """What a member has agreed to and prefers, the same on every server."""

    id: int
    consent_version: int | None = None  # of the notice that was agreed to
    consent_at: float | None = None
    consent_locale: str | None = None  # the language in which it was read
    visibility: Visibility | None = None
    seen: float = 0.0


class Block(NamedTuple):
    """A blocked member, and since when (Unix seconds)."""

    member_id: int
    at: float


class Members(Part):
    """What is known of members. Only a choice of the member's makes a row; blocks have rows of their own."""

    def get(self, member_id: int) -> Member:
        """Read a member; a Member of defaults if unknown."""
        with self.database.reading() as db:
            for row in db.query("select * from members where member_id = ?", [member_id]):
                return Member(row.pop("member_id"), **row)
        return Member(member_id)

    def consent(self, member_id: int, version: int, locale: str) -> Member:
        """Note that the member agreed to this version of the notice, read in this language."""
        return self._set(member_id, consent_version=version, consent_at=self.now(), consent_locale=locale)

    def set_visibility(self, member_id: int, visibility: Visibility | None) -> Member:
        """Note who sees the results of a member's commands; None for the default."""
        return self._set(member_id, visibility=visibility)

    def has_consented(self, member_id: int, version: int) -> bool:
        """Tell whether the member agreed to this version of the notice or a later one."""
        agreed = self.get(member_id).consent_version
        return agreed is not None and agreed >= version

    def require(self, owner: Owner, version: int) -> Member:
        """Check that the member may use the bot here, and return the member. Raises Blocked or ConsentNeeded."""
        assert owner.member_id is not None
        if self.is_blocked(owner.guild_id, owner.member_id):
            raise Blocked
        member = self.get(owner.member_id)
        if member.consent_version is None or member.consent_version < version:
            raise ConsentNeeded
        return member if self.now() - member.seen < SEEN_STEP else self._set(owner.member_id)

    def block(self, guild_id: int | None, member_id: int) -> bool:
        """Block a member on one server, or (None) everywhere. False if that was so already.

        A block outlives the erasure of the member: its row has the id only as a keyed hash and encrypted. It stays until
        unblocked or until the server is forgotten.
        """
        guild, who = guild_id or NOBODY, self._block_index(guild_id, member_id)
        with self.database.writing() as db:
            if db.execute("select 1 from blocks where who = ?", [who]).fetchone():
                return False
            number = next_id(db, "blocks", self.now())
            sealed = self._seal(str(member_id).encode(), "blocks", "member", {"id": number, "guild_id": guild})
            row = {"id": number, "guild_id": guild, "who": who, "member": sealed, "at": self.now()}
            db.table("blocks").insert(row, pk="id")
            return True

    def unblock(self, guild_id: int | None, member_id: int) -> bool:
        """Lift a block. False if there was none."""
        with self.database.erasing() as db:
            sql = "delete from blocks where who = ?"
            return db.execute(sql, [self._block_index(guild_id, member_id)]).rowcount > 0

    def is_blocked(self, guild_id: int | None, member_id: int) -> bool:
        """Tell whether the member is blocked on this server (None: in direct messages), or everywhere."""
        with self.database.reading() as db:
            return is_blocked(db, self._block_index(guild_id, member_id), self._block_index(None, member_id))

    def blocked(self, guild_id: int | None) -> list[Block]:
        """List who is blocked on a server, or (None) everywhere."""
        with self.database.reading() as db:
            rows = list(
                db.query("select id, guild_id, member, at from blocks where guild_id = ? order by at", [guild_id or NOBODY])
            )
        found = []
        for row in rows:
            try:
                found.append(Block(int(self._open(row["member"], "blocks", "member", row)), row["at"]))
            except StoreDamaged as error:  # it holds all the same: who is kept out is looked up by the hash
                log.error("block %d is left out: %s", row["id"], error)
        return found

    def _block_index(self, guild_id: int | None, member_id: int) -> bytes:
        return member_index(self.vault, "block", guild_id or NOBODY, member_id)

    def _set(self, member_id: int, **changes: int | float | str | None) -> Member:
        row = {"member_id": member_id, **changes, "seen": self.now()}
        with self.database.writing() as db:
            db.table("members").upsert(row, pk="member_id")
        return self.get(member_id)


def is_blocked(db: sqlite_utils.Database, *who: bytes) -> bool:
    """Tell whether a block has one of these keyed hashes."""
    marks = ", ".join("?" for _ in who)
    return db.execute(f"select 1 from blocks where who in ({marks})", who).fetchone() is not None
