"""Content credentials: a signed C2PA manifest in a picture's file, which says that a model made or changed it.

The certificate is self-made: a process makes its own when it first signs, and keeps the key in memory alone. So a manifest
proves that the file was not changed since egao wrote it; not who runs egao, and two files of two processes have nothing in
common. No service is asked for the time, for certificates or for anything else. The photo is not put into the manifest.
"""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.pictures.encode import Source, source_type

log = logging.getLogger(__name__)

RESERVED: Final = 8 * 1024  # bytes that a manifest may add to a file; measured: see data/NUMBERS.md
_WORTH: Final = 4  # times that much must be allowed for a file, or the picture alone needs the room
NAME: Final = "egao, self-made certificate"
YEARS: Final = 30  # of the certificate: without the time from a service, a file counts as signed only as long as it is valid
_DOES: Final = {
    "edited": "The expression of a face in a photo was changed by a generative model.",
    "generated": "A generative model drew a person that does not exist.",
}
_MIME: Final = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"))
# Nothing is fetched, nothing is shown small, and what was just signed is not verified again, which would take as long.
_MANNERS: Final = {
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}


def credentials(wanted: str) -> Credentials | None:
    """Make what signs pictures, for the setting `c2pa`: None for "off", and where the library (the extra c2pa) is missing."""
    return Credentials() if wanted == "auto" and find_spec("c2pa") is not None else None


class Credentials:
    """Signs files. Its key and certificate are made when the first is signed."""

    @staticmethod
    def room(max_bytes: int | None) -> int | None:
        """Tell how large a file may be that is to have at most `max_bytes` with its manifest; None for no limit."""
        return max_bytes if max_bytes is None or max_bytes < _WORTH * RESERVED else max_bytes - RESERVED

    def sign(self, data: bytes, source: Source, max_bytes: int | None = None) -> bytes:
        """Put a manifest into a file, which says what the picture is; a file of the camera's own pixels is left as it is.

        A file that the library can't sign, or that would have more than `max_bytes`, is returned as it was: what it says in XMP
        holds all the same.
        """
        if source == "photo":
            return data
        import c2pa

        signed = io.BytesIO()
        try:
            with c2pa.Builder(_manifest(source), self._context) as builder:
                builder.sign(_mime(data), io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            log.warning("a picture goes out without content credentials: %s", error)
            return data
        whole = signed.getvalue()
        return data if max_bytes is not None and len(whole) > max_bytes else whole

    @cached_property
    def _context(self) -> Any:
        """The library's settings with the signer."""
        import c2pa

        chain, key = make_certificate()
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain.encode(), key.encode(), None))
        return c2pa.Context(c2pa.Settings.from_dict(_MANNERS), signer)


def make_certificate() -> tuple[str, str]:
    """Make a certificate for signing pictures: its chain and its private key, both PEM.

    C2PA takes no certificate that signed itself, so one that is thrown away at once signs it.
    """
    issuer, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate(f"{NAME}, issuer", issuer, f"{NAME}, issuer", issuer, authority=True)
    leaf = _certificate(NAME, own, f"{NAME}, issuer", issuer, authority=False)
    chain = "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in (leaf, root))
    private = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return chain, private.decode()


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: str, issuer: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    """Make a certificate as C2PA's profile asks for (C2PA specification 2.2, 14.5.1)."""
    subject, signed_by = (x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "egao"),
                                     x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, by))  # fmt: skip
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)  # when a process began is nobody's business
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    made = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=signed_by, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(day - timedelta(days=1))
        .not_valid_after(day + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
    )
    if not authority:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return made.sign(issuer, hashes.SHA256())


def _manifest(source: Source) -> str:
    """Write the manifest of a picture, as the library takes it: JSON."""
    action = {
        "action": "c2pa.created",
        "digitalSourceType": source_type(source),
        "softwareAgent": {"name": "egao", "version": version("egao")},
        "description": _DOES[source],
    }
    generator = {"name": "egao", "version": version("egao")}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [action]}}
    return json.dumps({"claim_generator_info": [generator], "title": "egao", "assertions": [actions]})


def _mime(data: bytes) -> str:
    """Tell what a file of ours is, by its first bytes."""
    for begins, mime in _MIME:
        if data.startswith(begins):
            return mime
    if data[4:8] == b"ftyp":
        return "image/avif" if data[8:12] in (b"avif", b"avis") else "image/heic"
    return "image/webp"
