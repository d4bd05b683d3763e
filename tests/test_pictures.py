"""Encoding, sheets and animations."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

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


def test_a_sheet_holds_every_picture_and_label() -> None:
    red, blue = (np.full((32, 32, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[("one", red), ("two", blue)], [("three", blue)]], side=100)
    assert (sheet == [255, 0, 0]).all(axis=2).sum() == 100 * 100
    assert (sheet == [0, 0, 255]).all(axis=2).sum() == 2 * 100 * 100
    assert (sheet < 100).all(axis=2).sum() > 100, "letters"
