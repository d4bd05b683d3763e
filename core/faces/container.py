"""Parses a photo's file far enough to tell its kind, where its picture ends, and how many parts it consists of.

Phones append more to a picture: a motion photo's film, a second picture, a gain map. None of that is parsed or given to a
decoder. Pillow reads the parts of a header one by one in Python and keeps their content: 25 MB of empty comments or of fill
bytes are harmless as data, but take ten seconds or hundreds of megabytes to parse. So the parts are counted first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

PARTS: Final = 20_000  # chunks of a PNG, segments of a JPEG; encoders write a PNG in pieces of 8 KB: 3,000 in 25 MB
JUNK: Final = 65_536  # bytes between the segments of a JPEG; none belong there
HEAD: Final = 2**20  # bytes in which what a file says of its picture is looked for
BLOCKS: Final = 500_000  # of a GIF's first frame: they hold up to 255 bytes each, 100,000 in 25 MB

Kind = Literal["jpeg", "png", "webp", "gif", "avif", "heic"]

# A marker within a JPEG's scans: FF 00 is a byte of the picture there, FF D0 to D7 part it, and FF FF is a fill byte.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a frame header: of each way of encoding
_JUNK: Final = -1  # in the place of a marker
_AV1: Final = (b"avif", b"avis")
_HEVC: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_BOXES: Final = {
    b"ftyp",
    b"meta",
    b"mdat",
    b"moov",
    b"idat",
    b"free",
    b"skip",
    b"wide",
    b"uuid",
    b"mini",
    b"sidx",
    b"moof",
    b"mfra",
}
_GAIN_MAPS: Final = (b'hdrgm:Version="', b"hdrgm:Version>", b"urn:iso:std:iso:ts:21496:-1")  # Adobe's and ISO's; of Ultra HDR


@dataclass(frozen=True)
class Signal:
    """Colours by their numbers (ITU-T H.273): of the primaries, and of the curve from light to levels."""

    primaries: int
    transfer: int


@dataclass(frozen=True)
class Container:
    """The bytes of one picture, without what follows it in the file."""

    kind: Kind
    data: bytes
    ended: bool  # whether its end was found; one whose end is missing may yet be whole
    excessive: bool  # whether only somebody who means harm would write a file of so many parts
    gain_map: bool = False  # whether there is a map behind it that makes it brighter on a screen of high dynamic range
    signal: Signal | None = None  # the colours of its picture, where it names them by numbers
    deep: bool = False  # whether it is a JPEG of more than 8 bits a colour
    frames: int | None = None  # of a GIF that was opened as a whole


def opened(data: bytes, *, whole: bool = False) -> Container | None:
    """Parse the picture that a file begins with; None for other kinds of files. With `whole` a GIF keeps all its frames."""
    kind = _kind(data)
    if kind is None:
        return None
    if kind == "gif" and whole:
        frames, end, blocks = _gif_frames(data)
        return Container(kind, data[:end], end is not None, blocks > BLOCKS, frames=frames)
    end, parts, most = _ENDS[kind](data)
    if kind == "gif":
        return Container(kind, _still(data) if end else data, end is not None, parts > most)
    head = data[: min(end or len(data), HEAD)]
    gain_map = kind == "jpeg" and any(one in head for one in _GAIN_MAPS)
    deep = kind == "jpeg" and _deep(head)
    return Container(kind, data[:end], end is not None, parts > most, gain_map, _signal(kind, head), deep)


def _kind(data: bytes) -> Kind | None:
    if data.startswith(b"\xff\xd8"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4]), 4096)
        brands = [data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))]
        # a picture of either kind may name mif1 first: its other brands decide
        if any(brand in _AV1 for brand in brands):
            return "avif"
        if any(brand in _HEVC for brand in brands):
            return "heic"
    return None


def _png(data: bytes) -> tuple[int | None, int, int]:
    """Find where a PNG's last chunk ends (None if it doesn't), and count its chunks up to just over PARTS.

    Like the parsers of other kinds it returns (end, number of parts, the most that are accepted).
    """
    place, count = 8, 0
    while place + 12 <= len(data) and count <= PARTS:
        last = data[place + 4 : place + 8] == b"IEND"
        place += 12 + int.from_bytes(data[place : place + 4])
        count += 1
        if last:
            return (place if place <= len(data) else None), count, PARTS
    return None, count, PARTS


def _webp(data: bytes) -> tuple[int | None, int, int]:
    end = 8 + int.from_bytes(data[4:8], "little")
    return (end if end <= len(data) else None), 0, PARTS


def is_exact_webp(data: bytes) -> bool:
    """Tell whether the picture of a WebP is lossless, or the first frame of an animated one."""
    place = 12
    while place + 8 <= len(data):
        if data[place : place + 3] == b"VP8" and data[place + 3 : place + 4] != b"X":
            return data[place + 3 : place + 4] == b"L"
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 24 if data[place : place + 4] == b"ANMF" else 8 + size + size % 2  # a frame's chunks are within its own
    return False


def _jpeg(data: bytes) -> tuple[int | None, int, int]:
    """Find where a JPEG's end marker ends, and count its segments; too much junk between them counts as too many."""
    count = 0
    for kind, place in _segments(data):
        if kind == _JUNK:
            return None, PARTS + 1, PARTS
        if kind == 0xD9:
            return place, count, PARTS
        count += 1
        if count > PARTS:
            break
    return None, count, PARTS


