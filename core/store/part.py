"""What every part of the store stands on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import StoreDamaged
from core.store.database import Database
from core.store.migrations import place
from core.store.owner import Owner
from core.store.vault import Unopened, Vault


class Part:
    """A part of the store: the database, the vault and the clock (Unix seconds)."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], float]) -> None:
        self.database = database
        self.vault = vault
        self.now = now

    def _seal(self, plain: bytes, table: str, column: str, row: Mapping[str, Any]) -> bytes:
        """`row` holds at least the id and what the table's values are bound to."""
        return self.vault.seal(plain, place(table, column, row))

    def _open(self, sealed: bytes, table: str, column: str, row: Mapping[str, Any]) -> bytes:
        """Open a sealed value. Raises StoreDamaged."""
        try:
            return self.vault.open(sealed, place(table, column, row))
        except Unopened as error:
            raise StoreDamaged(path=self.database.path, reason=str(error)) from None


def in_row(owner: Owner, number: int) -> dict[str, int]:
    """Name what a value of this owner's is bound to, in the row of this number."""
    guild, member = owner.columns
    return {"id": number, "guild_id": guild, "member_id": member}


def photo_index(vault: Vault, owner: Owner, sha256: str) -> bytes:
    """Compute the keyed hash of a photo of this owner's."""
    return vault.index("photo", *owner.columns, sha256)


def member_index(vault: Vault, purpose: str, guild_id: int, member_id: int) -> bytes:
    """Compute the keyed hash of a member in a server (0: everywhere, or direct messages), for one purpose."""
    return vault.index(purpose, guild_id, member_id)


def to_json(value: Any) -> bytes:
    """Compact JSON, keys in order."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
