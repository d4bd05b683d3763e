"""Encoding. A file says in XMP what it is (IPTC's digital source type: an AI edit) and carries nothing of its input."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image, PngImagePlugin

PictureKind = Literal["png", "jpeg", "webp"]
Source = Literal["edited", "generated", "photo"]

# https://cv.iptc.org/newscodes/digitalsourcetype/
_SOURCE_TYPES: dict[Source, str | None] = {
    "edited": "compositeWithTrainedAlgorithmicMedia",  # a photo whose face a model has changed
    "generated": "trainedAlgorithmicMedia",  # a person that does not exist
    "photo": None,  # cut out of the input, every pixel the camera's: to call that AI would be as false as the reverse
}
_SOURCE = (
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{kind}"'
)
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="egao"{source}/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
WEBP_SIDE = 16_383  # pixels: the format holds no more
_QUALITIES = (92, 85, 75, 65)  # of JPEG and WebP, tried in turn to fit a size
_SHRINK = 0.8  # then the side is multiplied by this until the file fits


def xmp(source: Source) -> bytes:
    """The XMP packet of a picture, UTF-8."""
    kind = _SOURCE_TYPES[source]
    return _XMP.format(source="" if kind is None else _SOURCE.format(kind=kind)).encode()


def encode(pixels: np.ndarray, kind: PictureKind = "png", *, max_bytes: int | None = None, source: Source = "edited") -> bytes:
    """uint8 [H, W, 3] -> a file of at most `max_bytes`; the same pixels give the same bytes.

    A PNG that does not fit becomes a JPEG, and one of more pixels than bytes is not tried: a photo's takes one to two
    bytes a pixel, and making it in vain takes seconds. JPEG and WebP step down in quality, then in size, to 16 pixels at least.
    """
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.shape[2:] == (3,), pixels.shape
    image = Image.fromarray(pixels)
    if kind == "webp":
        image.thumbnail((WEBP_SIDE, WEBP_SIDE), Image.Resampling.LANCZOS)
    if kind == "png" and (max_bytes is None or image.width * image.height <= max_bytes):
        data = _png(image, source)
        if max_bytes is None or len(data) <= max_bytes:
            return data
    data = _lossy(image, kind, _QUALITIES[0], source)
    for quality in _QUALITIES[1:]:
        if max_bytes is None or len(data) <= max_bytes:
            return data
        data = _lossy(image, kind, quality, source)
    while max_bytes is not None and len(data) > max_bytes and min(image.size) > 16:
        image = image.resize((int(image.width * _SHRINK), int(image.height * _SHRINK)), Image.Resampling.LANCZOS)
        data = _lossy(image, kind, _QUALITIES[-1], source)
    return data


def _png(image: Image.Image, source: Source) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp(source).decode())
    buffer = io.BytesIO()
    # level 4: a face gains three percent from the highest level, at eight times the time
    image.save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def _lossy(image: Image.Image, kind: PictureKind, quality: int, source: Source) -> bytes:
    buffer = io.BytesIO()
    if kind == "webp":
        image.save(buffer, "WEBP", quality=quality, method=4, xmp=xmp(source))
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True, xmp=xmp(source))
    return buffer.getvalue()
