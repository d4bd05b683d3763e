"""A file from a stranger -> an upright photo, or one clear refusal. Only the picture leaves this module, no metadata.

The order of the checks is the defence: bytes before anything sees them, the container before a decoder does, pixels from the
header before anything is decoded, then one decoder out of six, under a limit of memory. The photo is decoded whole, never at
the reduced scale that a JPEG offers: an edit goes back into these pixels, and the largest photo that the limits let in is 153
MB of them. Everything after the decoder is done in strips, so that no second copy of the picture is ever held.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core.errors import PhotoTooLarge, UnreadablePhoto
from core.faces import colours
from core.faces.container import Container, opened
from core.faces.decode import decoded, image_of
from core.faces.guard import MEMORY, bytes_per_pixel, memory_held
from core.pictures import PLAIN, Manner
from core.settings import Settings

SIDE_LIMIT = 30_000  # pixels; a 50,000,000 x 1 strip passes a pixel ceiling but no photo is one
SCAN_LIMIT = 64  # of a JPEG; cameras and optimisers write 1 to 12, and each pass over a large picture costs a second
_OWN_BYTES = 5  # bytes a pixel that a photo's file may have which is no stranger's: no kind of file takes more


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo: what a person sees when they open it."""

    pixels: NDArray[np.uint8]  # [H, W, 3], in the photo's own encoding, laid on white where it is transparent
    sha256: str  # of the file's bytes, hex
    manner: Manner = PLAIN  # how its file holds it: the kind, the profile of its colours
    layered: NDArray[np.uint8] | None = None  # [H, W, 4], as the file has it; None where nothing is transparent
    left_out: tuple[str, ...] = ()  # what the file holds beside the picture that no result can keep, in words

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8
        assert self.pixels.shape[2:] == (3,)

    @property
    def srgb(self) -> NDArray[np.uint8]:
        """The pixels as every network wants them. Made anew each time where the photo's colours are others."""
        return self.in_srgb(self.pixels)

    def in_srgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert a picture uint8 [H, W, 3] in this photo's encoding -> sRGB."""
        return colours.to_srgb(pixels, self.manner.profile)

    def encoded(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert a picture uint8 [H, W, 3] in sRGB -> this photo's encoding."""
        return colours.from_srgb(pixels, self.manner.profile)

    def finished(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an edit of `pixels` -> the picture for a file: [H, W, 4] where the photo is transparent, else as it is."""
        return pixels if self.layered is None else colours.lifted_off_white(pixels, self.pixels, self.layered)

    def at_most(self, side: int | None) -> Photo:
        """Make the photo smaller, to that many pixels on its longer side; itself where it is no larger."""
        height, width = self.pixels.shape[:2]
        scale = min(1.0, (side or np.inf) / max(height, width))
        if scale == 1:
            return self
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = [
            None if one is None else np.asarray(Image.fromarray(one).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
            for one in (self.pixels, self.layered)
        ]
        assert small[0] is not None
        pixels = small[0] if small[1] is None else colours.laid_on_white(small[1])
        return Photo(pixels, self.sha256, self.manner, small[1], self.left_out)


def load_photo(source: bytes | Path, settings: Settings, *, own: bool = False) -> Photo:
    """Decode a JPEG, PNG, WebP, GIF, AVIF or HEIC from memory or from a path.

    EXIF orientation is applied; colours stay in the encoding of an embedded RGB profile, others become sRGB; 16 bits a
    channel become 8. Of an animation the first frame is taken: it is what a chat shows before it plays.

    `own`: the file is of whoever runs this, not a stranger's, and may have as many bytes as its pixels can take.
    Raises UnreadablePhoto (no such file, another format, cut off, damaged) and PhotoTooLarge (bytes or pixels beyond
    `settings.max_bytes`, `settings.max_pixels`).
    """
    most = _byte_limit(settings, own=own)
    data = source if isinstance(source, bytes) else _read(source, most)
    check_size(len(data), settings, own=own)
    container = opened(data)
    if container is None:
        raise UnreadablePhoto(reason="it is none of these formats, or damaged from the start")
    if container.excessive:
        raise UnreadablePhoto(reason="it is made of very many parts")
    pixels, profile, manner = _decode(container, settings)
    layered = pixels if pixels.shape[2] == 4 else None
    seen = pixels if layered is None else colours.laid_on_white(layered)
    left_out = ("the map for screens of high dynamic range",) if container.gain_map else ()
    return Photo(seen, hashlib.sha256(data).hexdigest(), Manner.of(manner, profile, len(data)), layered, left_out)


def check_size(size: int, settings: Settings, *, own: bool = False) -> None:
    """Refuse a file of so many bytes, as `load_photo` would: for whoever need not have read it. Raises PhotoTooLarge."""
    most = _byte_limit(settings, own=own)
    if size > most:
        raise PhotoTooLarge(size=_amount(size, "B"), limit=_amount(most, "B"))


def _decode(container: Container, settings: Settings) -> tuple[NDArray[np.uint8], bytes | None, Manner]:
    """Check what the header says, then decode. Returns [H, W, 3 or 4], the profile that it is encoded in, and the manner."""
    limit = _amount(_pixel_limit(settings), "pixels")
    try:
        with warnings.catch_warnings(), memory_held():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF, palettes and sizes; `_check` is stricter
            with closing(image_of(container)) as image:
                _check(image, container, settings)
                return decoded(image, container)
    except (PhotoTooLarge, UnreadablePhoto):
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        told = re.search(r"(\d+) pixels", str(error))
        size = _amount(int(told[1]), "pixels") if told else "too many pixels"
        raise PhotoTooLarge(size=size, limit=limit) from None
    except Exception as error:  # decoders of hostile bytes raise whatever their C code felt like
        raise UnreadablePhoto(reason=_reason(error)) from None


def _check(image: Image.Image, container: Container, settings: Settings) -> None:
    """Refuse what its header says is too large, or has too many layers. Raises PhotoTooLarge, UnreadablePhoto."""
    width, height = image.size
    ceiling = min(_pixel_limit(settings), MEMORY // bytes_per_pixel(image))
    if width * height > ceiling or max(width, height) > SIDE_LIMIT:
        limit = _amount(ceiling, "pixels") if max(width, height) <= SIDE_LIMIT else f"{SIDE_LIMIT} a side"
        raise PhotoTooLarge(size=f"{width} x {height} pixels", limit=limit)
    # FF is followed by 00 within a scan, so these two bytes start a scan (or stand in a thumbnail, which has few)
    if container.kind == "jpeg" and container.data.count(b"\xff\xda") > SCAN_LIMIT:
        raise UnreadablePhoto(reason="it is a JPEG of very many layers")


def _read(path: Path, most: int) -> bytes:
    """Read the file, or as much of it as tells that it is too large."""
    try:
        if path.exists() and not path.is_file():
            raise UnreadablePhoto(reason="it is not a file")  # opening a pipe would wait for ever
        size = path.stat().st_size
        if size > most:
            raise PhotoTooLarge(size=_amount(size, "B"), limit=_amount(most, "B"))
        with path.open("rb") as file:
            return file.read(most + 1)  # it may have grown since
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or "it can't be opened"
        raise UnreadablePhoto(reason=reason[0].lower() + reason[1:]) from None


def _byte_limit(settings: Settings, *, own: bool) -> int:
    return max(settings.max_bytes, _OWN_BYTES * settings.max_pixels) if own else settings.max_bytes


def _pixel_limit(settings: Settings) -> int:
    """Choose the setting's ceiling, or Pillow's own where that is lower."""
    return min(settings.max_pixels, Image.MAX_IMAGE_PIXELS or settings.max_pixels)


def _reason(error: Exception) -> str:
    """Say in a few words of the user's what the decoder's error means."""
    if isinstance(error, UnidentifiedImageError):
        return "it is none of these formats, or damaged from the start"
    text = str(error).lower()
    cut = any(word in text for word in ("truncated", "broken", "unexpected end", "not enough"))
    return "it is cut off or damaged" if cut else "it is damaged"


def _amount(count: int, unit: str) -> str:
    """Write a count for a sentence: 25 MiB, 50 million pixels."""
    if unit == "B":
        return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
    return f"{count / 1e6:.1f} million {unit}" if count >= 1e6 else f"{count} {unit}"
