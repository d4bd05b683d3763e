"""Bombs of the younger formats: AVIF and HEIC whose boxes lie, animations, screens larger than frames, colour profiles.

`hostile.bombs()` has those of JPEG, PNG and WebP.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator

from PIL import Image

from tests.core.faces.hostile import BIG, chunk, heic, png, saved

_ENTRIES = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff\0\0\0\x08" * 65_535


def box(kind: bytes, body: bytes) -> bytes:
    """Of ISO's base media format."""
    return struct.pack(">I", 8 + len(body)) + kind + body


def grown(data: bytes, kinds: tuple[bytes, ...], count: int) -> bytes:
    """The file with these boxes said to be so many bytes longer."""
    for kind in kinds:
        at = data.index(kind) - 4
        data = data[:at] + struct.pack(">I", int.from_bytes(data[at : at + 4]) + count) + data[at + 4 :]
    return data


def end_of(data: bytes, kind: bytes) -> int:
    """Where a box ends."""
    at = data.index(kind) - 4
    return at + int.from_bytes(data[at : at + 4])


def box_bombs(face: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Small files, and some of 20 MB, that cost a decoder much: memory, or time."""
    flat = Image.new("RGB", BIG)
    yield "avif of 50 million", saved(flat, "AVIF", quality=1, speed=10)
    yield "heic of 49 million", heic(flat.resize((7000, 7000)))
    for name, data in (("avif", saved(face, "AVIF")), ("heic", heic(face))):
        size, start = data.index(b"ispe") + 8, data.index(b"meta") - 4
        for width, height in (BIG, (2**31 - 1, 2**31 - 1), (30_000, 1700)):
            yield f"{name} that says {width}x{height}", data[:size] + struct.pack(">II", width, height) + data[size + 8 :]
        items = data.index(b"iloc") + 4
        yield f"{name}, 65,535 places of items", data[:items] + b"\0\0\0\0\x44\0\xff\xff" + data[items + 8 :]
        deep = b""
        for _ in range(3000):
            deep = box(b"meta", bytes(4) + deep)
        yield f"{name}, boxes in boxes", data[:start] + deep + data[start:]
        empty = box(b"free", b"")
        yield f"{name}, two million boxes", data[:start] + empty * 2_000_000 + data[start:]
        within = end_of(data, b"meta")
        yield f"{name}, as many in one", grown(data[:within] + empty * 2_500_000 + data[within:], (b"meta",), 20_000_000)
        facts, more = end_of(data, b"ipco"), box(b"colr", b"prof" + bytes(100)) * 180_000
        yield f"{name}, 180,000 facts", grown(data[:facts] + more + data[facts:], (b"ipco", b"iprp", b"meta"), len(more))
    for kind in ("AVIF", "WEBP"):
        with warnings.catch_warnings(action="ignore"):  # Pillow reads what it is to write
            yield f"{kind}, exif of 65,535 entries", saved(face, kind, exif=_ENTRIES)
    large = [face.resize((5000, 5000))] * 2
    yield (
        "avif, three large frames",
        saved(flat.resize((5000, 5000)), "AVIF", save_all=True, append_images=large, speed=10, quality=1),
    )
    yield from _animations(face)
    yield from _profiles(face)


def _animations(face: Image.Image) -> Iterator[tuple[str, bytes]]:
    gif = saved(face.quantize(16), "GIF")
    behind = 13 + (3 << ((gif[10] & 7) + 1))
    for side in (65_535, 7000, 1):
        yield f"gif, a screen of {side}", gif[:6] + struct.pack("<HH", side, side) + gif[10:]
    yield "gif of comments", gif[:behind] + b"\x21\xfe\x01a\0" * 4_000_000 + gif[behind:]
    base = png(7000, 7000)
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 7000, 7000, 0, 0, 1, 10, 0, 0))
    for name, count, frames in (("many", 2**31 - 1, b""), ("100,000", 100_000, frame * 100_000)):
        yield f"png that says {name} frames", base[:33] + chunk(b"acTL", struct.pack(">II", count, 0)) + frames + base[33:]


def _profiles(face: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Colour profiles with a table of many cells, a curve of millions of points, and one that lies of its length."""
    head = bytes([3, 3, 33, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + head + bytes(range(256)) * 3 + b"\x80" * 33**3 * 3 + bytes(range(256)) * 3
    white = b"XYZ " + bytes(4) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    tables = _profile({b"A2B0": table, b"B2A0": table, b"wtpt": white})
    yield "png of 49 million, a profile of tables", saved(face.resize((7000, 7000)), "PNG", icc_profile=tables, compress_level=1)
    for name, said, held in (("of 4 million points", 4_000_000, 8_000_000), ("that lies", 2**31 - 1, 100)):
        curve = b"curv" + bytes(4) + struct.pack(">I", said) + bytes(held)
        colours = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve) | dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), white)
        yield f"png, a profile's curve {name}", saved(face, "PNG", icc_profile=_profile(colours))


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of a monitor with these tags."""
    at, listed, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, held in tags.items():
        listed += name + struct.pack(">II", at + len(body), len(held))
        body += held
    about = b"lcms\x04\x20\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    return struct.pack(">I", 128 + len(listed) + len(body)) + about + bytes(48) + listed + body
