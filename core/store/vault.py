"""Encryption at rest: AES-256-GCM (cryptography), with each value bound to its place.

A sealed (encrypted) value is `1 | key name (4 bytes) | nonce (12 bytes) | ciphertext and tag`. The associated data is the
place and owner, "table.column:row:server:member", so a value copied into another row, or a row given to another member, can't
be decrypted. Nonces are random: NIST SP 800-38D allows 2**32 values under one key, far more than a store ever holds.

Hashes (`index`) are HMAC-SHA256 with a second key derived from the same secret: equal inputs can be found again, but whoever
has the file and a photo, without the key, can't tell whether that photo was used.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NAME, _NONCE = 4, 12


class Unopened(Exception):
    """A value can't be decrypted: it belongs to another key or another place, or was altered."""


class Vault:
    """Encrypts, decrypts and hashes with one secret of 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == KEY_BYTES
        self._cipher = AESGCM(_derived(secret, b"seal"))
        self._hash_key = _derived(secret, b"index")
        self.name = _derived(secret, b"name")[:_NAME]  # tells keys apart and says nothing about them

    def seal(self, plain: bytes, place: str) -> bytes:
        """Encrypt `plain` for `place`; each call gives a different value."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + self.name + nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt a value sealed for `place`. Raises Unopened."""
        header = len(_VERSION) + _NAME
        if sealed[:header] != _VERSION + self.name:
            raise Unopened(f"{place} is sealed with another key")
        try:
            return self._cipher.decrypt(sealed[header : header + _NONCE], sealed[header + _NONCE :], place.encode())
        except (InvalidTag, ValueError):
            raise Unopened(f"{place} does not open") from None

    def index(self, *parts: int | str) -> bytes:
        """Compute a keyed hash, 16 bytes, of the parts, to look them up by."""
        message = "\x1f".join(str(part) for part in parts).encode()
        return hmac.new(self._hash_key, message, hashlib.sha256).digest()[:16]


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"egao " + purpose).derive(secret)
