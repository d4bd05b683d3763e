"""Things before faces, painted with Pillow in other ways than those that the network learned from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Paint = Callable[[ImageDraw.ImageDraw, float, float, float], None]  # with a mouth's middle and its width in pixels


def _fingers(draw: ImageDraw.ImageDraw, x: float, y: float, mouth: float) -> None:
    for step in (-0.9, -0.3, 0.3, 0.9):
        left = x + step * mouth * 0.45 - mouth * 0.13
        box = [left, y - 0.6 * mouth, left + 0.25 * mouth, y + 1.6 * mouth]
        draw.rounded_rectangle(box, mouth * 0.12, fill=(205, 150, 125), outline=(140, 95, 78), width=max(1, round(mouth / 60)))


def _cup(draw: ImageDraw.ImageDraw, x: float, y: float, mouth: float) -> None:
    draw.rectangle([x - 0.5 * mouth, y - 0.3 * mouth, x + 0.5 * mouth, y + 1.2 * mouth], fill=(238, 238, 232))
    draw.ellipse([x - 0.5 * mouth, y - 0.45 * mouth, x + 0.5 * mouth, y - 0.15 * mouth], fill=(215, 213, 205))


def _mask(draw: ImageDraw.ImageDraw, x: float, y: float, mouth: float) -> None:
    shape = [(-1.4, -0.75), (0, -1.0), (1.4, -0.75), (1.2, 0.3), (0.5, 1.0), (-0.5, 1.0), (-1.2, 0.3)]
    draw.polygon([(x + a * mouth, y + b * mouth) for a, b in shape], fill=(110, 180, 200))


def _letters(draw: ImageDraw.ImageDraw, x: float, y: float, mouth: float) -> None:
    font = ImageFont.load_default(mouth * 0.55)
    draw.text((x, y), "TOP TEXT", (255, 255, 255), font, "mm", stroke_width=round(mouth * 0.05), stroke_fill=(0, 0, 0))


def _microphone(draw: ImageDraw.ImageDraw, x: float, y: float, mouth: float) -> None:
    draw.line([(x, y), (x + mouth, y + 3 * mouth)], fill=(25, 25, 28), width=round(mouth * 0.4))
    draw.ellipse([x - 0.45 * mouth, y - 0.4 * mouth, x + 0.45 * mouth, y + 0.5 * mouth], fill=(60, 60, 62))


THINGS: dict[str, Paint] = {"fingers": _fingers, "cup": _cup, "mask": _mask, "letters": _letters, "microphone": _microphone}


def before(pixels: Pixels, what: str, at: tuple[float, float], mouth: float) -> tuple[Pixels, NDArray[np.bool_]]:
    """The picture with a thing at a place, and where the thing is."""
    picture, mask = Image.fromarray(pixels), Image.new("RGB", (pixels.shape[1], pixels.shape[0]), (1, 2, 3))
    for canvas in (picture, mask):
        THINGS[what](ImageDraw.Draw(canvas), *at, mouth)
    return np.asarray(picture), (np.asarray(mask) != (1, 2, 3)).any(axis=2)
