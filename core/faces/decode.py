"""Decodes the bytes of one picture with the only decoder for its kind."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin

from core.errors import LargerThanTold, Reason, UnreadablePhoto
from core.faces import cicp, colours
from core.faces.container import Container, all_scans, is_exact_webp
from core.pictures import Manner

# an allow-list: Pillow has decoders for dozens of formats that nobody uploads
FORMATS: Final = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF"}
# How an EXIF orientation (EXIF 2.32, tag 0x0112) is undone: mirrored left to right first?, then quarter turns
# counter-clockwise.
_UNDONE = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}
_END = b"\xff\xd9"
# What might go on where a JPEG stops: no zeros, which the decoder makes up by itself, and no marker.
_MORE = bytes(range(0xA5, 0xF5)) * 4

Picture = NDArray[np.uint8]


def image_of(container: Container) -> Image.Image:
    """Open the picture, reading its header without decoding any pixel."""
    if container.kind == "heic":
        from pillow_heif import HeifImageFile  # its native decoder is loaded by the process that decodes, and no other

        image: Image.Image = HeifImageFile(io.BytesIO(container.data))  # type: ignore[no-untyped-call]
        return image
    return Image.open(io.BytesIO(container.data), formats=[FORMATS[container.kind]])


def decoded(image: Image.Image, container: Container) -> tuple[Picture, bytes | None, Manner]:
    """Decode a picture, convert its colours and turn it upright.

    Returns uint8 [H, W, 3], or [H, W, 4] if anything is transparent; the ICC profile of these colours, None for sRGB; and how
    the file encodes them. A high dynamic range becomes sRGB.

    Raises PhotoTooLarge, UnreadablePhoto, and whatever the decoders raise.
    """
    size, turned = image.size, _UNDONE.get(_orientation(image), (False, 0))
    profile = _profile(image, container)
    if container.kind == "webp" and not getattr(image, "is_animated", False):
        pixels = _turned(_still_webp(container.data, size), *turned)
        return pixels, colours.usable(profile), Manner("webp", exact=is_exact_webp(container.data))
    image = _loaded(image, container)
    if image.size != size:
        raise LargerThanTold(width=image.width, height=image.height, told_width=size[0], told_height=size[1])
    return _converted(image, container, profile, turned)


def decoded_frames(image: Image.Image, container: Container, count: int) -> Iterator[tuple[Picture, bytes | None, Manner]]:
    """Decode the first `count` frames of an animation, each as a viewer shows it, and yield each as `decoded` returns it.

    Between two, `info` of the image has what the file says of the frame that was yielded. Raises as `decoded` does.
    """
    size, turned, profile = image.size, _UNDONE.get(_orientation(image), (False, 0)), _profile(image, container)
    for number in range(count):
        image.seek(number)
        image.load()
        if image.size != size:
            raise LargerThanTold(width=image.width, height=image.height, told_width=size[0], told_height=size[1])
        pixels, own, manner = _converted(image, container, profile, turned)
        if container.kind == "webp":
            manner = Manner("webp", exact=is_exact_webp(container.data))
        yield pixels, own, manner


def _profile(image: Image.Image, container: Container) -> bytes | None:
    return image.info.get("icc_profile") or cicp.profile(container)


def _converted(
    image: Image.Image, container: Container, profile: bytes | None, turned: tuple[bool, int]
) -> tuple[Picture, bytes | None, Manner]:
    """Convert a loaded picture's colours and turn it upright; returns as `decoded` does."""
    own = None if image.mode in ("1", "L", "LA", "CMYK") or image.mode.startswith("I") else colours.usable(profile)
    manner = Manner(container.kind, grey=image.mode in ("1", "L", "LA") or image.mode.startswith("I"))
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode == "RGB":
        tables = tuple(tuple(one) for _, one in sorted(image.quantization.items()))
        manner = Manner("jpeg", tables=tables, sampling=JpegImagePlugin.get_sampling(image), layers="progressive" in image.info)
    pixels = _upright(image, colours.Converter(profile if own is None else None), *turned)
    if own is None and container.signal is not None and cicp.is_high(container):
        cicp.shown(pixels, container.signal)
    return pixels, own, manner


def _loaded(image: Image.Image, container: Container) -> Image.Image:
    if container.kind == "avif" and getattr(image, "_decoder", None) is not None:
        return _avif(image)
    try:
        image.load()
    except OSError:
        if container.kind != "jpeg" or container.ended:
            raise
        return _without_end(container.data)
    return image


def _avif(image: Image.Image) -> Image.Image:
    """Decode the first frame. Pillow's own `load` would hold a large one three times, as long as the image lives: 575 MB."""
    data, *_ = vars(image)["_decoder"].get_frame(0)
    vars(image)["_decoder"] = None
    made = Image.frombytes(image.mode, image.size, data)
    made.info = image.info
    return made


def _without_end(data: bytes) -> Image.Image:
    """Decode a JPEG whose end marker is missing, wholly or in part. Raises UnreadablePhoto if more is missing.

    The decoder makes up missing data. So the picture is complete if each of its scans is there, and if other bytes after the
    last one make no difference: then the last scan lacks nothing.
    """
    data = data.rstrip(b"\xff")
    if not all_scans(data) or _fingerprint(_ended(data + _MORE)) != _fingerprint(_ended(data)):
        raise UnreadablePhoto(reason=Reason.CUT)
    return _ended(data)


def _ended(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data + _END), formats=["JPEG"])
    image.load()
    return image


def _fingerprint(image: Image.Image) -> int:
    total = 0
    for top in range(0, image.height, 64):
        total = zlib.crc32(image.crop((0, top, image.width, min(top + 64, image.height))).tobytes(), total)
    return total


def _still_webp(data: bytes, size: tuple[int, int]) -> Picture:
    """Decode a still WebP with OpenCV into one array; Pillow would hold it four times, as it does an animation."""
    import cv2  # for the process that decodes, as above

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[:2] != size[::-1]:
        raise UnreadablePhoto(reason=Reason.CUT)
    if pixels.shape[2] == 4 and pixels[..., 3].min() == 255:
        pixels = np.ascontiguousarray(pixels[..., :3])
    cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB, dst=pixels)
    return np.asarray(pixels, dtype=np.uint8)


def _turned(pixels: Picture, mirrored: bool, turns: int) -> Picture:
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if mirrored else pixels, turns))


def _upright(image: Image.Image, convert: colours.Converter, mirrored: bool, turns: int) -> Picture:
    """Convert the loaded picture and turn it upright into a new array, strip by strip."""
    width, height = image.size
    layered = image.has_transparency_data and any(_transparent(convert(one)) for _, one in _strips(image))
    shape = (width, height) if turns % 2 else (height, width)
    upright = np.empty((*shape, 4 if layered else 3), dtype=np.uint8)
    stored = np.rot90(upright, -turns)  # the same memory, as the file has it
    stored = stored[:, ::-1] if mirrored else stored
    for rows, one in _strips(image):
        stored[rows] = np.asarray(convert(one))[..., : upright.shape[2]]
    return upright


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    rows = max(1, colours.STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _transparent(layer: Image.Image) -> bool:
    return int(np.asarray(layer)[..., 3].min()) < 255


def _orientation(image: Image.Image) -> int:
    """Read the orientation from EXIF (or else XMP), 1 to 8; 1 if the metadata is missing or damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a photo with broken metadata is still a photo; every viewer shows it unturned
        return 1
