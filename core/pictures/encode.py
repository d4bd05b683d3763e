"""Encoding pictures. A file states in XMP what it is (IPTC's digital source type) and carries no metadata of its input."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

import numpy as np
from PIL import Image, PngImagePlugin

PictureKind = Literal["png", "jpeg", "webp", "avif", "heic"]
SUFFIXES: Final[dict[PictureKind, str]] = {"png": "png", "jpeg": "jpg", "webp": "webp", "avif": "avif", "heic": "heic"}
Source = Literal["edited", "generated", "photo"]

# https://cv.iptc.org/newscodes/digitalsourcetype/
_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SOURCE_TYPES: dict[Source, str | None] = {
    "edited": "compositeWithTrainedAlgorithmicMedia",  # a photo whose face a model has changed
    "generated": "trainedAlgorithmicMedia",  # a person that does not exist
    "photo": None,  # cut out of the input, every pixel the camera's: to call that AI would be as false as the reverse
}
_SOURCE = ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{kind}"'
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="egao"{source}/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
WEBP_SIDE = 16_383  # pixels: the format holds no more
_QUALITIES = (92, 85, 75, 65)  # of JPEG and WebP, tried in turn to fit a size
LOWER: Final = (92, 85, 75, 65, 55, 45)  # tried in turn for a file that is to be no larger than `TIMES` its photo's
_SHRINK = 0.8  # then the side is multiplied by this until the file fits
TIMES: Final = 3  # a result in its photo's own kind is at most so many times as large a file, where the kind allows


@dataclass(frozen=True)
class Manner:
    """How a photo's file is encoded: a result of the same kind is encoded alike. The default is for pixels without a file."""

    kind: str = "png"
    profile: bytes | None = None  # ICC, of RGB; None for sRGB
    grey: bool = False
    tables: tuple[tuple[int, ...], ...] = ()  # of a JPEG: its quantization tables
    sampling: int = -1  # of a JPEG: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0, -1 for another
    layers: bool = False  # of a JPEG: whether it is progressive
    exact: bool = False  # of a WebP: whether it was packed without loss
    size: int = 0  # bytes of the file

    def of(self, profile: bytes | None, size: int) -> Manner:
        """Copy it with the ICC profile of the pixels (None for sRGB) and the size of the whole file in bytes."""
        return replace(self, profile=profile, size=size)

    @property
    def own(self) -> PictureKind:
        """The kind of file for a result if none is asked for: the photo's own, or PNG.

        A GIF becomes a PNG: an edited photo has more than 256 colours.
        """
        kinds: dict[str, PictureKind] = {"jpeg": "jpeg", "webp": "webp", "avif": "avif", "heic": "heic"}
        return kinds.get(self.kind, "png")


class Signing(Protocol):
    """What signs files in addition: see `core.pictures.credentials`."""

    def room(self, max_bytes: int | None) -> int | None: ...
    def sign(self, data: bytes, source: Source, max_bytes: int | None = None) -> bytes: ...


def source_type(source: Source) -> str | None:
    """Name a source as IPTC's vocabulary does, by its address; None for the camera's own pixels."""
    kind = _SOURCE_TYPES[source]
    return None if kind is None else _TYPES + kind


def xmp(source: Source) -> bytes:
    """Write the XMP packet, UTF-8, of a picture of this source."""
    kind = source_type(source)
    return _XMP.format(source="" if kind is None else _SOURCE.format(kind=kind)).encode()


def encode(
    pixels: np.ndarray,
    kind: PictureKind = "png",
    *,
    max_bytes: int | None = None,
    source: Source = "edited",
    manner: Manner | None = None,
    credentials: Signing | None = None,
) -> bytes:
    """Encode pixels, uint8 [H, W, 3] or [H, W, 4] with transparency, as a file. The same pixels give the same bytes.

    `credentials` sign the file in addition, which makes other bytes each time.

    The file has at most `max_bytes`; at 16 pixels a side shrinking ends, even if it is larger. A PNG that would be
    larger becomes a JPEG, or a WebP if it is transparent. A PNG with more pixels than `max_bytes` is not even tried:
    photos take one to two bytes a pixel, and encoding one in vain takes seconds. Other kinds step down in quality, then
    in size. With the `manner` of the photo the result keeps its profile and, in the photo's own kind, its way of
    encoding.
    """
    if credentials is not None:
        room = credentials.room(max_bytes)
        return credentials.sign(encode(pixels, kind, max_bytes=room, source=source, manner=manner), source, max_bytes)
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.shape[2:] in ((3,), (4,)), pixels.shape
    image = Image.fromarray(pixels)
    manner = manner or PLAIN
    if manner.grey and len(pixels.shape) == 3 and bool((pixels[..., :1] == pixels[..., 1:3]).all()):
        image = image.convert("LA" if pixels.shape[2] == 4 else "L")
    if kind == "webp":
        image.thumbnail((WEBP_SIDE, WEBP_SIDE), Image.Resampling.LANCZOS)
    if kind == "png" and (max_bytes is None or image.width * image.height <= max_bytes):
        data = _png(image, source, manner)
        if max_bytes is None or len(data) <= max_bytes:
            return data
    if kind == "png":
        kind = "webp" if pixels.shape[2] == 4 else "jpeg"
    return _fitted(image, _Saver(kind, source, manner), max_bytes)


