"""What was found by hostile files, kept small: parts without end, and formats whose decoders hold a picture many times."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from core.errors import PhotoTooLarge, UnreadablePhoto
from core.faces import load_photo
from core.faces.guard import MEMORY, bytes_per_pixel
from core.settings import Settings
from tests.core.faces.hostile import chunk, saved

LIMITS = Settings.load({})
SMALL = Image.new("RGB", (64, 64), "orange")
JPEG, PNG = saved(SMALL, "JPEG"), saved(SMALL, "PNG")


@pytest.mark.parametrize(
    "part",
    [b"\xff\xfe\0\2", b"\xff\xe1\0\x08Exif\0\0", b"\xff\xe2\0\x10ICC_PROFILE\0\1\1", b"\xff", b"\0", b"\xff\0", b"\xff\xd0"],
)
def test_a_jpeg_of_parts_without_end_is_refused_unread(part: bytes) -> None:
    with pytest.raises(UnreadablePhoto, match="very many parts"):
        load_photo(JPEG[:2] + part * 70_000 + JPEG[2:], LIMITS)
    assert load_photo(JPEG[:2] + b"\xff\xfe\0\2" * 300 + b"\xff" * 300 + JPEG[2:], LIMITS)


@pytest.mark.parametrize("place", [33, -12])
@pytest.mark.parametrize("part", [chunk(b"tEXt", b"a\0"), chunk(b"abcd", b""), chunk(b"IDAT", b"")])
def test_a_png_of_parts_without_end_is_refused_unread(part: bytes, place: int) -> None:
    with pytest.raises(UnreadablePhoto, match="very many parts"):
        load_photo(PNG[:place] + part * 25_000 + PNG[place:], LIMITS)


@pytest.mark.parametrize(
    ("kind", "options", "mode", "cost"),
    [
        ("JPEG", {}, "RGB", 7), ("PNG", {}, "RGBA", 13), ("WEBP", {}, "RGB", 8),
        ("JPEG", {"progressive": True}, "RGB", 10), ("JPEG", {"progressive": True}, "CMYK", 12),
    ],
)  # fmt: skip
def test_the_cost_of_a_pixel_is_known_from_the_header(kind: str, options: dict[str, bool], mode: str, cost: int) -> None:
    with Image.open(io.BytesIO(saved(SMALL.convert(mode), kind, **options))) as image:
        assert bytes_per_pixel(image) == cost


def test_an_animated_webp_may_have_as_many_pixels_as_fit_the_memory() -> None:
    side = int((MEMORY / 16) ** 0.5) + 1
    frames = {"save_all": True, "append_images": [Image.new("RGB", (side, side), "red")]}
    with pytest.raises(PhotoTooLarge, match=r"32\.5 million"):
        load_photo(saved(Image.new("RGB", (side, side)), "WEBP", method=0, quality=1, **frames), LIMITS)
