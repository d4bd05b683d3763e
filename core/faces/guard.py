"""What a file costs before it is decoded: how many parts it is made of, and how much memory its pixels will take.

Pillow reads the parts of a file's header one by one in Python and keeps what they hold: 25 MB of empty comments or of
fill bytes are harmless as data, but take ten seconds or hundreds of megabytes to walk through.
"""

from __future__ import annotations

from PIL import Image, JpegImagePlugin

PARTS = 20_000  # chunks of a PNG, segments of a JPEG; encoders write a PNG in pieces of 8 KB: 3,000 in 25 MB
JUNK = 65_536  # bytes between the segments of a JPEG; none belong there
MEMORY = 450_000_000  # bytes that a photo may take while it is decoded
_COPY = 3  # bytes a pixel of the array that is handed on
_PIXEL = 4  # of Pillow's own picture


def too_many_parts(data: bytes) -> bool:
    """Whether only somebody who means harm would write this file so."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _chunks(data) > PARTS
    return data.startswith(b"\xff\xd8") and _segments(data) > PARTS


def bytes_per_pixel(image: Image.Image) -> int:
    """The most that is held at once for each pixel, once an opened picture is decoded."""
    if image.format == "WEBP":
        return 4 * _PIXEL  # two canvases of the decoder's, what it hands out, Pillow's picture
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.info.get("progressive"):
        return 2 * image.layers + _PIXEL  # every coefficient is kept, in two bytes, until the last pass
    return _PIXEL + _COPY


def _chunks(data: bytes) -> int:
    """How many chunks a PNG has, counted as far as matters."""
    place, count = 8, 0
    while place + 12 <= len(data) and count <= PARTS:
        place += 12 + int.from_bytes(data[place : place + 4])
        count += 1
    return count


def _segments(data: bytes) -> int:
    """How many segments a JPEG has before its first scan; more than `PARTS` for too much between them."""
    place, count, junk = 2, 0, 0
    while count <= PARTS and junk <= JUNK:
        marker = data.find(b"\xff", place)
        if marker < 0:
            return PARTS + 1 if len(data) - place > JUNK else count
        junk += marker - place
        place = marker + 1
        kind = data[place] if place < len(data) else 0xD9
        if kind in (0xFF, 0x00):
            junk += 1
        elif kind in (0xDA, 0xD9):  # the first scan, the end
            return count
        elif kind == 0x01 or 0xD0 <= kind <= 0xD8:  # these stand alone
            place, count = place + 1, count + 1
        else:
            place, count = place + 1 + max(2, int.from_bytes(data[place + 1 : place + 3])), count + 1
    return PARTS + 1
