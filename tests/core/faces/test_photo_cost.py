"""What was found by hostile files, kept small: parts without end, and formats whose decoders hold a picture many times."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

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


_WORKER = """
import ctypes, sys
from core.faces import load_photo
from core.settings import Settings
glibc = ctypes.CDLL(None)
glibc.mallopt(-3, 2**30)  # as core.device.keep_memory does in each process that draws
glibc.mallopt(-1, 2**31 - 1)
def held(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) / 1000
photo, settings = open(sys.argv[1], "rb").read(), Settings.load({})
before = held("RssAnon")
pieces = [(b"x" * 1_000_000, bytes(100_000)) for _ in range(120)]
between = [small for _, small in pieces]
del pieces  # 120 MB in holes that no large block fits in
decoded = load_photo(photo, settings)
print(held("VmHWM") - held("RssFile") - before, held("RssAnon") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is asked")
def test_a_large_photo_comes_on_top_of_nothing_and_leaves_nothing_but_itself(tmp_path: Path) -> None:
    """Decoding it takes ten bytes a pixel, 120 MB, of which three are the photo."""
    (tmp_path / "photo").write_bytes(saved(Image.new("RGB", (4000, 3000)), "JPEG", progressive=True, subsampling=0))
    run = subprocess.run([sys.executable, "-c", _WORKER, str(tmp_path / "photo")], capture_output=True, text=True, check=True)
    peak, after = map(float, run.stdout.split())
    assert peak < 200
    assert after < 80
