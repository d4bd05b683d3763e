"""Animations in the kind they came in: times, loops, transparency, and every pixel that was not edited."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import FilmTooLong, FilmTooSlow, UnreadablePhoto
from core.faces import Film, load_film
from core.faces import film as film_module
from core.pictures import FilmKind, Playing, encode_film
from core.settings import Settings

LIMITS = Settings.load({})
SIDE = 48
EDITED = slice(10, 30), slice(12, 28)
Picture = NDArray[np.uint8]


def drawn(number: int, holes: bool = False) -> Picture:
    """A frame of colours that move, with a hole that moves too."""
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = np.stack([(4 * x + 9 * number) % 256, 5 * y % 256, (3 * (x + y) + 20 * number) % 256], axis=2).astype(np.uint8)
    if not holes:
        return pixels
    there = np.where((x - 20 - number) ** 2 + (y - 20) ** 2 < 300, 255, 0)
    return np.dstack([pixels, there]).astype(np.uint8)


def film_file(kind: str, *, holes: bool = False, times: tuple[int, ...] = (100, 50, 200, 80), **options: Any) -> bytes:
    images = [Image.fromarray(drawn(number, holes)) for number in range(len(times))]
    durations = list(times[1:] if options.get("default_image") else times)
    if kind == "GIF":
        images = [image.quantize(200, method=Image.Quantize.FASTOCTREE) for image in images]
        options |= {"disposal": 2} if holes else {}
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=True, append_images=images[1:], duration=durations, **options)
    return buffer.getvalue()


def whole(film: Film) -> list[Picture]:
    return [photo.pixels if photo.layered is None else photo.layered for photo in film.frames]


def shown(picture: Picture) -> NDArray[np.int64]:
    """What a viewer shows: nothing of what is transparent."""
    full = picture if picture.shape[2] == 4 else np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    return np.where(full[..., 3:] == 0, 0, full).astype(np.int64)


def loaded(data: bytes) -> Film:
    film = load_film(data, LIMITS)
    assert film is not None
    return film


CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "gif, three times": ("GIF", {"loop": 2}, 0),
    "gif, once": ("GIF", {}, 0),
    "gif with holes": ("GIF", {"loop": 0, "holes": True}, 0),
    "png": ("PNG", {"loop": 3}, 0),
    "png with holes": ("PNG", {"loop": 0, "holes": True}, 0),
    "png with a picture apart": ("PNG", {"default_image": True}, 0),
    "webp without loss": ("WEBP", {"loop": 4, "lossless": True}, 0),
    "webp with holes": ("WEBP", {"loop": 0, "lossless": True, "holes": True, "exact": True}, 0),
    "webp": ("WEBP", {"loop": 1, "quality": 90}, 60),
    "avif": ("AVIF", {"quality": 90}, 60),
}


@pytest.mark.parametrize("name", CASES)
def test_an_edited_animation_plays_as_it_did_and_keeps_what_was_not_edited(name: str) -> None:
    kind, options, loss = CASES[name]
    film = loaded(film_file(kind, **options))
    before = whole(film)
    after = [one.copy() for one in before]
    for number, one in enumerate(after):
        one[(*EDITED, slice(3))] = 255 - one[(*EDITED, slice(3))] // 2 - number
    made: FilmKind = kind.lower()  # type: ignore[assignment]
    data = encode_film(after, before, made, Playing(film.durations, film.loops, film.apart), manner=film.manner)
    again = loaded(data)
    assert (again.durations, again.loops, again.apart) == (film.durations, film.loops, film.apart)
    assert again.manner.kind == kind.lower()
    assert b"compositeWithTrainedAlgorithmicMedia" in data
    untouched = np.ones((SIDE, SIDE), bool)
    untouched[EDITED] = False
    for old, new, result in zip(before, after, whole(again), strict=True):
        off = np.abs(shown(result) - shown(new)).max(axis=2)
        assert off[untouched].max() <= loss, "beyond the edit"
        assert off.mean() < 12, "and the edit as near as the kind of file allows"
        assert np.abs(shown(result) - shown(old))[EDITED].mean() > 20, "the edit is there"
    if loss or film.manner.exact:
        assert len(data) <= 3 * film.manner.size


def test_a_gif_of_more_colours_than_a_frame_may_have_keeps_what_is_not_edited() -> None:
    """Frames that were each laid over the one before, with a palette of their own, show more than 256 colours together."""
    ground = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    before = [ground.copy() for _ in range(3)]
    ground_colours = Image.fromarray(ground).quantize(256).convert("RGB")
    before[0] = np.array(ground_colours)
    for number in (1, 2):
        before[number] = before[number - 1].copy()
        before[number][number * 10 : number * 10 + 8, :30] = np.arange(number, number + 240, dtype=np.uint8).reshape(8, 30, 1)
    after = [one.copy() for one in before]
    for one in after:
        one[40:44, 40:44] = 7
    film = loaded(encode_film(after, before, "gif", Playing([100, 100, 100], 0)))
    for old, result in zip(before, whole(film), strict=True):
        assert np.array_equal(old[:38], result[:38])


def test_frames_of_equal_pixels_are_one_object_so_that_they_are_edited_once() -> None:
    images = [Image.fromarray(drawn(one)) for one in (0, 1, 2, 1)]
    buffer = io.BytesIO()
    images[0].save(buffer, "PNG", save_all=True, append_images=images[1:], duration=40)
    frames = loaded(buffer.getvalue()).frames
    assert frames[1] is frames[3]
    assert len({frame.sha256 for frame in frames}) == 3


def test_what_is_still_is_no_film_and_what_is_too_long_is_told_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("JPEG", "GIF", "PNG", "WEBP", "AVIF"):
        buffer = io.BytesIO()
        Image.fromarray(drawn(0)).save(buffer, kind)
        assert load_film(buffer.getvalue(), LIMITS) is None
    with pytest.raises(UnreadablePhoto):
        load_film(b"no picture", LIMITS)
    with pytest.raises(FilmTooLong, match=r"241 frames of 48 x 48 pixels; at most 240 frames, and 60 million"):
        load_film(film_file("GIF", times=(20,) * 241), LIMITS)
    monkeypatch.setattr(film_module, "FRAMES", 3)
    for kind in ("GIF", "PNG", "WEBP", "AVIF"):
        with pytest.raises(FilmTooLong, match="4 frames"):
            load_film(film_file(kind), LIMITS)
        with pytest.raises(FilmTooSlow, match=r"plays for 122 seconds; at most 120"):
            load_film(film_file(kind, times=(61_000, 61_000)), LIMITS)
    monkeypatch.setattr(film_module, "PIXELS", 3 * SIDE * SIDE - 1)
    with pytest.raises(FilmTooLong):
        load_film(film_file("GIF", times=(20, 20, 20)), LIMITS)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_cut_anywhere_is_refused_with_a_sentence_or_played_as_far_as_it_goes(kind: str) -> None:
    data = film_file(kind)
    for end in range(20, len(data), max(1, len(data) // 40)):
        try:
            film = load_film(data[:end], LIMITS)
        except UnreadablePhoto:
            continue
        assert film is None or len(film.frames) <= 4