def _fitted(image: Image.Image, saver: _Saver, max_bytes: int | None) -> bytes:
    """Encode at the first quality, then at the first size, that makes the file small enough."""
    data = saver.first(image)
    most = saver.most(max_bytes)
    for quality in saver.qualities:
        if most is None or len(data) <= most:
            return data
        data = saver.file(image, quality)
    while max_bytes is not None and len(data) > max_bytes and min(image.size) > 16:
        image = image.resize((int(image.width * _SHRINK), int(image.height * _SHRINK)), Image.Resampling.LANCZOS)
        data = saver.file(image, _QUALITIES[-1])
    return data


PLAIN: Final = Manner()


@dataclass(frozen=True)
class _Saver:
    """Writes pictures of one lossy kind, with the XMP packet and the photo's profile."""

    kind: PictureKind
    source: Source
    manner: Manner

    @property
    def same(self) -> bool:
        """Whether the photo's own file is of this kind."""
        return self.kind == self.manner.kind and self.manner.size > 0

    @property
    def qualities(self) -> tuple[int, ...]:
        """The qualities, 0..100, to try after the first."""
        return LOWER[1:] if self.same else _QUALITIES[1:]

    def most(self, max_bytes: int | None) -> int | None:
        """Tell the most bytes that a file should have; None for no limit."""
        if not self.same:
            return max_bytes
        return min(TIMES * self.manner.size, max_bytes or TIMES * self.manner.size)

    def first(self, image: Image.Image) -> bytes:
        """Encode as the photo's own file is, if it is of this kind and its encoding is known; else at the best quality."""
        manner = self.manner
        if self.same and manner.exact and self.kind == "webp":
            return self._saved(image, "WEBP", lossless=True, method=4)
        if self.same and manner.tables and image.mode == "RGB":
            options: dict[str, Any] = {"qtables": [list(one) for one in manner.tables], "progressive": manner.layers}
            return self._saved(
                image, "JPEG", subsampling=manner.sampling if manner.sampling >= 0 else 0, optimize=True, **options
            )
        return self.file(image, _QUALITIES[0])

    def file(self, image: Image.Image, quality: int) -> bytes:
        """Encode at a quality of 0..100."""
        match self.kind:
            case "webp":
                return self._saved(image, "WEBP", quality=quality, method=4)
            case "avif":
                return self._saved(image, "AVIF", quality=quality, subsampling="4:4:4", speed=8)
            case "heic":
                from pillow_heif import from_pillow  # a native library that is loaded where it is used, and nowhere else

                buffer = io.BytesIO()
                colour = {} if self.manner.profile is None else {"icc_profile": self.manner.profile}
                from_pillow(image.convert("RGBA" if "A" in image.mode else "RGB")).save(
                    buffer, quality=quality, chroma=444, xmp=xmp(self.source), **colour
                )
                return buffer.getvalue()
            case _:
                flat = image.convert("RGB") if image.mode != "L" else image
                if "A" in image.mode:
                    flat = Image.new("RGB", image.size, "white")
                    flat.paste(image.convert("RGB"), mask=image.getchannel("A"))
                return self._saved(flat, "JPEG", quality=quality, subsampling=0, optimize=True)

    def _saved(self, image: Image.Image, name: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        try:
            image.save(buffer, name, xmp=xmp(self.source), icc_profile=_profile(self.manner, image), **options)
        except OSError:
            if not options.pop("optimize", False):
                raise
            # Pillow gives libjpeg a byte a pixel for a file that it has to hold whole, and noise needs more
            return self._saved(image, name, **{**options, "progressive": False})
        return buffer.getvalue()


def _profile(manner: Manner, image: Image.Image) -> bytes | None:
    """Return the ICC profile of the photo; None for a grey image, which a profile of RGB does not fit."""
    return manner.profile if image.mode in ("RGB", "RGBA") else None


def _png(image: Image.Image, source: Source, manner: Manner) -> bytes:
    data = b""
    # 4: a face gains three percent from the highest level, at eight times the time. A photo's file may have been packed harder.
    for level in (4, 9):
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp(source).decode())
        buffer = io.BytesIO()
        image.save(buffer, "PNG", pnginfo=info, compress_level=level, icc_profile=_profile(manner, image))
        data = buffer.getvalue()
        if manner.kind != "png" or len(data) <= TIMES * (manner.size or len(data)):
            break
    return data
