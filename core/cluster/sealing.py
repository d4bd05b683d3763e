"""Seals what a bot and a worker on another machine say to each other, so that nothing in between can read or change it.

Both sides make a key pair for each link (X25519) and mix what they agree on with the cluster's secret (HKDF): without the
secret nobody can take a side, and with it alone nobody can read what was recorded earlier. Each record is
sealed by AES-256-GCM under a key of its direction, its number being the nonce: one that is left out, repeated
or moved does not open.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PUBLIC: Final = 32  # bytes of a side's public key
_NONCE: Final = 12


class NotSealed(Exception):
    """A record was not made by the other side, or is not the next that it made."""


class Sealer:
    """Seals the records of one direction, in order."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._number = 0

    def seal(self, plain: bytes) -> bytes:
        """Seal the next record; 16 bytes are added."""
        self._number += 1
        return self._cipher.encrypt(self._number.to_bytes(_NONCE, "big"), plain, None)


class Opener:
    """Opens the records of one direction, in order."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._number = 0

    def open(self, sealed: bytes) -> bytes:
        """Open the next record. Raises NotSealed."""
        self._number += 1
        try:
            return self._cipher.decrypt(self._number.to_bytes(_NONCE, "big"), sealed, None)
        except (InvalidTag, ValueError):
            raise NotSealed(f"record {self._number} does not open") from None


class Side:
    """One side of one link, before it knows the other."""

    def __init__(self, secret: bytes, bot: bool) -> None:
        """`secret` is `Secret.frames`; `bot` tells which of the two sides this is."""
        self._secret, self._bot = secret, bot
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def meet(self, theirs: bytes) -> tuple[Sealer, Opener]:
        """Make what seals and what opens, of the other side's public key. Raises NotSealed if that is none."""
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
        except ValueError:
            raise NotSealed("no public key") from None
        publics = self.public + theirs if self._bot else theirs + self.public
        keys = HKDF(hashes.SHA256(), 64, salt=self._secret, info=b"egao link" + publics).derive(shared)
        down, up = keys[:32], keys[32:]
        return (Sealer(down), Opener(up)) if self._bot else (Sealer(up), Opener(down))
