"""The base of every part of the store."""

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
    """A part of the store, with the database, the vault and the clock (Unix seconds)."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], float]) -> None:
        self.database = database
        self.vault = vault
        self.now = now

    def _seal(self, plain: bytes, table: str, column: str, row: Mapping[str, Any]) -> bytes:
        """Encrypt a value so that it opens in this column of this row alone.

        `row` must have "id" and the columns of `migrations.BOUND[table]`. Raises KeyError.
        """
        return self.vault.seal(plain, place(table, column, row))

    def _open(self, sealed: bytes, table: str, column: str, row: Mapping[str, Any]) -> bytes:
        """Decrypt a value of this column and row, see `_seal`. Raises StoreDamaged, KeyError."""
        try:
            return self.vault.open(sealed, place(table, column, row))
        except Unopened as error:
            raise StoreDamaged(path=self.database.path, reason=str(error)) from None


def in_row(owner: Owner, number: int) -> dict[str, int]:
    """Return what encrypted values in the row with this id are bound to: id, server and member."""
    guild, member = owner.columns
    return {"id": number, "guild_id": guild, "member_id": member}


def photo_index(vault: Vault, owner: Owner, sha256: str) -> bytes:
    """Compute the keyed hash, 16 bytes, of a photo of this owner."""
    return vault.index("photo", *owner.columns, sha256)


def member_index(vault: Vault, purpose: str, guild_id: int, member_id: int) -> bytes:
    """Compute the keyed hash, 16 bytes, of a member in a server (0: everywhere, or direct messages), for one purpose."""
    return vault.index(purpose, guild_id, member_id)


def to_json(value: Any) -> bytes:
    """Encode as compact JSON with sorted keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
