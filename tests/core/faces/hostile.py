"""Files that a stranger might send, made from seeds: mutated, cut off, disguised, grown out of all proportion.

`files()` yields some thousands of small ones, `bombs()` the few that are heavy. Nothing here is a photo of a person but
the sample that the caller brings.
"""

from __future__ import annotations

import io
import itertools
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
BIG = (7071, 7070)  # just under 50 million pixels
Make = Callable[[], bytes]  # of a file that takes seconds to make


def chunk(kind: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    depth: int = 8,
    colour: int = 2,
    *,
    interlaced: bool = False,
    rows: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A black PNG of any header, true or not; `rows` of its pixels are really there (None: all)."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    packer = zlib.compressobj(9)
    body = b""
    sizes = _passes(width, height) if interlaced else [(width, height)]
    for across, down in sizes:
        row = b"\0" + bytes(min(across * channels * depth + 7, 2**24) // 8)
        body += b"".join(packer.compress(row) for _ in range(down if rows is None else rows))
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return PNG + chunk(b"IHDR", header) + extra + palette + chunk(b"IDAT", body + packer.flush()) + chunk(b"IEND", b"")


def _passes(width: int, height: int) -> list[tuple[int, int]]:
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    sizes = [((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in steps]
    return [size for size in sizes if min(size) > 0]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def heic(image: Image.Image) -> bytes:
    from pillow_heif import from_pillow  # as in the code: only where it is needed

    out = io.BytesIO()
    from_pillow(image).save(out, quality=90)
    return out.getvalue()


def sound(face: Image.Image) -> dict[str, bytes]:
    """One picture in every way that the formats have to hold it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words " * 500
    alpha = face.copy()
    alpha.putalpha(face.convert("L"))
    frames = [face.rotate(90 * n) for n in range(1, 4)]
    return {
        "jpeg": saved(face, "JPEG"), "jpeg progressive": saved(face, "JPEG", progressive=True, exif=exif),
        "jpeg grey": saved(face.convert("L"), "JPEG"), "jpeg cmyk": saved(face.convert("CMYK"), "JPEG"),
        "jpeg of several": saved(face, "MPO", save_all=True, append_images=frames),
        "png": saved(face, "PNG", exif=exif), "png palette": saved(face.quantize(64), "PNG", transparency=3),
        "png alpha": saved(alpha, "PNG"), "png 16 bit": saved(face.convert("L").convert("I;16"), "PNG"),
        "png 1 bit": saved(face.convert("1"), "PNG"), "png grey alpha": saved(alpha.convert("LA"), "PNG"),
        "png animated": saved(face, "PNG", save_all=True, append_images=frames),
        "webp": saved(face, "WEBP", exif=exif), "webp lossless": saved(face, "WEBP", lossless=True),
        "webp alpha": saved(alpha, "WEBP"), "webp animated": saved(face, "WEBP", save_all=True, append_images=frames),
        "gif": saved(face.quantize(64), "GIF"), "gif animated": saved(face, "GIF", save_all=True, append_images=frames),
        "avif": saved(face, "AVIF", exif=exif), "avif alpha": saved(alpha, "AVIF"), "heic": heic(face), "heic alpha": heic(alpha),
    }  # fmt: skip


def files(face: Image.Image, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of more than two thousand files."""
    dice, whole = random.Random(seed), sound(face)
    yield from whole.items()
    for name, data in whole.items():
        for number in range(32):
            yield f"{name}, cut off {number}", data[: dice.randrange(40 if number < 10 else len(data))]
        for number in range(60):
            yield f"{name}, mutated {number}", mutated(data, dice)
    for (name, data), other in itertools.product(whole.items(), (whole["jpeg"], whole["png"], whole["webp"])):
        place, start = dice.randrange(len(data)), dice.randrange(len(other))
        yield f"{name}, spliced", data[:place] + other[start:]
        yield f"{name}, one before another", data + other
    yield from disguised(whole)
    yield from headers(whole)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Some bits flipped, bytes replaced, doubled, taken out; half of the time in the headers."""
    new = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(min(len(new), 700) if dice.random() < 0.5 else len(new))
        match dice.randrange(5):
            case 0:
                new[place] ^= 1 << dice.randrange(8)
            case 1:
                new[place : place + 4] = struct.pack(">I", dice.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000]))
            case 2:
                new[place:place] = new[place : place + dice.randrange(200)]
            case 3:
                del new[place : place + dice.randrange(40)]
            case _:
                new[place : place + 2] = dice.randbytes(2)
        new = new or bytearray(data)
    return bytes(new)


def others(face: Image.Image) -> dict[str, bytes]:
    """Files of other kinds, among them some that Pillow could read."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("../../evil.sh", "#!/bin/sh\n")
    kinds = ("GIF", "BMP", "TIFF", "ICO", "PPM", "PDF", "TGA", "PCX", "EPS", "JPEG2000")
    pictures = {kind: saved(face, kind) for kind in kinds}
    return {
        **pictures, "zip": archive.getvalue(), "html": b"<html><script>alert(1)</script></html>", "empty": b"",
        "zeros": bytes(4096),
        "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "script": b"#!/bin/sh\nexit 0\n", "elf": b"\x7fELF\x02\x01\x01" + bytes(200), "exe": b"MZ" + bytes(200),
        "heic": b"\0\0\0\x18ftypheic" + bytes(100), "avif": b"\0\0\0\x18ftypavif" + bytes(100),
        "mp4": b"\0\0\0\x18ftypmp42" + bytes(100),
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.", "gzip": b"\x1f\x8b\x08" + bytes(100), "text": b"photo " * 100,
    }  # fmt: skip


def disguised(whole: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Other files behind, before and inside pictures."""
    with Image.open(io.BytesIO(whole["png"])) as image:
        strange = others(image.convert("RGB"))
    for name, body in strange.items():
        yield f"only {name}", body
        for host in ("jpeg", "png", "webp"):
            data = whole[host]
            yield f"{name} behind {host}", data + body
            yield f"{name} before {host}", body + data
            yield f"{name} with the first bytes of {host}", data[:12] + body
        comment = b"\xff\xfe" + struct.pack(">H", min(len(body), 60_000) + 2) + body[:60_000]
        yield f"{name} in a comment", whole["jpeg"][:2] + comment + whole["jpeg"][2:]
        yield f"{name} in a chunk", whole["png"][:33] + chunk(b"tEXt", b"a\0" + body) + whole["png"][33:]


def headers(whole: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Sizes, depths and counts that lie."""
    sizes = [
        (0, 0),
        (1, 1),
        (1, 30_001),
        (2**31 - 1, 1),
        (2**31 - 1, 2**31 - 1),
        (2**32 - 1, 2**32 - 1),
        (60_000, 60_000),
        (64, 64),
    ]
    for (width, height), depth, colour in itertools.product(sizes, (1, 2, 4, 8, 16, 32), (0, 2, 3, 4, 6, 7)):
        yield f"png {width}x{height} depth {depth} colour {colour}", png(width, height, depth, colour, rows=1)
    jpeg = whole["jpeg"]
    frame = jpeg.index(b"\xff\xc0")
    for width, height in ((0, 0), (1, 1), (65_535, 65_535), (65_535, 1), (30_001, 10)):
        for parts in (0, 1, 3, 4, 255):
            lie = struct.pack(">HHB", height, width, parts)
            yield f"jpeg {width}x{height} of {parts}", jpeg[: frame + 5] + lie + jpeg[frame + 10 :]
    extended = whole["webp alpha"]
    for size, flags in itertools.product((0, 1, 2**14, 2**24 - 1), (0x00, 0x02, 0x10, 0x3E, 0xFF)):
        lie = bytes([flags, 0, 0, 0]) + size.to_bytes(3, "little") * 2
        yield f"webp {size} flags {flags}", extended[:20] + lie + extended[30:]


def bombs(face: Image.Image) -> Iterator[tuple[str, Make]]:
    """Small files, and some of 25 MB, that cost a decoder much: memory, or time. Each is made when it is called for."""
    yield "png of 50 million", lambda: png(*BIG)
    yield "png, transparent, 16 bit, interlaced", lambda: png(*BIG, 16, 6, interlaced=True)
    yield "png, 16 bit grey", lambda: png(*BIG, 16, 0)
    yield "png, transparent palette", lambda: png(*BIG, 8, 3).replace(b"IDAT", b"IDAT", 1)
    yield "jpeg of 50 million", lambda: saved(_flat(), "JPEG", exif=_turned())
    for size in ((6700, 6700), BIG):
        yield f"jpeg of 64 passes, {size}", partial(_of_64_passes, size)
    yield "jpeg, cmyk, progressive", lambda: saved(_flat((6100, 6100)).convert("CMYK"), "JPEG", progressive=True)
    yield "webp of 28 million", lambda: saved(_flat((5300, 5300)), "WEBP", quality=1, method=0)
    yield "webp of 50 million", lambda: saved(_flat(), "WEBP", quality=1, method=0)
    yield (
        "webp, two large frames",
        lambda: saved(_flat((5300, 5300)), "WEBP", save_all=True, append_images=[face.resize((5300, 5300))], method=0, quality=1),
    )
    yield "a face of 49 million", lambda: saved(face.resize((7000, 7000)), "JPEG", quality=30)
    yield "gif of 50 million", lambda: saved(_flat().convert("P"), "GIF")
    yield "tiff of 50 million", lambda: saved(_flat(), "TIFF", compression="tiff_lzw")
    yield from _of_many_parts(saved(face, "JPEG"), saved(face, "PNG"))


def _of_many_parts(small: bytes, square: bytes) -> Iterator[tuple[str, Make]]:
    """A JPEG and a PNG grown by millions of their own parts, or by parts that unpack to more."""
    for name, segment in (
        ("comments", b"\xff\xfe\0\2"), ("exif", b"\xff\xe1\0\x08Exif\0\0"), ("profiles", b"\xff\xe2\0\x10ICC_PROFILE\0\1\1"),
        ("fill", b"\xff"), ("junk", b"\0"),
    ):  # fmt: skip
        yield f"jpeg of {name}", partial(_grown, small, segment, 2)
    yield "jpeg of large exif", lambda: small[:2] + (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 380 + small[2:]
    for name, part in (("text", chunk(b"tEXt", b"a\0")), ("nothing", chunk(b"abcd", b"")), ("no data", chunk(b"IDAT", b""))):
        yield f"png of {name}", partial(_grown, square, part, 33)
        yield f"png with {name} at the end", partial(_grown, square, part, -12)
    for kind in (b"zTXt", b"iCCP"):
        yield f"png, {kind.decode()} of 300 MB", partial(_packed, square, kind, 300_000_000, 1)
    yield "png, 60 texts of 1 MB", partial(_packed, square, b"zTXt", 1_000_000, 60)
    entries = b"\x01\x12\0\x03\xff\xff\xff\xff\0\0\0\x08" * 65_535
    exif = chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + entries)
    yield "png, exif of 65,535 entries", lambda: square[:33] + exif + square[33:]


def _flat(size: tuple[int, int] = BIG) -> Image.Image:
    return Image.new("RGB", size)


def _of_64_passes(size: tuple[int, int]) -> bytes:
    progressive = saved(_flat(size), "JPEG", progressive=True, subsampling=0)
    last = progressive[progressive.rindex(b"\xff\xda") : -2]
    return progressive[:-2] + last * (64 - progressive.count(b"\xff\xda")) + progressive[-2:]


def _grown(data: bytes, part: bytes, place: int) -> bytes:
    """The file with 24 MB of this part put in there."""
    return data[:place] + part * (24_000_000 // len(part)) + data[place:]


def _packed(square: bytes, kind: bytes, count: int, times: int) -> bytes:
    """The PNG with chunks whose text unpacks to so many bytes."""
    return square[:33] + chunk(kind, b"a\0\0" + _zeros(count)) * times + square[33:]


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(count // 1_000_000)) + packer.flush()