def _deep(head: bytes) -> bool:
    """Tell whether the frame header of a JPEG (ITU-T T.81, B.2.2) says more than 8 bits a sample; False where there is none."""
    for kind, at in itertools.islice(_segments(head), PARTS):
        if kind in _FRAMES:
            return head[at + 2 : at + 3] > b"\x08"
    return False


def all_scans(data: bytes) -> bool:
    """Tell whether a JPEG has all bits of every coefficient of each colour component (ITU-T T.81, B.2 and G.1)."""
    parts: list[int] = []
    bits: dict[tuple[int, int], int] = {}  # by part and coefficient: the lowest bit so far
    for kind, at in _segments(data):
        if kind in (0xC0, 0xC1, 0xC2) and len(data) > at + 7:
            parts = list(data[at + 8 : at + 8 + 3 * data[at + 7] : 3])
        elif kind == 0xDA and len(data) > at + 2:
            count = data[at + 2]
            script = data[at + 3 + 2 * count : at + 6 + 2 * count]
            if len(script) == 3:
                each = range(script[0], min(script[1], 63) + 1)
                bits |= {(part, one): script[2] & 15 for part in data[at + 3 : at + 3 + 2 * count : 2] for one in each}
    return bool(parts) and all(bits.get((part, one)) == 0 for part in parts for one in range(64))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the markers of a JPEG with the position after each, up to the end marker.

    Ends with `_JUNK` in place of a marker if too many bytes lie between the segments.
    """
    place, junk = 2, 0
    while (marker := data.find(b"\xff", place)) >= 0:
        junk += marker - place
        place = marker + 1
        kind = data[place] if place < len(data) else 0
        if kind in (0xFF, 0x00):
            junk += 1
        else:
            place += 1
            yield kind, place
            if kind == 0xD9:
                return
            if kind != 0x01 and not 0xD0 <= kind <= 0xD8:  # those stand alone
                place += max(2, int.from_bytes(data[place : place + 2]))
            if kind == 0xDA:  # a scan: its bytes go on to the next marker
                found = _MARKER.search(data, place)
                if found is None:
                    return
                place = found.start()
        if junk > JUNK:
            break
    if junk + max(0, len(data) - place if marker < 0 else 0) > JUNK:
        yield _JUNK, place


def _boxes(data: bytes) -> tuple[int | None, int, int]:
    """Find where the boxes of a picture in ISO's base media format end, and count them."""
    place, count = 0, 0
    while place + 8 <= len(data) and count <= PARTS and data[place + 4 : place + 8] in _BOXES:
        size = int.from_bytes(data[place : place + 4])
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16])
        if size < 8:  # 0: the last one, whose end is the file's
            return (len(data) if size == 0 else None), count, PARTS
        if place + size > len(data):
            return None, count, PARTS
        place, count = place + size, count + 1
    return place, count, PARTS


