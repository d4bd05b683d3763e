"""Bounds the memory that decoding a photo takes: estimated from its header, and enforced by the system."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image, JpegImagePlugin

from core.system import own_data, return_memory

MEMORY: Final = 520_000_000  # bytes that a photo may take while it is decoded: 51 million pixels of ten bytes, and a little
SLACK: Final = 256 * 2**20  # bytes that decoders may ask for beside that: stacks of their threads, above all
LARGE: Final = 100_000_000  # bytes that decoding takes from which on the memory around it is worth some milliseconds
_COPY = 3  # bytes a pixel of the array that is handed on
_LAYERED = 13  # of a transparent picture: itself, the copy on white, and Pillow's copy; 12.6 were measured
_PIXEL = 4  # of Pillow's own picture


def bytes_per_pixel(image: Image.Image) -> int:
    """Bound how many bytes are held at once for each pixel while an opened picture is decoded."""
    if image.format == "WEBP":
        # an animation: two canvases of the decoder, its output, Pillow's picture; a still one is OpenCV's
        return 4 * _PIXEL if getattr(image, "is_animated", False) else 2 * _PIXEL
    if image.format in ("AVIF", "HEIF"):
        return 10  # the planes, the pixels made of them, Pillow's picture
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.info.get("progressive"):
        return 2 * image.layers + _PIXEL  # every coefficient is kept, in two bytes, until the last pass
    return _LAYERED if image.has_transparency_data else _PIXEL + _COPY


@contextmanager
def room() -> Iterator[Callable[[Image.Image], None]]:
    """Yield a function to be called with an opened picture: if it is large, freed memory goes back to the system then, and after
    the block.

    Else it would come on top of what a worker keeps in pieces between what it uses, too small for the decoder (80 to 140 MB were
    seen); and a process that draws, and so keeps what it frees (`core.device.keep_memory`), would keep all that the decoder
    took, half a gigabyte for one small file.
    """
    large = False

    def make(image: Image.Image) -> None:
        nonlocal large
        large = image.width * image.height * bytes_per_pixel(image) >= LARGE
        if large:
            return_memory()

    try:
        yield make
    finally:
        if large:
            return_memory()


@contextmanager
def memory_held() -> Iterator[None]:
    """Limit this process, inside the block, to `MEMORY` bytes (and some slack) more than it holds now.

    A header may lie about the size: then an allocation fails, and with it the decoder. Only on Linux; elsewhere nothing is
    limited.
    """
    taken = own_data()
    if not taken:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = taken + MEMORY + SLACK
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
