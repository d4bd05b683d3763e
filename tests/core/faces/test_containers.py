"""Photos as phones and chats make them: more behind a picture's end, newer formats, one frame of several."""

from __future__ import annotations

import io
import mmap
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from core.errors import PhotoTooLarge, UnreadablePhoto
from core.faces import load_photo
from core.faces.container import all_scans, opened
from core.faces.guard import MEMORY, memory_held
from core.pictures import encode
from core.settings import Settings
from core.system import own_data
from tests.core.faces.hostile import BIG, heic, saved

LIMITS = Settings.load({})
Y, X = np.mgrid[0:64, 0:96]
PICTURE = Image.fromarray(np.stack([X * 2.6, Y * 3.9, X + Y], axis=-1).astype(np.uint8))
KINDS: dict[str, dict[str, object]] = {
    "jpeg": {"quality": 95}, "jpeg progressive": {"quality": 95, "progressive": True}, "png": {}, "webp": {"lossless": True},
    "gif": {}, "avif": {"quality": 95},
}  # fmt: skip
FILM = struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + random.Random(0).randbytes(5 * 2**20)


def made(name: str) -> bytes:
    return saved(PICTURE, name.split()[0].upper(), **KINDS[name])


@pytest.mark.parametrize("behind", [FILM, b"\xff\xda" * 40_000, b"\xff\xfe\0\2" * 30_000, b"SEFT" + bytes(99)])
@pytest.mark.parametrize("name", KINDS)
def test_what_is_behind_a_picture_is_ignored(name: str, behind: bytes) -> None:
    """A motion photo's film, a phone's notes: neither counted nor decoded."""
    data = made(name)
    assert np.array_equal(load_photo(data + behind, LIMITS).pixels, load_photo(data, LIMITS).pixels)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_read(name: str) -> None:
    photo = load_photo(made(name), LIMITS)
    assert photo.manner.kind == name.split()[0]
    tolerance = {"gif": 12, "avif": 8, "jpeg": 4}.get(photo.manner.kind, 0)
    assert np.abs(photo.pixels.astype(int) - np.asarray(PICTURE)).mean() <= tolerance


def test_heic_is_read_and_what_is_behind_it_ignored() -> None:
    data = heic(PICTURE)
    photo = load_photo(data, LIMITS)
    assert (photo.manner.kind, photo.manner.own) == ("heic", "heic")
    assert np.abs(photo.pixels.astype(int) - np.asarray(PICTURE)).mean() < 8
    assert np.array_equal(load_photo(data + FILM[30:], LIMITS).pixels, photo.pixels)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    frames = [Image.new("RGB", PICTURE.size, colour) for colour in ("red", "blue")]
    first = Image.new("RGB", PICTURE.size, "lime")
    photo = load_photo(saved(first, kind, save_all=True, append_images=frames, duration=100), LIMITS)
    assert np.abs(photo.pixels.astype(int) - [0, 255, 0]).max() <= 4


@pytest.mark.parametrize("name", ["jpeg", "jpeg progressive"])
def test_a_jpeg_without_its_last_marker_is_whole_and_one_without_more_is_not(name: str) -> None:
    data = made(name)
    whole = load_photo(data, LIMITS).pixels
    for gone in (1, 2):
        assert np.array_equal(load_photo(data[:-gone], LIMITS).pixels, whole)
    for gone in (4, 8, 30, 200):
        with pytest.raises(UnreadablePhoto, match="cut off"):
            load_photo(data[:-gone], LIMITS)


@pytest.mark.parametrize("name", ["jpeg", "jpeg progressive"])
@pytest.mark.parametrize("bits", [12, 16])
def test_a_jpeg_of_more_bits_is_called_that_and_not_damaged(name: str, bits: int) -> None:
    data = bytearray(made(name))
    frame = min(place for place in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if place > 0)
    assert data[frame + 4] == 8
    data[frame + 4] = bits
    with pytest.raises(UnreadablePhoto, match="it is a JPEG of more than 8 bits a colour"):
        load_photo(bytes(data), LIMITS)


def test_a_progressive_jpeg_that_lacks_a_whole_scan_is_cut_off() -> None:
    data = made("jpeg progressive")
    assert all_scans(data)
    without = data[: data.rindex(b"\xff\xda")]
    assert not all_scans(without)
    with pytest.raises(UnreadablePhoto, match="cut off"):
        load_photo(without, LIMITS)


def test_a_gif_of_comments_without_end_is_refused_unread() -> None:
    data = made("gif")
    start = 13 + (3 << ((data[10] & 7) + 1))
    comment = b"\x21\xfe" + b"\x01x" * 2_000_000 + b"\0"
    with pytest.raises(UnreadablePhoto, match="very many parts"):
        load_photo(data[:start] + comment + data[start:], LIMITS)
    kept = opened(data[:start] + b"\x21\xfe" + b"\x01x" * 2000 + b"\0" + data[start:])
    assert kept is not None
    assert b"\x01x\x01x" not in kept.data, "no decoder is given what is no picture"


EVERY_KIND = pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 5}), ("JPEG", {"progressive": True, "quality": 5}), ("PNG", {}), ("WEBP", {"method": 0, "quality": 5})],
)


