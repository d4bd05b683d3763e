"""Decodes a stranger's file to an upright photo, or refuses it with one sentence. No metadata leaves this module.

The order of the checks is the defence: the number of bytes before anything reads them, the container before a decoder does,
the pixels that the header tells before anything is decoded, then one decoder out of six under a memory limit. The photo is
decoded whole, never at the reduced scale that a JPEG offers, because an edit goes back into these pixels; the largest
accepted photo takes 153 MB. All later work is done in strips, so that no second copy of the picture is held.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core.errors import (
    FileTooLarge,
    PhotoTooLarge,
    PixelsBeyond,
    PixelsUncounted,
    Reason,
    SideTooLong,
    TooManyPixels,
    UnreadablePhoto,
)
from core.faces import cicp, colours
from core.faces.container import Container, opened
from core.faces.decode import decoded, image_of
from core.faces.guard import MEMORY, bytes_per_pixel, memory_held, room
from core.pictures import PLAIN, Manner
from core.settings import Settings

SIDE_LIMIT = 30_000  # pixels; a 50,000,000 x 1 strip passes a pixel ceiling but no photo is one
SCAN_LIMIT = 64  # of a JPEG; cameras and optimisers write 1 to 12, and each pass over a large picture costs a second
_OWN_BYTES = 5  # bytes a pixel that a photo's file may have which is no stranger's: no kind of file takes more


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded, upright photo."""

    pixels: NDArray[np.uint8]  # [H, W, 3], in the photo's own encoding, on white if it is transparent
    sha256: str  # of the file's bytes, hex
    manner: Manner = PLAIN  # how its file holds it: the kind, the profile of its colours
    layered: NDArray[np.uint8] | None = None  # [H, W, 4], as the file has it; None where nothing is transparent
    left_out: tuple[str, ...] = ()  # parts of the file that no result can keep, in words

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8
        assert self.pixels.shape[2:] == (3,)

    @property
    def srgb(self) -> NDArray[np.uint8]:
        """The pixels in sRGB, for the networks. Converted anew on each access if the photo has other colours."""
        return self.in_srgb(self.pixels)

    def in_srgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert a picture uint8 [H, W, 3] from this photo's encoding to sRGB."""
        return colours.to_srgb(pixels, self.manner.profile)

    def encoded(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert a picture uint8 [H, W, 3] from sRGB to this photo's encoding."""
        return colours.from_srgb(pixels, self.manner.profile)

    def finished(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Make the picture for a file from an edited copy of `pixels`: [H, W, 4] if the photo is transparent, else unchanged."""
        return pixels if self.layered is None else colours.lifted_off_white(pixels, self.pixels, self.layered)

    def at_most(self, side: int | None) -> Photo:
        """Return the photo made smaller, its longer side at most `side` pixels; itself if it is no larger or `side` is None."""
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
    """Decode a JPEG, PNG, WebP, GIF, AVIF or HEIC from bytes or from a path.

    EXIF orientation is applied. Colours stay in the encoding of an embedded RGB profile, or of the one that the file names by
    numbers; all others become sRGB, a high dynamic range too; 16 bits a channel become 8. Of an animation the first frame is
    taken, which a chat shows before it plays. `own` tells that the file belongs to whoever runs this and not to a stranger, so
    it may have as many bytes as its pixels can take.

    Raises UnreadablePhoto (no such file, another format, cut off, damaged) and PhotoTooLarge (more bytes or pixels than
    `settings.max_bytes`, `settings.max_pixels`).
    """
    data = read_photo(source, settings, own=own)
    container = parsed(data)
    pixels, profile, manner = _decode(container, settings)
    layered = pixels if pixels.shape[2] == 4 else None
    seen = pixels if layered is None else colours.laid_on_white(layered)
    high = profile is None and cicp.is_high(container)
    left_out = (Reason.GAIN_MAP.value,) if container.gain_map else (Reason.HIGH_RANGE.value,) if high else ()
    return Photo(seen, hashlib.sha256(data).hexdigest(), Manner.of(manner, profile, len(data)), layered, left_out)


def read_photo(source: bytes | Path, settings: Settings, *, own: bool = False) -> bytes:
    """Read a photo's file, if it is no larger than a photo may be. Raises UnreadablePhoto, PhotoTooLarge."""
    most = _byte_limit(settings, own=own)
    data = source if isinstance(source, bytes) else _read(source, most)
    check_size(len(data), settings, own=own)
    return data


def parsed(data: bytes, *, whole: bool = False) -> Container:
    """Parse a photo's file as `container.opened` does. Raises UnreadablePhoto for another kind, or for too many parts."""
    container = opened(data, whole=whole)
    if container is None:
        raise UnreadablePhoto(reason=Reason.FORMAT)
    if container.excessive:
        raise UnreadablePhoto(reason=Reason.PARTS)
    if container.deep:
        raise UnreadablePhoto(reason=Reason.DEPTH)
    return container


def check_size(size: int, settings: Settings, *, own: bool = False) -> None:
    """Check a file's size in bytes as `load_photo` does, before anything is read. Raises PhotoTooLarge."""
    most = _byte_limit(settings, own=own)
    if size > most:
        raise FileTooLarge(size=size / 2**20, limit=most / 2**20)


def _decode(container: Container, settings: Settings) -> tuple[NDArray[np.uint8], bytes | None, Manner]:
    """Check the header, then decode: the pixels [H, W, 3 or 4], their ICC profile (None for sRGB), and the file's manner.

    Raises PhotoTooLarge, UnreadablePhoto.
    """
    with guarded(settings), room() as make, closing(image_of(container)) as image:
        check_header(image, container, settings)
        make(image)
        return decoded(image, container)


@contextmanager
def guarded(settings: Settings) -> Iterator[None]:
    """Bound the memory of the decoders inside the block, and raise PhotoTooLarge or UnreadablePhoto for what they raise."""
    limit = _pixel_limit(settings) / 1e6
    try:
        with warnings.catch_warnings(), memory_held():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF, palettes and sizes; `check_header` is stricter
            yield
    except (PhotoTooLarge, UnreadablePhoto):
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        told = re.search(r"(\d+) pixels", str(error))
        raise (PixelsBeyond(size=int(told[1]) / 1e6, limit=limit) if told else PixelsUncounted(limit=limit)) from None
    except Exception as error:  # decoders of hostile bytes raise whatever their C code felt like
        raise UnreadablePhoto(reason=_reason(error)) from None


def check_header(image: Image.Image, container: Container, settings: Settings) -> None:
    """Check from the header that a picture is not too large and has not too many scans. Raises PhotoTooLarge, UnreadablePhoto."""
    width, height = image.size
    ceiling = min(_pixel_limit(settings), MEMORY // bytes_per_pixel(image))
    if max(width, height) > SIDE_LIMIT:
        raise SideTooLong(width=width, height=height, limit=SIDE_LIMIT)
    if width * height > ceiling:
        raise TooManyPixels(width=width, height=height, limit=ceiling / 1e6)
    # FF is followed by 00 within a scan, so these two bytes start a scan (or stand in a thumbnail, which has few)
    if container.kind == "jpeg" and container.data.count(b"\xff\xda") > SCAN_LIMIT:
        raise UnreadablePhoto(reason=Reason.LAYERS)


def _read(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes. Raises PhotoTooLarge for a larger one, UnreadablePhoto."""
    try:
        if path.exists() and not path.is_file():
            raise UnreadablePhoto(reason=Reason.NO_FILE)  # opening a pipe would wait for ever
        size = path.stat().st_size
        if size > most:
            raise FileTooLarge(size=size / 2**20, limit=most / 2**20)
        with path.open("rb") as file:
            return file.read(most + 1)  # it may have grown since
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or "it can't be opened"
        raise UnreadablePhoto(reason=reason[0].lower() + reason[1:]) from None


def _byte_limit(settings: Settings, *, own: bool) -> int:
    return max(settings.max_bytes, _OWN_BYTES * settings.max_pixels) if own else settings.max_bytes


def _pixel_limit(settings: Settings) -> int:
    """Return the most pixels that are accepted: the setting, or Pillow's own limit if that is lower."""
    return min(settings.max_pixels, Image.MAX_IMAGE_PIXELS or settings.max_pixels)


def _reason(error: Exception) -> Reason:
    """Say in the user's words what a decoder's error means."""
    if isinstance(error, UnidentifiedImageError):
        return Reason.FORMAT
    text = str(error).lower()
    cut = any(word in text for word in ("truncated", "broken", "unexpected end", "not enough"))
    return Reason.CUT if cut else Reason.DAMAGED
