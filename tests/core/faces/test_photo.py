"""Files from strangers: every kind comes out upright in sRGB, and every bad one is refused in a sentence."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from core.errors import PhotoError, PhotoTooLarge, UnreadablePhoto
from core.faces import load_photo
from core.settings import Settings

LIMITS = Settings.load({"EGAO_MAX_PIXELS": "2000000", "EGAO_MAX_BYTES": "3000000"})


def _file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _gradient() -> Image.Image:
    """A picture whose corners all differ: red grows to the right, green downwards."""
    y, x = np.mgrid[0:64, 0:96]
    return Image.fromarray(np.stack([x * 2.6, y * 3.9, np.full_like(x, 60)], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_comes_out_upright(orientation: int) -> None:
    turns: dict[int, list[Image.Transpose]] = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    stored = _gradient()
    for turn in turns[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = load_photo(_file(stored, "PNG", exif=exif), LIMITS).pixels
    assert np.array_equal(pixels, np.asarray(_gradient()))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = _gradient().convert("L").convert("RGB") if mode in ("L", "LA", "1") else _gradient()
    data = _file(grey.convert(mode), "JPEG" if mode == "CMYK" else "PNG", **({"quality": 95} if mode == "CMYK" else {}))
    pixels = load_photo(data, LIMITS).pixels
    assert pixels.shape == (64, 96, 3)
    tolerance = {"P": 30, "CMYK": 6, "1": 130}.get(mode, 0)  # the web palette, dithered; JPEG; black and white
    assert np.abs(pixels.astype(int) - np.asarray(grey)).mean() <= tolerance


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 96, dtype=np.uint16)[None].repeat(64, axis=0)
    pixels = load_photo(_file(Image.fromarray(ramp)), LIMITS).pixels
    assert np.abs(pixels[0, :, 0].astype(float) - ramp[0] / 257).max() <= 0.5


def test_transparency_is_laid_on_white() -> None:
    layer = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    layer.putpixel((0, 0), (255, 0, 0, 255))
    pixels = load_photo(_file(layer), LIMITS).pixels
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[4, 4].tolist() == [255, 255, 255]


def test_transparency_comes_back_with_every_bit_that_no_edit_touched() -> None:
    layer = Image.new("RGBA", (8, 8), (10, 20, 30, 0))  # hidden colours
    layer.putpixel((0, 0), (200, 100, 50, 255))
    layer.putpixel((1, 0), (200, 100, 50, 128))
    photo = load_photo(_file(layer), LIMITS)
    assert np.array_equal(photo.finished(photo.pixels.copy()), np.asarray(layer))
    edited = photo.pixels.copy()
    edited[0, :3] = [90, 90, 90]
    whole = photo.finished(edited)
    assert whole[0, 0].tolist() == [90, 90, 90, 255]
    assert whole[0, 2].tolist() == [10, 20, 30, 0], "what can't be seen can't be edited"
    assert whole[0, 1, 3] == 128
    shown = Image.alpha_composite(Image.new("RGBA", (8, 8), "white"), Image.fromarray(whole))
    assert shown.getpixel((1, 0))[0] == pytest.approx(127, abs=1), "no darker than its transparency lets it be"  # type: ignore[index]


def test_an_opaque_layer_is_no_transparency() -> None:
    assert load_photo(_file(_gradient().convert("RGBA")), LIMITS).layered is None


def test_a_transparent_palette_entry_is_laid_on_white_too() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    pixels = load_photo(_file(image, transparency=1), LIMITS).pixels
    assert pixels[4, 4].tolist() == [255, 255, 255]


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and green exchanged: in the tag table each of the two points at the other's data."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = profile[green : green + 4], profile[red : red + 4]
    return bytes(profile)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("JPEG", "RGB"), ("WEBP", "RGB"), ("PNG", "RGBA"), ("PNG", "P")])
def test_an_embedded_profile_is_kept_and_leads_to_srgb(kind: str, mode: str) -> None:
    image, profile = Image.new("RGB", (16, 16), (200, 80, 30)), swapped_profile()  # which has the second of its making
    image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    photo = load_photo(_file(image, kind, icc_profile=profile, quality=95), LIMITS)
    assert np.abs(photo.srgb[8, 8].astype(int) - [80, 200, 30]).max() <= 4
    assert np.abs(photo.pixels[8, 8].astype(int) - [200, 80, 30]).max() <= 4, "the photo's own encoding stays"
    assert photo.manner.profile == profile
    assert np.abs(photo.encoded(photo.srgb)[8, 8].astype(int) - photo.pixels[8, 8]).max() <= 2, "and back"


def test_srgb_as_a_profile_leaves_every_pixel_as_it_is(astronaut: NDArray[np.uint8]) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(load_photo(_file(Image.fromarray(astronaut), icc_profile=srgb), LIMITS).pixels, astronaut)


@pytest.mark.parametrize(("mode", "profile"), [("RGB", b"not a profile"), ("L", None), ("CMYK", None)])
def test_a_profile_that_does_not_fit_is_ignored(mode: str, profile: bytes | None) -> None:
    image = Image.new("RGB", (8, 8), (120, 120, 120)).convert(mode)
    data = _file(image, "JPEG", icc_profile=profile or swapped_profile(), quality=95)  # of RGB, in a picture that is not
    assert np.abs(load_photo(data, LIMITS).pixels.astype(int) - 120).max() <= 3


def _png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand: Pillow writes no colour of 16 bits."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = (struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4)])
def test_sixteen_bit_colour_is_scaled_not_clipped(colour: int, channels: int) -> None:
    values = np.linspace(0, 65535, 32).astype(">u2")
    pixel = np.stack([values, values[::-1], values // 2, np.full_like(values, 65535)], axis=1)[:, :channels].astype(">u2")
    pixels = load_photo(_png(32, 1, 16, colour, b"\0" + pixel.tobytes()), LIMITS).pixels
    assert np.abs(pixels[0].astype(float) - pixel[:, :3] / 257.0).max() <= 1


@pytest.mark.parametrize("place", ["before the pixels", "nowhere"])
def test_broken_metadata_spoils_no_photo(place: str) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff" * 8
    data = _file(_gradient(), "JPEG", quality=95, **({"exif": exif} if place != "nowhere" else {}))
    assert np.abs(load_photo(data, LIMITS).pixels.astype(int) - np.asarray(_gradient())).mean() < 3


def test_a_phones_picture_with_a_second_one_behind_is_a_jpeg() -> None:
    data = _file(_gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64), "blue")], quality=95)
    assert np.abs(load_photo(data, LIMITS).pixels.astype(int) - np.asarray(_gradient())).mean() < 3


def test_a_jpeg_of_a_thousand_passes_is_refused_at_once() -> None:
    data = _file(_gradient(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    assert load_photo(data[:-2] + last * 20 + data[-2:], LIMITS)
    with pytest.raises(UnreadablePhoto):
        load_photo(data[:-2] + last * 1000 + data[-2:], LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_cut_off_anywhere_it_is_refused_or_whole(kind: str) -> None:
    """Only what follows the last pixel, a checksum and an end mark, may be missing."""
    data = _file(_gradient(), kind)
    whole = load_photo(data, LIMITS).pixels
    for length in range(len(data)):
        try:
            pixels = load_photo(data[:length], LIMITS).pixels
        except UnreadablePhoto:
            continue
        assert length >= len(data) - 24, length
        assert np.array_equal(pixels, whole)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_no_truncation_is_accepted_or_crashes(kind: str) -> None:
    data = _file(_gradient(), kind)
    for length in {0, 1, 8, 20, 60, len(data) // 3, len(data) // 2, len(data) - 30}:
        with pytest.raises(UnreadablePhoto):
            load_photo(data[:length], LIMITS)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM", "PDF", "EPS"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(UnreadablePhoto, match="JPEG, PNG, WebP, GIF, AVIF or HEIC"):
        load_photo(_file(_gradient(), kind), LIMITS)


def _png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 64)
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, body))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(12_000, 12_000), (40_000, 1), (2**31 - 1, 2**31 - 1), (1500, 1500)])
def test_absurd_sizes_are_refused_from_the_header(size: tuple[int, int]) -> None:
    with pytest.raises(PhotoTooLarge):
        load_photo(_png_header(*size), LIMITS)


def test_too_many_bytes_are_refused_before_decoding(tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    file.write_bytes(b"\xff\xd8" + b"\0" * LIMITS.max_bytes)
    for source in (file, file.read_bytes()):
        with pytest.raises(PhotoTooLarge):
            load_photo(source, LIMITS)


def test_what_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for path in (tmp_path, tmp_path / "pipe", Path("a\0b"), tmp_path / "pipe" / "below"):
        with pytest.raises(UnreadablePhoto):
            load_photo(path, LIMITS)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhoto, match="no such file"):
        load_photo(tmp_path / "none.png", LIMITS)


def test_what_follows_a_jpeg_is_ignored() -> None:
    data = _file(_gradient(), "JPEG", quality=95)
    assert np.array_equal(load_photo(data + b"PK\x03\x04" + b"z" * 500, LIMITS).pixels, load_photo(data, LIMITS).pixels)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    second = Image.new("RGB", (96, 64), "blue")
    data = _file(_gradient(), "WEBP", save_all=True, append_images=[second], lossless=True)
    assert np.array_equal(load_photo(data, LIMITS).pixels, np.asarray(_gradient()))


@pytest.fixture(scope="module")
def sound_files(astronaut: NDArray[np.uint8]) -> list[bytes]:
    small = Image.fromarray(np.ascontiguousarray(astronaut[::4, ::4]))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [_file(small, kind, exif=exif, icc_profile=swapped_profile()) for kind in ("PNG", "JPEG", "WEBP")]


@hypothesis_settings(max_examples=300, deadline=None, derandomize=True)
@given(
    which=st.integers(0, 2),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=8), st.booleans()), min_size=1, max_size=6),
)
def test_mutated_files_give_a_photo_or_a_sentence(
    sound_files: list[bytes], which: int, cuts: list[tuple[float, int, bytes, bool]]
) -> None:
    """Bytes replaced, inserted and taken out, half of the time in the headers."""
    data = sound_files[which]
    for place, gone, junk, early in cuts:
        start = int(place * (min(len(data), 600) if early else len(data)))
        data = data[:start] + junk + data[start + gone :]
    with contextlib.suppress(PhotoError):  # anything else that escapes is a crash
        assert load_photo(data, LIMITS).pixels.size <= 3 * LIMITS.max_pixels
