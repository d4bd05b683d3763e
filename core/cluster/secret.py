"""The secret that all machines of a cluster share, one small file, and all that is derived from it.

From its 32 random bytes come Ray's token, the key of the authority that signs each node's TLS certificate, and the key that
authenticates what the bot and a worker say to each other. Whoever has the file is of the cluster; nobody else gets
a word out of any of its ports.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import BadSetting
from core.settings import Settings

NAME: Final = "cluster.key"
_BYTES: Final = 32
_ORDER_MARGIN: Final = 48  # bytes reduced to a private number: 16 more than the curve's order, so that none is likelier
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve, FIPS 186-4, D.1.2.3
_LONG_AGO: Final = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)  # a node's clock may be wrong
_FAR_OFF: Final = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)  # trust ends with the file, not with a date
_SIGNS: Final = x509.KeyUsage(
    key_cert_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_AUTHORITY: Final = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "egao cluster")])


@dataclass(frozen=True)
class Secret:
    """The shared secret. Never shown: it has no part in a repr."""

    raw: bytes = field(repr=False)

    def derive(self, use: str, length: int = 32) -> bytes:
        """Derive the key of one use; those of two uses tell nothing of each other."""
        return HKDF(hashes.SHA256(), length, salt=b"egao cluster", info=use.encode()).derive(self.raw)

    @property
    def token(self) -> str:
        """Ray's own token."""
        return self.derive("ray token").hex()

    @property
    def frames(self) -> bytes:
        """The key that a bot and a worker know each other by."""
        return self.derive("frames")

    def _authority(self) -> ec.EllipticCurvePrivateKey:
        number = int.from_bytes(self.derive("authority", _ORDER_MARGIN), "big") % (_P256_ORDER - 1) + 1
        return ec.derive_private_key(number, ec.SECP256R1())

    def authority(self) -> bytes:
        """Make the certificate, in PEM, that every node's is checked against."""
        key = self._authority()
        made = _certificate(_AUTHORITY, key.public_key(), 1)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(_SIGNS, critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def certificate(self, addresses: Iterable[str]) -> tuple[bytes, bytes]:
        """Make a key and a certificate for a machine with these addresses; both in PEM."""
        own = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName("localhost")]
        names += [x509.IPAddress(ipaddress.ip_address(one)) for one in sorted({"127.0.0.1", *addresses})]
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "egao node")])
        made = _certificate(subject, own.public_key(), x509.random_serial_number())
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        authority = self._authority()
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())  # Python asks for it from 3.13 on
        signed = made.add_extension(signer, critical=False).sign(authority, hashes.SHA256())
        plain = serialization.NoEncryption()
        pem = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        return pem, signed.public_bytes(serialization.Encoding.PEM)


def _certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey, serial: int) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(_AUTHORITY).public_key(key).serial_number(serial)
    return made.not_valid_before(_LONG_AGO).not_valid_after(_FAR_OFF)


def secret_file(settings: Settings) -> Path:
    """Name the file of the secret; it need not exist."""
    return settings.home / NAME


def read_secret(settings: Settings) -> Secret:
    """Read the secret of this machine's cluster. Raises BadSetting where there is none, or others can read it."""
    path = secret_file(settings)
    try:
        raw = path.read_bytes()
        exposed = path.stat().st_mode & 0o077
    except FileNotFoundError:
        reason = f"{path} is missing: make it on one machine with `egao worker --new-secret`, and copy it to the others"
        raise BadSetting(name="EGAO_CLUSTER", reason=reason) from None
    except OSError as error:
        raise BadSetting(name="EGAO_CLUSTER", reason=f"{path} can't be read: {error.strerror}") from None
    if exposed:
        raise BadSetting(name="EGAO_CLUSTER", reason=f"other users of this machine can read {path}: chmod 600 {path}")
    if len(raw) != _BYTES:
        raise BadSetting(name="EGAO_CLUSTER", reason=f"{path} is no secret of a cluster: it has {len(raw)} bytes, not {_BYTES}")
    return Secret(raw)


def make_secret(settings: Settings) -> Path:
    """Make the secret of a new cluster. Raises BadSetting where there is one, which its nodes may be using."""
    path = secret_file(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
    except FileExistsError:
        raise BadSetting(name="EGAO_CLUSTER", reason=f"{path} is there already; nodes may be using it") from None
    except OSError as error:
        raise BadSetting(name="EGAO_HOME", reason=f"{path} can't be written: {error.strerror}") from None
    return path
