"""Painting tools for `things.py`: outlines, surfaces and shadows of things in front of a drawn face.

The canvas has `SIDE` pixels a side and shows a face aligned as FFHQ aligns, whose mouth lies at (0.50, 0.70) and chin at
(0.50, 0.87) of the side. Colours are levels, 0..255; masks are images of mode L, 255 where the thing is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE = 512  # pixels of the canvas
_ROOM = 30  # pixels round a thing that its shadow may reach
Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
Random = np.random.RandomState

_MOUTH, _CHEEK = (0.5, 0.70), (0.36, 0.62)


@dataclass
class Scene:
    """A picture being painted: its pixels and where it is covered so far."""

    pixels: Plane  # [SIDE, SIDE, 3], levels
    covered: Plane  # [SIDE, SIDE], 0..1
    other: Plane  # [SIDE, SIDE, 3]: another face, whose hair and skin are textures
    random: Random

    def lay(self, mask: Image.Image, colour: Plane, opacity: float = 1.0) -> None:
        """Paint `colour`, [3] or a picture [SIDE, SIDE, 3], where the mask [SIDE, SIDE] is set. `opacity`: 0..1."""
        box = mask.getbbox()
        if box is not None:
            part = colour if colour.ndim == 1 else colour[_rows(box)]
            self.lay_in(_rows(box), np.asarray(mask.crop(box), dtype=np.float32), part, opacity)

    def lay_in(self, where: tuple[slice, slice], mask: Plane, colour: Plane, opacity: float = 1.0) -> None:
        """Paint part of the picture: rows and columns `where`, mask [h, w] of 0..255, colour [3] or [h, w, 3]."""
        alpha = mask[..., None] / 255 * opacity
        self.pixels[where] += (colour - self.pixels[where]) * alpha
        self.covered[where] = np.maximum(self.covered[where], alpha[..., 0])


def large(picture: Picture) -> Plane:
    """Resize a picture uint8 [N, N, 3] to the canvas: float32 [SIDE, SIDE, 3]."""
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)


def somewhere(random: Random) -> NDArray[np.float64]:
    """Choose a random place on the face, in half of the cases on the mouth: [2], x and y in pixels."""
    if random.rand() < 0.5:
        return (np.array(_MOUTH) + random.normal(0, (0.05, 0.03))) * SIDE
    return np.array([random.uniform(0.22, 0.78), random.uniform(0.3, 0.95)]) * SIDE


def blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Make an empty mask, and the tool that draws on it."""
    mask = Image.new("L", (SIDE, SIDE))
    return mask, ImageDraw.Draw(mask)


def soft(mask: Image.Image, radius: float) -> Image.Image:
    """Blur a mask by a Gaussian of `radius` pixels."""
    return mask.filter(ImageFilter.GaussianBlur(radius))