@EVERY_KIND
@pytest.mark.parametrize("size", [pytest.param((8160, 6144), marks=pytest.mark.long), (8192, 6144)])
def test_photos_as_large_as_phones_make_them_are_read(kind: str, options: dict[str, object], size: tuple[int, int]) -> None:
    assert load_photo(saved(Image.new("RGB", size), kind, **options), LIMITS).pixels.shape[:2] == size[::-1]


@EVERY_KIND
def test_one_number_limits_every_kind(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(PhotoTooLarge, match=r"7142 x 7142 pixels; at most 51\.0 million pixels"):
        load_photo(saved(Image.new("RGB", (7142, 7142)), kind, **options), LIMITS)


def test_a_picture_far_over_the_limit_is_refused_with_its_size() -> None:
    with pytest.raises(PhotoTooLarge, match=r"12000 x 9000 pixels; at most 51\.0"):
        load_photo(saved(Image.new("L", (12_000, 9000)), "PNG"), LIMITS)
    with pytest.raises(PhotoTooLarge, match=r"400\.0 million pixels; at most 51\.0"):
        load_photo(saved(Image.new("1", (20_000, 20_000)), "PNG"), LIMITS)


def test_a_decoder_that_wants_more_than_its_share_of_memory_gets_none() -> None:
    assert own_data() > 0
    most, own = MEMORY + 600 * 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with memory_held(), pytest.raises(OSError, match="memory"):
        mmap.mmap(-1, most, flags=own)
    mmap.mmap(-1, most, flags=own).close()  # and afterwards it is as it was


def test_a_file_of_its_own_may_have_more_bytes_than_a_strangers() -> None:
    limits = LIMITS.model_copy(update={"max_bytes": 100})
    with pytest.raises(PhotoTooLarge):
        load_photo(made("png"), limits)
    assert load_photo(made("png"), limits, own=True)
    assert BIG[0] * BIG[1] < limits.max_pixels


def with_chunk(name: bytes, content: bytes) -> bytes:
    """A PNG of the picture with one chunk more, right behind its header."""
    data, chunk = made("png"), name + content
    return data[:33] + struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


P3, BT2020, SRGB_CURVE, PQ, HLG = 12, 9, 13, 16, 18  # of ITU-T H.273


def test_colours_that_a_png_names_by_numbers_are_kept() -> None:
    """The file's own levels, and a profile for them: red of Display P3 is more than sRGB's, and grey is the same grey."""
    photo = load_photo(with_chunk(b"cICP", bytes([P3, SRGB_CURVE, 0, 1])), LIMITS)
    assert np.array_equal(photo.pixels, np.asarray(PICTURE))
    assert photo.manner.profile is not None
    colours = np.array([[[200, 60, 60], [90, 90, 90]]], np.uint8)
    assert np.abs(photo.in_srgb(colours)[0].astype(int) - [(217, 42, 52), (90, 90, 90)]).max() <= 1
    assert photo.left_out == ()
    assert load_photo(with_chunk(b"cICP", bytes([1, SRGB_CURVE, 0, 1])), LIMITS).manner.profile is None, "that is sRGB"


@pytest.mark.parametrize("name", ["avif", "heic"])
def test_colours_that_a_box_names_by_numbers_are_kept(name: str) -> None:
    data = heic(PICTURE) if name == "heic" else made(name)
    at = data.index(b"colrnclx") + 8
    told = data[:at] + struct.pack(">HH", P3, SRGB_CURVE) + data[at + 4 :]
    photo = load_photo(told, LIMITS)
    assert np.array_equal(photo.pixels, load_photo(data, LIMITS).pixels)
    assert (load_photo(data, LIMITS).manner.profile, len(photo.manner.profile or b"")) == (None, 580)
    again = load_photo(encode(photo.pixels, photo.manner.own, manner=photo.manner), LIMITS)
    assert again.manner.profile == photo.manner.profile, "a result has them too, and is taken as a photo"


@pytest.mark.parametrize(("curve", "paper"), [(PQ, 148), (HLG, 191)])
def test_a_high_dynamic_range_is_shown_as_srgb_and_its_loss_told(curve: int, paper: int) -> None:
    """White paper has 203 cd/m2 in such a picture (BT.2408): level 0.58 of PQ, 0.75 of HLG."""
    levels = np.repeat(np.array([0, paper // 2, paper, 220, 255], np.uint8), 3).reshape(1, 5, 3)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    data, content = buffer.getvalue(), b"cICP" + bytes([BT2020, curve, 0, 1])
    photo = load_photo(data[:33] + struct.pack(">I", 4) + content + struct.pack(">I", zlib.crc32(content)) + data[33:], LIMITS)
    shown = photo.pixels[0, :, 0].astype(int)
    assert shown[0] == 0
    assert 240 <= shown[2] <= 248
    assert (np.diff(shown) > 0).all() or (shown[2:] >= 240).all()
    assert np.abs(photo.pixels.astype(int) - photo.pixels[..., :1]).max() <= 1, "grey stays grey"
    assert (photo.left_out, photo.manner.profile) == (("the high dynamic range",), None)


@pytest.mark.parametrize("content", [b"", b"\x0c", b"\xff\xff\xff\xff"])
def test_numbers_that_make_no_sense_are_ignored(content: bytes) -> None:
    photo = load_photo(with_chunk(b"cICP", content), LIMITS)
    assert np.array_equal(photo.pixels, np.asarray(PICTURE))
    assert photo.manner.profile is None
