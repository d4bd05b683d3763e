"""Bombs of the younger formats: AVIF and HEIC whose boxes lie, animations, screens larger than frames, colour profiles.

`hostile.bombs()` has those of JPEG, PNG and WebP.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from functools import partial

from PIL import Image

from tests.core.faces.hostile import BIG, Make, chunk, heic, png, saved

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


def box_bombs(face: Image.Image) -> Iterator[tuple[str, Make]]:
    """Small files, and some of 20 MB, that cost a decoder much: memory, or time. Each is made when it is called for."""
    yield "avif of 50 million", lambda: saved(Image.new("RGB", BIG), "AVIF", quality=1, speed=10)
    yield "heic of 49 million", lambda: heic(Image.new("RGB", (7000, 7000)))
    for name, data in (("avif", saved(face, "AVIF")), ("heic", heic(face))):
        yield from _of_boxes(name, data)
    for kind in ("AVIF", "WEBP"):
        yield f"{kind}, exif of 65,535 entries", partial(_of_many_entries, face, kind)
    yield "avif, three large frames", lambda: _of_three_frames(face.resize((5000, 5000)))
    yield from _animations(face)
    yield from _profiles(face)


def _of_boxes(name: str, data: bytes) -> Iterator[tuple[str, Make]]:
    size, start = data.index(b"ispe") + 8, data.index(b"meta") - 4
    for width, height in (BIG, (2**31 - 1, 2**31 - 1), (30_000, 1700)):
        said = data[:size] + struct.pack(">II", width, height) + data[size + 8 :]
        yield f"{name} that says {width}x{height}", partial(bytes, said)
    items = data.index(b"iloc") + 4
    yield f"{name}, 65,535 places of items", lambda: data[:items] + b"\0\0\0\0\x44\0\xff\xff" + data[items + 8 :]
    yield f"{name}, boxes in boxes", lambda: data[:start] + _nested(3000) + data[start:]
    empty = box(b"free", b"")
    yield f"{name}, two million boxes", lambda: data[:start] + empty * 2_000_000 + data[start:]
    within = end_of(data, b"meta")
    more = 2_500_000 * len(empty)
    yield f"{name}, as many in one", lambda: grown(data[:within] + empty * 2_500_000 + data[within:], (b"meta",), more)
    yield f"{name}, 180,000 facts", partial(_of_facts, data, box(b"colr", b"prof" + bytes(100)) * 180_000)


def _nested(depth: int) -> bytes:
    deep = b""
    for _ in range(depth):
        deep = box(b"meta", bytes(4) + deep)
    return deep


def _of_facts(data: bytes, more: bytes) -> bytes:
    facts = end_of(data, b"ipco")
    return grown(data[:facts] + more + data[facts:], (b"ipco", b"iprp", b"meta"), len(more))


def _of_many_entries(face: Image.Image, kind: str) -> bytes:
    with warnings.catch_warnings(action="ignore"):  # Pillow reads what it is to write
        return saved(face, kind, exif=_ENTRIES)


def _of_three_frames(large: Image.Image) -> bytes:
    flat = Image.new("RGB", large.size)
    return saved(flat, "AVIF", save_all=True, append_images=[large] * 2, speed=10, quality=1)


def _animations(face: Image.Image) -> Iterator[tuple[str, Make]]:
    gif = saved(face.quantize(16), "GIF")
    behind = 13 + (3 << ((gif[10] & 7) + 1))
    for side in (65_535, 7000, 1):
        yield f"gif, a screen of {side}", partial(bytes, gif[:6] + struct.pack("<HH", side, side) + gif[10:])
    yield "gif of comments", lambda: gif[:behind] + b"\x21\xfe\x01a\0" * 4_000_000 + gif[behind:]
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 7000, 7000, 0, 0, 1, 10, 0, 0))
    for name, count, frames in (("many", 2**31 - 1, b""), ("100,000", 100_000, frame * 100_000)):
        yield f"png that says {name} frames", partial(_of_frames, count, frames)


def _of_frames(count: int, frames: bytes) -> bytes:
    base = png(7000, 7000)
    return base[:33] + chunk(b"acTL", struct.pack(">II", count, 0)) + frames + base[33:]


def _profiles(face: Image.Image) -> Iterator[tuple[str, Make]]:
    """Colour profiles with a table of many cells, a curve of millions of points, and one that lies of its length."""
    yield "png of 49 million, a profile of tables", partial(_of_tables, face)
    for name, said, held in (("of 4 million points", 4_000_000, 8_000_000), ("that lies", 2**31 - 1, 100)):
        yield f"png, a profile's curve {name}", partial(_of_points, face, said, held)


_WHITE = b"XYZ " + bytes(4) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)


def _of_tables(face: Image.Image) -> bytes:
    head = bytes([3, 3, 33, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + head + bytes(range(256)) * 3 + b"\x80" * 33**3 * 3 + bytes(range(256)) * 3
    tables = _profile({b"A2B0": table, b"B2A0": table, b"wtpt": _WHITE})
    return saved(face.resize((7000, 7000)), "PNG", icc_profile=tables, compress_level=1)


def _of_points(face: Image.Image, said: int, held: int) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">I", said) + bytes(held)
    colours = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve) | dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), _WHITE)
    return saved(face, "PNG", icc_profile=_profile(colours))


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of a monitor with these tags."""
    at, listed, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, held in tags.items():
        listed += name + struct.pack(">II", at + len(body), len(held))
        body += held
    about = b"lcms\x04\x20\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    return struct.pack(">I", 128 + len(listed) + len(body)) + about + bytes(48) + listed + body