def _signal(kind: Kind, head: bytes) -> Signal | None:
    """Read the numbers of a picture's colours: a PNG's chunk `cICP`, or the first box `colr` of the type `nclx`."""
    if kind == "png":
        place = 8
        while head[place + 4 : place + 8] not in (b"cICP", b"IDAT", b""):
            place += 12 + int.from_bytes(head[place : place + 4])
        found = head[place + 8 : place + 10]
        return Signal(*found) if head[place : place + 8] == b"\0\0\0\4cICP" and len(found) == 2 else None
    if kind not in ("avif", "heic"):
        return None
    for meta in _within(head, b"meta"):
        for iprp in _within(meta[4:], b"iprp"):  # after a version and flags
            for ipco in _within(iprp, b"ipco"):
                for colr in _within(ipco, b"colr"):
                    if colr[:4] == b"nclx" and len(colr) >= 10:
                        return Signal(int.from_bytes(colr[4:6]), int.from_bytes(colr[6:8]))
    return None


def _within(boxes: bytes, name: bytes) -> Iterator[bytes]:
    """Yield what is in each of the boxes of that name."""
    place = 0
    while place + 8 <= len(boxes):
        size = int.from_bytes(boxes[place : place + 4])
        if size < 8:
            return
        if boxes[place + 4 : place + 8] == name:
            yield boxes[place + 8 : place + size]
        place += size


def _gif(data: bytes) -> tuple[int | None, int, int]:
    """Find where a GIF's first frame ends, and count the blocks up to there."""
    place, blocks = _after_header(data), 0
    while blocks <= BLOCKS and place < len(data):
        kind = data[place]
        if kind == 0x21:
            place, more = _past_blocks(data, place + 2)
            blocks += more
        elif kind == 0x2C:
            place, more = _past_blocks(data, _pixels_of(data, place))
            return (place if place <= len(data) else None), blocks + more, BLOCKS
        else:
            return None, blocks, BLOCKS
    return None, blocks, BLOCKS


def _gif_frames(data: bytes) -> tuple[int, int | None, int]:
    """Count the whole frames of a GIF, find where it ends (None if its end is missing), and count its blocks."""
    place, blocks, frames = _after_header(data), 0, 0
    while blocks <= BLOCKS and place < len(data):
        kind = data[place]
        if kind == 0x3B:
            return frames, place + 1, blocks
        if kind not in (0x21, 0x2C):
            break
        place, more = _past_blocks(data, place + 2 if kind == 0x21 else _pixels_of(data, place))
        blocks += more
        frames += kind == 0x2C and place <= len(data)
    return frames, None, blocks


def _still(data: bytes) -> bytes:
    """Make a GIF of the first frame only: header, colours, the frame with its control block, and an end marker."""
    place = start = _after_header(data)
    control = b""
    while data[place] == 0x21:
        if data[place + 1] == 0xF9:
            control = data[place : place + 8]
        place, _ = _past_blocks(data, place + 2)
    end, _ = _past_blocks(data, _pixels_of(data, place))
    return data[:start] + control + data[place:end] + b"\x3b"


def _after_header(data: bytes) -> int:
    return 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)


def _pixels_of(data: bytes, place: int) -> int:
    """Find the position of the data blocks of the frame at `place`: after ten bytes of header, its colours and its code size."""
    flags = data[place + 9] if place + 9 < len(data) else 0
    return place + 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)


def _past_blocks(data: bytes, place: int) -> tuple[int, int]:
    """Find the position after a row of blocks (beyond the file if it has no end), and count them up to just over BLOCKS."""
    count = 0
    while place < len(data) and count <= BLOCKS:
        size = data[place]
        place, count = place + 1 + size, count + 1
        if size == 0:
            return place, count
    return len(data) + 1, count


_ENDS: Final[Mapping[Kind, Callable[[bytes], tuple[int | None, int, int]]]] = {
    "jpeg": _jpeg, "png": _png, "webp": _webp, "gif": _gif, "avif": _boxes, "heic": _boxes,
}  # fmt: skip
