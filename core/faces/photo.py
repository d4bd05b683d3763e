"""A file from a stranger -> upright sRGB pixels, or one clear refusal. Only pixels leave this module, no metadata.

The order of the checks is the defence: bytes before Pillow sees them, pixels from the header before anything is
decoded, then one decoder out of three. The photo is decoded whole, never at the reduced scale that a JPEG offers: an
edit goes back into these pixels, and the largest photo that the limits let in is 150 MB of them. Everything after the
decoder is done in strips, so that no second copy of the picture is ever held.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from core.errors import PhotoTooLarge, UnreadablePhoto
from core.faces.guard import MEMORY, bytes_per_pixel, too_many_parts
from core.settings import Settings

FORMATS = ("PNG", "JPEG", "WEBP")  # an allow-list: Pillow has decoders for dozens of formats that nobody uploads
SIDE_LIMIT = 30_000  # pixels; a 50,000,000 x 1 strip passes a pixel ceiling but no photo is one
SCAN_LIMIT = 64  # of a JPEG; cameras and optimisers write 1 to 12, and each pass over a large picture costs a second
STRIP = 2**20  # pixels that are converted at a time
BACKDROP = "white"  # behind transparency: what a viewer and a printer show, and light as most of FFHQ's backdrops

# How an EXIF orientation (EXIF 2.32, tag 0x0112) is undone: mirrored left to right first?, then quarter turns
# counter-clockwise.
_UNDONE = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo: what a person sees when they open it."""

    pixels: NDArray[np.uint8]  # [H, W, 3], sRGB
    sha256: str  # of the file's bytes, hex

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8
        assert self.pixels.shape[2:] == (3,)


def load_photo(source: bytes | Path, settings: Settings) -> Photo:
    """Decode a JPEG, PNG or WebP from memory or from a path.

    EXIF orientation is applied, an embedded colour profile converted to sRGB, transparency laid on white, 16-bit
    grey scaled to 8. Of an animation the first frame is taken: a refusal would help nobody, and the first frame is
    what a chat shows before it plays.

    Raises UnreadablePhoto (no such file, another format, cut off, damaged) and PhotoTooLarge (bytes or pixels beyond
    `settings.max_bytes`, `settings.max_pixels`).
    """
    data = source if isinstance(source, bytes) else _read(source, settings)
    if len(data) > settings.max_bytes:
        raise PhotoTooLarge(size=_amount(len(data), "B"), limit=_amount(settings.max_bytes, "B"))
    if too_many_parts(data):
        raise UnreadablePhoto(reason="it is made of very many parts")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and palettes; the pixels are what counts
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                pixels = _decode(image, data, settings)
    except (PhotoTooLarge, UnreadablePhoto):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise PhotoTooLarge(size="too many pixels", limit=_amount(_pixel_limit(settings), "pixels")) from None
    except Exception as error:  # decoders of hostile bytes raise whatever their C code felt like
        raise UnreadablePhoto(reason=_reason(error)) from None
    return Photo(pixels, hashlib.sha256(data).hexdigest())


def _decode(image: Image.Image, data: bytes, settings: Settings) -> NDArray[np.uint8]:
    """Check what the header says, then decode, then convert, then turn."""
    width, height = image.size
    ceiling = min(_pixel_limit(settings), MEMORY // bytes_per_pixel(image))
    if width * height > ceiling or max(width, height) > SIDE_LIMIT:
        limit = _amount(ceiling, "pixels") if max(width, height) <= SIDE_LIMIT else f"{SIDE_LIMIT} a side"
        raise PhotoTooLarge(size=f"{width} x {height} pixels", limit=limit)
    # FF is followed by 00 within a scan, so these two bytes start a scan (or stand in a thumbnail, which has few)
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > SCAN_LIMIT:
        raise UnreadablePhoto(reason="it is a JPEG of very many layers")
    image.load()
    mirrored, turns = _UNDONE.get(_orientation(image), (False, 0))
    upright = np.empty((width, height, 3) if turns % 2 else (height, width, 3), dtype=np.uint8)
    stored = np.rot90(upright, -turns)  # the same memory, as the file has it
    stored = stored[:, ::-1] if mirrored else stored
    convert, rows = _Converter(image.info.get("icc_profile")), max(1, STRIP // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        stored[top:bottom] = np.asarray(convert(image.crop((0, top, width, bottom))))
    return upright


def _orientation(image: Image.Image) -> int:
    """The EXIF (or, failing that, XMP) orientation, 1 to 8; 1 where the metadata is missing or damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a photo with broken metadata is still a photo; every viewer shows it unturned
        return 1


class _Converter:
    """Any mode that the three formats hold -> RGB in sRGB, on the backdrop where it is transparent."""

    def __init__(self, profile: bytes | None) -> None:
        self._profile = profile
        self._transforms: dict[str, ImageCms.ImageCmsTransform | None] = {}  # by mode

    def __call__(self, image: Image.Image) -> Image.Image:
        if image.mode.startswith("I"):
            # 16-bit grey: Pillow's own conversion to 8 bits clips at 255 instead of scaling
            image = Image.fromarray((np.asarray(image, dtype=np.float32) / 257).round().clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:
            layer = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", layer.size, BACKDROP), layer).convert("RGB")
        elif image.mode not in ("L", "RGB", "CMYK"):
            image = image.convert("RGB")
        if self._profile:
            image = self._through_profile(image, self._profile)
        return image.convert("RGB")

    def _through_profile(self, image: Image.Image, profile: bytes) -> Image.Image:
        """Convert L, RGB or CMYK to RGB through the embedded profile; one that does not fit is ignored, as viewers do."""
        if image.mode not in self._transforms:
            self._transforms[image.mode] = _transform(profile, image.mode)
        transform = self._transforms[image.mode]
        return image if transform is None else transform.apply(image)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _read(path: Path, settings: Settings) -> bytes:
    """The file, or as much of it as tells that it is too large."""
    try:
        if path.exists() and not path.is_file():
            raise UnreadablePhoto(reason="it is not a file")  # opening a pipe would wait for ever
        size = path.stat().st_size
        if size > settings.max_bytes:
            raise PhotoTooLarge(size=_amount(size, "B"), limit=_amount(settings.max_bytes, "B"))
        with path.open("rb") as file:
            return file.read(settings.max_bytes + 1)  # it may have grown since
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or "it can't be opened"
        raise UnreadablePhoto(reason=reason[0].lower() + reason[1:]) from None


def _pixel_limit(settings: Settings) -> int:
    """The setting's ceiling, or Pillow's own where that is lower."""
    return min(settings.max_pixels, Image.MAX_IMAGE_PIXELS or settings.max_pixels)


def _reason(error: Exception) -> str:
    """What the decoder's error means, in a few words of the user's."""
    if isinstance(error, UnidentifiedImageError):
        return "it is none of these formats, or damaged from the start"
    text = str(error).lower()
    cut = any(word in text for word in ("truncated", "broken", "unexpected end", "not enough"))
    return "it is cut off or damaged" if cut else "it is damaged"


def _amount(count: int, unit: str) -> str:
    """A count for a sentence: 25 MiB, 50 million pixels."""
    if unit == "B":
        return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
    return f"{count / 1e6:.1f} million {unit}" if count >= 1e6 else f"{count} {unit}"