def turned(points: NDArray[np.float64], angle: float, at: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Rotate points [N, 2] about the origin by `angle` radians and move them by `at` [2]: a list of pairs for Pillow."""
    cos, sin = np.cos(angle), np.sin(angle)
    moved = points @ np.array([[cos, sin], [-sin, cos]]) + at
    return [(float(x), float(y)) for x, y in moved]


def skin_of(scene: Scene) -> Plane:
    """Choose a random colour of skin [3]: in most cases close to this face's, for most hands are one's own."""
    random, (x, y) = scene.random, (np.array(_CHEEK) * SIDE).astype(int)
    own: NDArray[np.floating] = np.median(scene.pixels[y - 20 : y + 20, x - 20 : x + 20].reshape(-1, 3), axis=0)
    if random.rand() < 0.3:
        own = np.array([1.0, random.uniform(0.6, 0.85), random.uniform(0.4, 0.75)]) * random.uniform(60, 245)
    skin: Plane = (own * random.uniform(0.75, 1.2) * random.normal(1, 0.04, 3)).astype(np.float32)
    return skin


def any_colour(random: Random) -> Plane:
    """Choose a random colour [3]: dark, light or between, grey or not."""
    grey = random.choice([random.uniform(0, 40), random.uniform(200, 255), random.uniform(0, 255)])
    colour: Plane = (grey + random.normal(0, random.choice([3.0, 60.0]), 3)).clip(0, 255).astype(np.float32)
    return colour


def _rows(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    return slice(box[1], box[3]), slice(box[0], box[2])


def _noise(random: Random, cells: int, shape: tuple[int, ...]) -> Plane:
    """Make smooth noise [h, w] of about -1..1, with `cells` random values along the canvas's side."""
    rows, columns = (max(2, cells * extent // SIDE) for extent in shape)
    small = Image.fromarray(random.normal(0, 0.5, (rows, columns)).astype(np.float32))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _surface(scene: Scene, mask: Image.Image, colour: Plane, round_: float) -> Plane:
    """Make the surface of a thing, its colour with shading: [h, w, 3], levels. `round_` is how much it darkens at the edges."""
    random, shape = scene.random, (mask.height, mask.width)
    inner = np.asarray(mask.filter(ImageFilter.BoxBlur(random.uniform(6, 24))), dtype=np.float32) / 255
    shade = 1 + round_ * (inner.clip(0.4, 1) - 0.85) * random.uniform(0.6, 1.4)
    if random.rand() < 0.6:
        angle, depth = random.uniform(0, 2 * np.pi), random.uniform(0, 0.35)
        y, x = np.linspace(-0.5, 0.5, shape[0]), np.linspace(-0.5, 0.5, shape[1])
        shade = shade + depth * (x * np.cos(angle) + y[:, None] * np.sin(angle))
    if random.rand() < 0.6:
        shade = shade + random.uniform(0, 0.15) * _noise(random, int(random.choice([4, 10, 40, 120])), shape)
    made = colour * shade[..., None]
    if random.rand() < 0.15:
        top, left = random.randint(0, SIDE - shape[0] + 1), random.randint(0, SIDE - shape[1] + 1)
        made = made + (scene.other[top : top + shape[0], left : left + shape[1]] - 128) * random.uniform(0.3, 1)
    if random.rand() < 0.12:
        made = made * _stripes(random, shape)[..., None]
    surface: Plane = made.clip(0, 255).astype(np.float32)
    return surface


def _stripes(random: Random, shape: tuple[int, ...]) -> Plane:
    """Make random stripes [h, w] to multiply a surface by, 0.4..1."""
    angle, pitch = random.uniform(0, np.pi), random.uniform(8, 50)
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])
    waves: Plane = np.where(np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch) > 0, 1, random.uniform(0.4, 1))
    return waves


def _shadow(scene: Scene, mask: Image.Image, where: tuple[slice, slice]) -> None:
    """Darken the surroundings of a thing in half of the cases. A shadow counts as face and not as covered."""
    if scene.random.rand() < 0.5:
        return
    blurred = np.asarray(mask.filter(ImageFilter.BoxBlur(scene.random.uniform(3, 18))), dtype=np.float32) / 255
    moved = np.roll(blurred, scene.random.randint(-12, 13, 2).tolist(), (0, 1))
    scene.pixels[where] *= 1 - scene.random.uniform(0.1, 0.5) * moved[..., None] * (1 - scene.covered[where][..., None])


def put(scene: Scene, mask: Image.Image, colour: Plane, round_: float = 0.5) -> None:
    """Paint a thing: a shadow, then a surface of the colour [3] inside its mask [SIDE, SIDE]. `round_`: see `_surface`."""
    found = mask.getbbox()
    if found is None:
        return
    box = max(0, found[0] - _ROOM), max(0, found[1] - _ROOM), min(SIDE, found[2] + _ROOM), min(SIDE, found[3] + _ROOM)
    part = soft(mask.crop(box), scene.random.uniform(0.3, 2.0))
    _shadow(scene, part, _rows(box))
    scene.lay_in(_rows(box), np.asarray(part, dtype=np.float32), _surface(scene, part, colour, round_))


def capsule(a: NDArray[np.float64], b: NDArray[np.float64], ra: float, rb: float) -> Image.Image:
    """Draw the mask of a finger: from radius `ra` at a [2] to `rb` at b [2], in pixels, both ends round."""
    mask, draw = blank()
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    side = np.array([-along[1], along[0]])
    draw.polygon([tuple(p) for p in (a + side * ra, b + side * rb, b - side * rb, a - side * ra)], fill=255)
    for centre, radius in ((a, ra), (b, rb)):
        draw.ellipse([*(centre - radius), *(centre + radius)], fill=255)
    return mask
