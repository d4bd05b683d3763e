"""Photos as phones and chats make them: more behind a picture's end, newer formats, one frame of several."""

from __future__ import annotations

import mmap
import random
import struct

import numpy as np
import pytest
from PIL import Image

from core.errors import PhotoTooLarge, UnreadablePhoto
from core.faces import load_photo
from core.faces.container import all_scans, opened
from core.faces.guard import MEMORY, memory_held
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
