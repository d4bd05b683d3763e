"""A file from a stranger -> upright sRGB pixels, or one clear refusal. Only pixels leave this module, no metadata."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from core.errors import PhotoTooLarge, UnreadablePhoto
from core.settings import Settings

FORMATS = ("PNG", "JPEG", "WEBP")  # an allow-list: Pillow has decoders for dozens of formats that nobody uploads
SIDE_LIMIT = 30_000  # pixels; a 50,000,000 x 1 strip passes a pixel ceiling but no photo is one
WORKING_SIDE = 6000  # JPEGs larger than this are decoded at a half or a quarter: the face crop has 1024 pixels at most


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo: what a person sees when they open it."""

    pixels: np.ndarray  # uint8 [H, W, 3], sRGB
    sha256: str  # of the file's bytes

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8
        assert self.pixels.shape[2:] == (3,)


def load_photo(source: bytes | Path, settings: Settings) -> Photo:
    """Decode a JPEG, PNG or WebP from memory or from a path.

    EXIF orientation is applied, an embedded colour profile is converted to sRGB, transparency is laid on white, 16-bit
    grey is scaled to 8. Of an animation the first frame is taken: it is what a chat shows before it plays.
    Raises UnreadablePhoto and PhotoTooLarge.
    """
    data = source if isinstance(source, bytes) else _read(source, settings)
    if len(data) > settings.max_bytes:
        raise PhotoTooLarge(size=_megabytes(len(data)), limit=_megabytes(settings.max_bytes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and palettes; the pixels are what counts
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                pixels = _decode(image, settings)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise PhotoTooLarge(size="too many pixels", limit=_megapixels(settings.max_pixels)) from None
        except PhotoTooLarge:
            raise
        except MemoryError:
            raise PhotoTooLarge(size="too many pixels", limit=_megapixels(settings.max_pixels)) from None
        except Exception as error:  # decoders of hostile bytes raise whatever their C code felt like
            raise UnreadablePhoto(reason=_reason(error)) from None
    return Photo(pixels, hashlib.sha256(data).hexdigest())


def _decode(image: Image.Image, settings: Settings) -> np.ndarray:
    width, height = image.size
    if width * height > settings.max_pixels or max(width, height) > SIDE_LIMIT:
        raise PhotoTooLarge(size=f"{width} x {height} pixels", limit=_megapixels(settings.max_pixels))
    if image.format == "JPEG" and max(width, height) > WORKING_SIDE:
        image.draft("RGB" if image.mode in ("RGB", "YCbCr") else image.mode, (WORKING_SIDE // 2, WORKING_SIDE // 2))
    image.load()
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    return np.array(_to_rgb(upright, profile), dtype=np.uint8)


def _to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Any mode that the three formats hold -> RGB in sRGB, on white where it is transparent."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling
        image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("P", "PA", "LA", "La", "RGBa", "RGBA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        image = _to_srgb(image, profile)
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert through the embedded profile; a broken profile is ignored, as every viewer does."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def _read(path: Path, settings: Settings) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(settings.max_bytes + 1)  # one more than allowed tells a large file from a huge one
    except OSError as error:
        raise UnreadablePhoto(reason=error.strerror or "it can't be opened") from None


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture of a known format"
    text = str(error).lower()
    return "it is cut off or damaged" if "truncated" in text or "broken" in text else "it is damaged"


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 1024:.0f} KiB"


def _megapixels(count: int) -> str:
    return f"{count / 1e6:.0f} million pixels" if count >= 1e6 else f"{count} pixels"
