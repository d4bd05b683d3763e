"""The encryption keys: from the setting EGAO_KEY, or from a file `key` in the home folder, made on first use.

Both may hold several keys (EGAO_KEY separated by commas, the file one a line). Only the one that the store was last encrypted
with is in use. The first of several is the target of the next rotation, so a rotation interrupted at any point leaves a store
that opens.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadSetting, KeyExposed, WrongKey
from core.settings import Settings
from core.store.database import Database
from core.store.vault import KEY_BYTES, Unopened, Vault

OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WORD, _PLACE = b"egao", "checks.value:1"


@dataclass(frozen=True)
class Keys:
    """The available secrets, and in words where they come from."""

    secrets: tuple[bytes, ...]
    source: str


def new_key() -> str:
    """Make a new key as text: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def key_file(settings: Settings) -> Path:
    """Return the path of the key file, which is used if EGAO_KEY is not set."""
    return settings.home / "key"


def read_keys(settings: Settings, *, create: bool) -> Keys:
    """Read the keys of these settings; with `create`, a missing key file is made first.

    Raises BadSetting (not a key), KeyExposed (other users can read the file), WrongKey (no file, and not `create`).
    """
    if settings.key is not None:
        return Keys(_parsed(settings.key.get_secret_value().split(","), "EGAO_KEY"), "the one in EGAO_KEY")
    path = key_file(settings)
    if not path.exists():
        if not create:
            raise WrongKey(path=settings.home, source=f"the missing {path}")
        _create(path)
    if stat.S_IMODE(path.stat().st_mode) & OTHERS:
        raise KeyExposed(path=path)
    return Keys(_parsed(path.read_text().split("\n"), str(path)), f"the one in {path}")


def write_keys(path: Path, keys: tuple[bytes, ...]) -> None:
    """Replace the key file atomically (mode 0600), one key a line."""
    fresh = _written(path, "".join(f"{base64.urlsafe_b64encode(key).decode()}\n" for key in keys))
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parse_key(text: str, name: str) -> bytes:
    """Decode a key's text to its 32 bytes. Raises BadSetting."""
    try:
        secret = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise BadSetting(name=name, reason="a key is 44 characters made by: egao keys new")
    return secret


def unlock(database: Database, settings: Settings) -> Vault:
    """Open the store with the key that it was last encrypted with; a new store gets the first key.

    Raises WrongKey and as `read_keys`.
    """
    check = _check(database)
    keys = read_keys(settings, create=check is None)
    if check is None:
        sealed = Vault(keys.secrets[0]).seal(_WORD, _PLACE)
        with database.writing() as db:  # of two processes that start at once, the first one's word stays
            db.table("checks").insert({"id": 1, "value": sealed}, pk="id", ignore=True)
        check = _check(database)
    assert check is not None
    return choose(check, keys, database.path)


def choose(check: bytes, keys: Keys, path: Path) -> Vault:
    """Return the vault of the key that decrypts the check value of the store at `path`. Raises WrongKey."""
    for vault in map(Vault, keys.secrets):
        with contextlib.suppress(Unopened):
            vault.open(check, _PLACE)
            return vault
    raise WrongKey(path=path, source=keys.source)


def _check(database: Database) -> bytes | None:
    with database.reading() as db:
        row = db.execute("select value from checks where id = 1").fetchone()
    return row[0] if row else None


def _parsed(texts: list[str], name: str) -> tuple[bytes, ...]:
    """Parse keys, the current one first; `name` is where they stand. Raises BadSetting."""
    keys = tuple(parse_key(text, name) for text in texts if text.strip())
    if not keys:
        raise BadSetting(name=name, reason="it holds no key")
    return keys


def _create(path: Path) -> None:
    fresh = _written(path, new_key() + "\n")
    try:
        # A link fails where a rename would overwrite: of two processes that start at once, both use the first's key.
        path.hardlink_to(fresh)
        sync_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _written(path: Path, text: str) -> Path:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return fresh
