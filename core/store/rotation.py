"""Rotates the key: everything is decrypted with the old key and encrypted with the new one, in one transaction.

Meanwhile the key file holds both, the new one first. If interrupted, the store opens with the key that it was last encrypted
with, and the next rotation continues to the first.
"""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

import sqlite_utils

from core.errors import BadSetting
from core.settings import Settings
from core.store import migrations
from core.store.keys import key_file, read_keys, write_keys
from core.store.owner import Owner
from core.store.part import member_index, photo_index
from core.store.store import Store
from core.store.vault import KEY_BYTES, Unopened, Vault


def rotate(settings: Settings) -> int:
    """Encrypt everything with a new key, and return the number of values. Raises StoreInUse while a bot runs.

    If EGAO_KEY is set, it must hold "new,old" (else BadSetting); if not, a new key is made and the key file replaced.
    """
    with Store.open(settings, exclusive=True) as store:
        secret = _next_secret(settings, store.vault)
        with store.database.erasing() as db:
            count = reseal(db, store.vault, Vault(secret))
        if settings.key is None:
            write_keys(key_file(settings), (secret,))
    return count


def reseal(db: sqlite_utils.Database, old: Vault, new: Vault) -> int:
    """Re-encrypt every value and recompute every keyed hash for another vault; return the number of values."""
    count = 0
    for table, columns in migrations.SEALED.items():
        for (number,) in db.execute(f"select id from {table}").fetchall():
            row = next(iter(db.query(f"select * from {table} where id = ?", [number])))
            places = {column: migrations.place(table, column, row) for column in columns if row[column] is not None}
            plain = {}
            for column, place in places.items():
                with contextlib.suppress(Unopened):  # a damaged value costs its own row, not the rotation
                    plain[column] = old.open(row[column], place)
            changes = {column: new.seal(value, places[column]) for column, value in plain.items()}
            count += len(changes)
            if table in migrations.HASHED and migrations.HASHED_FROM[table] in plain:
                changes[migrations.HASHED[table]] = _hash(table, row, plain, new)
            if changes:
                db.table(table).update(number, changes)
    return count


def _hash(table: str, row: Mapping[str, Any], plain: Mapping[str, bytes], vault: Vault) -> bytes:
    if table == "faces":
        owner = Owner.of_columns(row["guild_id"], row["member_id"])
        return photo_index(vault, owner, json.loads(plain["details"])["photo"])
    purpose = {"blocks": "block", "uses": "use"}[table]
    return member_index(vault, purpose, row["guild_id"], int(plain["member"]))


def _next_secret(settings: Settings, current: Vault) -> bytes:
    """Return the key to encrypt with from now on: a given one, that of a rotation that was cut off, or a new one.

    Raises BadSetting if one is given but is not new.
    """
    known = read_keys(settings, create=False).secrets
    first_is_current = Vault(known[0]).name == current.name
    if settings.key is not None:
        if first_is_current:
            raise BadSetting(name="EGAO_KEY", reason="to rotate, set it to NEW,OLD with a NEW made by: egao keys new")
        return known[0]
    if not first_is_current:
        return known[0]  # of a rotation that was cut off
    secret = secrets.token_bytes(KEY_BYTES)
    in_use = next(old for old in known if Vault(old).name == current.name)
    write_keys(key_file(settings), (secret, in_use))
    return secret
