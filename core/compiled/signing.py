"""Signs the code that this machine compiled with a key in EGAO_HOME, to tell it from any other code.

A file in a cache may have come with a download, or from a worker that an attacker controls, and loading it would run it. Only
the compiling process reads the secret half of the key (Ed25519); the processes that draw need only the public half.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PRIVATE: Final = "compiled.key"  # files in EGAO_HOME: 32 bytes each
PUBLIC: Final = "compiled.pub"
_BYTES: Final = 32


def make_keys(home: Path) -> None:
    """Create the missing files of the key pair. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        _write(home / PRIVATE, Ed25519PrivateKey.generate().private_bytes_raw(), 0o600)
    public = _secret(home).public_key().public_bytes_raw()
    if _read(home / PUBLIC, 0o022) != public:
        (home / PUBLIC).unlink(missing_ok=True)
        _write(home / PUBLIC, public, 0o644)


def sign(home: Path, text: bytes) -> str:
    """Sign a text with this machine's key, in hex; a missing key is created. Raises OSError."""
    make_keys(home)
    return _secret(home).sign(text).hex()


def signed(home: Path, text: bytes, signature: str) -> bool:
    """Tell whether `signature` (hex) is this machine's over `text`; its key is in `home`."""
    public = _read(home / PUBLIC, 0o022)
    if public is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _secret(home: Path) -> Ed25519PrivateKey:
    found = _read(home / PRIVATE, 0o077)
    if found is None:
        raise PermissionError(f"{home / PRIVATE} is not a key of this user alone")
    return Ed25519PrivateKey.from_private_bytes(found)


def _read(file: Path, closed: int) -> bytes | None:
    """Read the 32 bytes of a key file; None unless it is a plain file of this user without the permission bits `closed`."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        about = os.fstat(handle)
        own = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & closed
        found = stream.read(_BYTES + 1) if own else b""
    return found if len(found) == _BYTES else None


def _write(file: Path, content: bytes, mode: int) -> None:
    """Create a file atomically. Raises FileExistsError if it is there."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.link(name, file)
    finally:
        Path(name).unlink()
