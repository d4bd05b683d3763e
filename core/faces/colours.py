"""The colours of a photo: they are kept in the encoding of its file, and converted to sRGB for the networks."""

from __future__ import annotations

import io
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

STRIP: Final = 2**20  # pixels that are converted at a time, so that no second copy of a whole picture is held
BACKDROP: Final = "white"  # behind transparency: as viewers and printers show it, and light as most backgrounds in FFHQ
_UNSEEN: Final = 2  # levels: profiles that move no colour further than this from sRGB are sRGB by another hand

Picture = NDArray[np.uint8]


def usable(profile: bytes | None) -> bytes | None:
    """Return the ICC profile if it is one of RGB that converts to sRGB and back; else None. Viewers ignore unfit profiles too."""
    return profile if profile and _transform(profile, "RGB", True) and _transform(profile, "RGB", False) else None


def to_srgb(pixels: Picture, profile: bytes | None) -> Picture:
    """Convert uint8 [H, W, 3] from the profile's encoding to sRGB; the same array if there is nothing to convert."""
    return _converted(pixels, None if profile is None or _is_srgb(profile) else _transform(profile, "RGB", True))


def from_srgb(pixels: Picture, profile: bytes | None) -> Picture:
    """Convert uint8 [H, W, 3] from sRGB to the profile's encoding; the same array if there is nothing to convert."""
    return _converted(pixels, None if profile is None or _is_srgb(profile) else _transform(profile, "RGB", False))


def laid_on_white(pixels: Picture) -> Picture:
    """Composite a transparent picture uint8 [H, W, 4] onto white, as a viewer shows it: uint8 [H, W, 3]."""
    result = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    for rows in strips(pixels):
        layer = Image.fromarray(np.ascontiguousarray(pixels[rows]), "RGBA")
        result[rows] = np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, BACKDROP), layer).convert("RGB"))
    return result


def lifted_off_white(seen: Picture, before: Picture, layered: Picture) -> Picture:
    """Undo `laid_on_white` after an edit: return a copy of `layered` [H, W, 4] with the edited colours.

    These are set where `seen` differs from `before`, both [H, W, 3] on white. Elsewhere no bit changes, not even hidden
    colours of fully transparent pixels. The transparency itself never changes.
    """
    result = layered.copy()
    for rows in strips(seen):
        changed = (seen[rows] != before[rows]).any(axis=-1) & (layered[rows][..., 3] > 0)
        share = layered[rows][..., 3][changed].astype(np.float32)[:, None] / 255
        colour = (seen[rows][changed] - 255 * (1 - share)) / share
        result[rows][..., :3][changed] = colour.round().clip(0, 255).astype(np.uint8)
    return result


def strips(pixels: Picture) -> list[slice]:
    """List slices of rows that cover a picture, about `STRIP` pixels each."""
    height, width = pixels.shape[:2]
    step = max(1, STRIP // max(1, width))
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


class Converter:
    """Converts a picture of any mode to RGB, or RGBA if transparent: in the encoding of an RGB profile, or else in sRGB."""

    def __init__(self, profile: bytes | None) -> None:
        self._profile = profile

    def __call__(self, image: Image.Image) -> Image.Image:
        if image.mode.startswith("I"):
            # 16-bit grey: Pillow's own conversion to 8 bits clips at 255 instead of scaling
            image = Image.fromarray((np.asarray(image, dtype=np.float32) / 257).round().clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:
            return image.convert("RGBA")
        if image.mode not in ("L", "RGB", "CMYK"):
            return image.convert("RGB")
        # a profile of grey or of inks would not fit a result, which is RGB
        through = None if self._profile is None or image.mode == "RGB" else _transform(self._profile, image.mode, True)
        return (image if through is None else through.apply(image)).convert("RGB")


def _converted(pixels: Picture, through: ImageCms.ImageCmsTransform | None) -> Picture:
    if through is None:
        return pixels
    result = np.empty_like(pixels)
    for rows in strips(pixels):
        result[rows] = np.asarray(through.apply(Image.fromarray(np.ascontiguousarray(pixels[rows]))))
    return result


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


_TRANSFORMS: dict[tuple[bytes, str, bool], ImageCms.ImageCmsTransform | None] = {}  # the last few; a photo needs two


def _transform(profile: bytes, mode: str, to: bool) -> ImageCms.ImageCmsTransform | None:
    """Make the transform from the profile to sRGB (`to` True) or back; None if the profile does not fit pictures of that mode."""
    key = (profile, mode, to)
    if key not in _TRANSFORMS:
        while len(_TRANSFORMS) >= 8:
            _TRANSFORMS.pop(next(iter(_TRANSFORMS)))
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = (own, _srgb(), mode, "RGB") if to else (_srgb(), own, "RGB", mode)
            _TRANSFORMS[key] = ImageCms.buildTransform(*made)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            _TRANSFORMS[key] = None
    return _TRANSFORMS[key]


def _is_srgb(profile: bytes) -> bool:
    """Tell whether the profile leaves colours as they are: cameras describe sRGB in many ways."""
    to = _transform(profile, "RGB", True)
    if to is None:
        return True
    levels = np.linspace(0, 255, 16).astype(np.uint8)
    every = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, -1, 3)
    seen = np.asarray(to.apply(Image.fromarray(every)))
    return int(np.abs(seen.astype(int) - every).max()) <= _UNSEEN
