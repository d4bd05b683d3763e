"""Writes an animated GIF of edited frames, in which all that the edit left alone keeps its colours to the bit.

A frame of a GIF has 256 colours at most. So a frame gets the colours that it has where nothing was edited, then as many of the
edit's own as there is room for; what is edited is laid out in those by a fixed pattern, which does not flicker as the errors of
a diffusion do.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
_COLOURS: Final = 256
_SPREAD: Final = 10  # levels over which the pattern moves a colour, to reach its neighbour in the palette
_PATTERN: Final = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 - 15 / 32


def gif(
    frames: Sequence[Picture], before: Sequence[Picture], durations: Sequence[float], loops: int | None, packet: bytes
) -> bytes:
    """Encode frames, uint8 [H, W, 3] or [H, W, 4], with `durations` in milliseconds; `before` are the same without the edit.

    `loops`: how often it plays again, 0 for ever, None for not again. `packet` is the XMP packet. A frame that shows any
    transparency is cleared before the next; else only what changes is written.
    """
    height, width = frames[0].shape[:2]
    clear = any(one.shape[2] == 4 for one in frames)
    parts = [b"GIF89a", width.to_bytes(2, "little"), height.to_bytes(2, "little"), b"\x70\0\0"]
    if loops is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + loops.to_bytes(2, "little") + b"\0")
    shown: Picture | None = None
    for frame, old, duration in zip(frames, before, durations, strict=True):
        rows, columns = (slice(0, height), slice(0, width)) if clear or shown is None else _changed(frame, shown)
        here = (rows, columns)
        kept = None if clear or shown is None else (frame[here] == shown[here]).all(axis=2)
        parts.append(_frame(frame[here], old[here], kept, (columns.start, rows.start), duration, clear=clear))
        shown = frame
    return b"".join([*parts, with_xmp(packet), b"\x3b"])


def with_xmp(packet: bytes) -> bytes:
    """Make the application extension that holds an XMP packet (XMP specification, part 3, 1.1.2).

    The packet is not split into blocks. A reader of blocks jumps through it and lands in the descending bytes behind it, each
    of which leads to the terminator.
    """
    return b"\x21\xff\x0bXMP DataXMP" + packet + b"\x01" + bytes(range(255, -1, -1)) + b"\x00"


def _changed(frame: Picture, shown: Picture) -> tuple[slice, slice]:
    """Find the rows and columns of the smallest box in which a frame differs from the one before it; a pixel if in none."""
    differs = (frame != shown).any(axis=2)
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _frame(
    frame: Picture, old: Picture, kept: NDArray[np.bool_] | None, corner: tuple[int, int], duration: float, *, clear: bool
) -> bytes:
    """Write one frame: its control block, its place, its palette and its pixels, but those that are `kept` [H, W] as they are."""
    indices, palette, hole = _in_colours(frame, old, kept)
    flags = (2 if clear else 1) << 2 | (hole is not None)
    control = b"\x21\xf9\x04" + bytes([flags]) + min(round(duration / 10), 0xFFFF).to_bytes(2, "little")
    height, width = indices.shape
    bits = max(1, (len(palette) - 1).bit_length())
    table = palette.tobytes().ljust(3 << bits, b"\0")
    place = b"".join(one.to_bytes(2, "little") for one in (*corner, width, height))
    return b"".join([control, bytes([hole or 0, 0]), b"\x2c", place, bytes([0x80 | (bits - 1)]), table, _packed(indices)])


def _packed(indices: Picture) -> bytes:
    """Compress indices [H, W] as the data blocks of a GIF's frame, by Pillow."""
    image, buffer = Image.frombytes("P", indices.shape[::-1], indices.tobytes()), io.BytesIO()
    image.putpalette(bytes(range(256)) * 3)
    image.save(buffer, "GIF", optimize=False, interlace=0)
    data = buffer.getvalue()
    start = 13 + (3 << ((data[10] & 7) + 1))
    while data[start] == 0x21:  # a control block, if Pillow writes one
        start += 3 + data[start + 2] + 1
    return data[start + 10 : -1]


def _in_colours(frame: Picture, old: Picture, kept: NDArray[np.bool_] | None) -> tuple[Picture, Picture, int | None]:
    """Choose the palette of a frame: indices [H, W] into it, its colours [N, 3], and which of them is transparent, if any.

    Where earlier frames were laid over each other there may be too many colours, though not in what is new: then what is `kept`
    is left out. If there are too many all the same, none stays as it is to the bit.
    """
    seen = frame[..., :3]
    hole = frame[..., 3] < 128 if frame.shape[2] == 4 else np.zeros(frame.shape[:2], bool)
    edited = (seen != old[..., :3]).any(axis=2)
    if kept is not None and len(np.unique(_codes(seen[~edited]))) > _COLOURS:
        hole = kept
    edited, still, room = edited & ~hole, ~edited & ~hole, _COLOURS - int(hole.any())
    colours, where = np.unique(_codes(seen[still]), return_inverse=True)
    if len(colours) > room:
        edited, still, colours, where = ~hole, np.zeros_like(hole), colours[:0], where[:0]
    palette = _colours(colours)
    indices = np.zeros(hole.shape, np.uint8)
    if edited.any():
        palette = np.concatenate([palette, _own(seen[edited], room - len(palette))])
        indices[edited] = _nearest(seen, edited, palette)
    indices[still] = where
    if not hole.any():
        return indices, palette, None
    indices[hole] = len(palette)
    return indices, np.concatenate([palette, np.zeros((1, 3), np.uint8)]), len(palette)


def _codes(pixels: Picture) -> NDArray[np.uint32]:
    wide = pixels.astype(np.uint32)
    codes: NDArray[np.uint32] = (wide * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(axis=-1, dtype=np.uint32)
    return codes


def _colours(codes: NDArray[np.uint32]) -> Picture:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


def _own(pixels: Picture, room: int) -> Picture:
    """Choose at most `room` colours for pixels [N, 3]."""
    if room < 2:
        return np.zeros((0, 3), np.uint8)
    strip = Image.fromarray(np.ascontiguousarray(pixels[None]))
    palette = strip.quantize(room, method=Image.Quantize.MEDIANCUT).getpalette() or []
    return np.array(palette, np.uint8).reshape(-1, 3)[:room]


def _nearest(pixels: Picture, where: NDArray[np.bool_], palette: Picture) -> Picture:
    """Find the nearest colour of the palette [N, 3] for the pixels [H, W, 3] that are set in `where`: indices [M]."""
    height, width = pixels.shape[:2]
    pattern = np.tile(_PATTERN, (height // 4 + 1, width // 4 + 1))[:height, :width, None] * _SPREAD
    moved = (pixels + pattern).round().clip(0, 255).astype(np.int32)[where]
    found = np.empty(len(moved), np.uint8)
    known = palette.astype(np.int32)
    for start in range(0, len(moved), 1 << 14):
        part = moved[start : start + (1 << 14)]
        apart = (known**2).sum(axis=1)[None] - 2 * part @ known.T  # and the part's own square, which is the same for all
        found[start : start + len(part)] = apart.argmin(axis=1)
    return found
