"""The owner of a row. The store only knows numbers, and not that they come from Discord."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

NOBODY = 0  # how the database writes None: NULLs would all be different in a unique index, and no id is ever 0


@dataclass(frozen=True)
class Owner:
    """A member in a server (both ids), a member in direct messages (no `guild_id`), or the command line (neither)."""

    guild_id: int | None
    member_id: int | None

    def __post_init__(self) -> None:
        if self.guild_id is not None and self.member_id is None:
            raise ValueError("an owner in a server needs a member")
        if self.guild_id == NOBODY or self.member_id == NOBODY:
            raise ValueError("0 is not an id")

    @classmethod
    def local(cls) -> Self:
        """Make the owner for the person at the command line."""
        return cls(None, None)

    @classmethod
    def direct(cls, member_id: int) -> Self:
        """Make the owner for a member in direct messages."""
        return cls(None, member_id)

    @classmethod
    def of_columns(cls, guild_id: int, member_id: int) -> Self:
        """Make the owner of a row from its columns, where 0 means none."""
        return cls(guild_id or None, member_id or None)

    @property
    def columns(self) -> tuple[int, int]:
        """(guild_id, member_id) for the columns of a row, 0 for None."""
        return self.guild_id or NOBODY, self.member_id or NOBODY
