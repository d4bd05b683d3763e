"""Encoding, sheets and animations."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.pictures import animate, contact_sheet, encode

MARK = b"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_every_format_says_that_it_is_an_ai_edit(astronaut: NDArray[np.uint8], kind: str) -> None:
    data = encode(astronaut, kind)  # type: ignore[arg-type]
    assert MARK in data
    image = Image.open(io.BytesIO(data))
    assert image.format == kind.upper()
    assert not image.getexif()
    assert "icc_profile" not in image.info
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - astronaut).mean() < (1e-9 if kind == "png" else 4)
    assert encode(astronaut, kind) == data, "the same pixels give the same bytes"  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("limit", [300_000, 40_000, 6_000])
def test_a_size_limit_is_kept(astronaut: NDArray[np.uint8], kind: str, limit: int) -> None:
    data = encode(astronaut, kind, max_bytes=limit)  # type: ignore[arg-type]
    assert len(data) <= limit
    assert Image.open(io.BytesIO(data)).size[0] > 60
    assert MARK in data


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_an_animation_runs_forth_and_back(astronaut: NDArray[np.uint8], kind: str) -> None:
    frames = [np.full((64, 64, 3), level, np.uint8) for level in (0, 80, 160, 240)]
    data = animate(frames, kind, fps=10)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(data))
    levels = []
    for index in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(index)
        levels.append(round(float(np.asarray(image.convert("RGB")).mean()) / 80))
    assert levels == [0, 1, 2, 3, 2, 1]
    assert image.info["loop"] == 0
    assert image.info["duration"] == 100
    assert MARK in data


def test_an_animation_keeps_a_size_limit(astronaut: NDArray[np.uint8]) -> None:
    frames = [np.roll(astronaut, shift, axis=1) for shift in range(0, 60, 10)]
    assert len(animate(frames, "gif", max_bytes=200_000)) <= 200_000


@pytest.mark.parametrize(("source", "says"), [("generated", b"/trainedAlgorithmicMedia"), ("photo", b"")])
def test_a_picture_says_what_it_is_and_not_more(astronaut: NDArray[np.uint8], source: str, says: bytes) -> None:
    data = encode(astronaut, "webp", source=source)  # type: ignore[arg-type]
    assert says in data
    assert (b"DigitalSourceType" in data) == (source == "generated")
    assert MARK not in data


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_the_mark_is_sound_xmp(astronaut: NDArray[np.uint8], kind: str) -> None:
    packet = Image.open(io.BytesIO(encode(astronaut, kind))).info["xmp"]  # type: ignore[arg-type]
    (description,) = ElementTree.fromstring(packet).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description.attrib["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == "egao"
    assert description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"].encode() == MARK


def test_noise_that_takes_more_than_a_byte_a_pixel_can_be_a_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    data = encode(noise, "jpeg")
    assert len(data) > 256 * 256
    assert Image.open(io.BytesIO(data)).size == (256, 256)
    assert MARK in data


def test_a_panorama_fits_into_webp() -> None:
    image = Image.open(io.BytesIO(encode(np.zeros((20, 20_000, 3), np.uint8), "webp")))
    assert image.size == (16_383, 16)


def test_the_colours_of_a_gif_are_near_the_frames(astronaut: NDArray[np.uint8]) -> None:
    frames = [np.ascontiguousarray(astronaut[shift : shift + 256, 80:336]) for shift in (0, 20, 40)]
    image = Image.open(io.BytesIO(animate(frames, "gif")))
    for index, frame in enumerate(frames):
        image.seek(index)
        seen, meant = (Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1.5)) for pixels in
                       (np.asarray(image.convert("RGB")), frame))  # fmt: skip
        assert np.sqrt(np.mean((np.asarray(seen).astype(float) - np.asarray(meant)) ** 2)) < 2.5


def test_a_long_label_stays_over_its_picture() -> None:
    grey = np.full((32, 32, 3), 200, np.uint8)
    sheet = contact_sheet([[("a label much too long for the picture below", grey), ("", grey)]], side=200)
    dark = np.flatnonzero((sheet[:40].max(axis=2) < 160).any(axis=0))
    assert 12 + 180 < dark.max() < 12 + 200 + 3


def test_a_sheet_holds_every_picture_and_label() -> None:
    red, blue = (np.full((32, 32, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[("one", red), ("two", blue)], [("three", blue)]], side=100)
    assert (sheet == [255, 0, 0]).all(axis=2).sum() == 100 * 100
    assert (sheet == [0, 0, 255]).all(axis=2).sum() == 2 * 100 * 100
    assert (sheet < 100).all(axis=2).sum() > 100, "letters"
