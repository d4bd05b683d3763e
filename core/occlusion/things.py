"""Paints things before drawn faces, to learn from: hands, cups, masks, letters, microphones, plates, sticks, blobs.

Everything is drawn with polygons on a canvas of `SIDE` pixels in the square that FFHQ aligns to, where the mouth lies at
(0.50, 0.70) and the chin at (0.50, 0.87). No picture of anything is used but the drawn faces themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 512  # pixels of the canvas
_ROOM = 30  # pixels round a thing that its shadow may reach
Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
Random = np.random.RandomState

_MOUTH, _CHEEK = (0.5, 0.70), (0.36, 0.62)
# Pillow's own font draws what it lacks as boxes, which lie before a face as well
# fmt: off
_WORDS = (
    "WHEN", "THE", "CODE", "WORKS", "lol", "me", "at", "3", "am", "NOBODY:", "monday", "@name", "SAMPLE", "2024", "いいね", "笑",
    "why", "not", "HELLO", "omg", "It", "is", "fine",
)
# fmt: on


@dataclass
class _Scene:
    """A picture under way: what is painted so far and where things lie."""

    pixels: Plane  # [SIDE, SIDE, 3], levels
    covered: Plane  # [SIDE, SIDE], 0..1
    other: Plane  # [SIDE, SIDE, 3]: another face, whose hair and skin are textures
    random: Random

    def lay(self, mask: Image.Image, colour: Plane, opacity: float = 1.0) -> None:
        """Put a `colour` ([3] or a picture) where the mask is."""
        box = mask.getbbox()
        if box is not None:
            part = colour if colour.ndim == 1 else colour[_rows(box)]
            self.lay_in(_rows(box), np.asarray(mask.crop(box), dtype=np.float32), part, opacity)

    def lay_in(self, where: tuple[slice, slice], mask: Plane, colour: Plane, opacity: float = 1.0) -> None:
        """The same in a part of the picture; mask and colour are of the part's size."""
        alpha = mask[..., None] / 255 * opacity
        self.pixels[where] += (colour - self.pixels[where]) * alpha
        self.covered[where] = np.maximum(self.covered[where], alpha[..., 0])


def paint(face: Picture, other: Picture, random: Random) -> tuple[Picture, Plane]:
    """Put one to three things before a face. `face` and `other` [N, N, 3] -> the picture [N, N, 3] and where the things are,
    [N, N], 0..1."""
    side = len(face)
    scene = _Scene(_large(face), np.zeros((SIDE, SIDE), np.float32), _large(other), random)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        kinds, weights = zip(*_KINDS, strict=True)
        kinds[random.choice(len(kinds), p=np.array(weights) / sum(weights))](scene)
    pixels = Image.fromarray(scene.pixels.clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BOX)
    covered = Image.fromarray(scene.covered).resize((side, side), Image.Resampling.BOX)
    return np.asarray(pixels), np.asarray(covered)


def _large(picture: Picture) -> Plane:
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)


def _place(random: Random) -> NDArray[np.float64]:
    """Somewhere on the face, on the mouth in half of the cases: [2] in pixels."""
    if random.rand() < 0.5:
        return (np.array(_MOUTH) + random.normal(0, (0.05, 0.03))) * SIDE
    return np.array([random.uniform(0.22, 0.78), random.uniform(0.3, 0.95)]) * SIDE


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (SIDE, SIDE))
    return mask, ImageDraw.Draw(mask)


def _soft(mask: Image.Image, radius: float) -> Image.Image:
    return mask.filter(ImageFilter.GaussianBlur(radius))


def _turned(points: NDArray[np.float64], angle: float, at: NDArray[np.float64]) -> list[tuple[float, float]]:
    cos, sin = np.cos(angle), np.sin(angle)
    moved = points @ np.array([[cos, sin], [-sin, cos]]) + at
    return [(float(x), float(y)) for x, y in moved]


def _skin(scene: _Scene) -> Plane:
    """A skin's colour [3]: mostly about that of this face, for most hands are one's own."""
    random, (x, y) = scene.random, (np.array(_CHEEK) * SIDE).astype(int)
    own: NDArray[np.floating] = np.median(scene.pixels[y - 20 : y + 20, x - 20 : x + 20].reshape(-1, 3), axis=0)
    if random.rand() < 0.3:
        own = np.array([1.0, random.uniform(0.6, 0.85), random.uniform(0.4, 0.75)]) * random.uniform(60, 245)
    skin: Plane = (own * random.uniform(0.75, 1.2) * random.normal(1, 0.04, 3)).astype(np.float32)
    return skin


def _any_colour(random: Random) -> Plane:
    grey = random.choice([random.uniform(0, 40), random.uniform(200, 255), random.uniform(0, 255)])
    colour: Plane = (grey + random.normal(0, random.choice([3.0, 60.0]), 3)).clip(0, 255).astype(np.float32)
    return colour


def _rows(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    return slice(box[1], box[3]), slice(box[0], box[2])


def _noise(random: Random, cells: int, shape: tuple[int, ...]) -> Plane:
    """Smooth noise of that many cells to the canvas' side, about -1..1."""
    rows, columns = (max(2, cells * extent // SIDE) for extent in shape)
    small = Image.fromarray(random.normal(0, 0.5, (rows, columns)).astype(np.float32))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _surface(scene: _Scene, mask: Image.Image, colour: Plane, round_: float) -> Plane:
    """A shaded surface of a colour [3], as large as the mask [h, w, 3]. `round_` 0 is flat, 1 falls off towards the edges."""
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
    angle, pitch = random.uniform(0, np.pi), random.uniform(8, 50)
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])
    waves: Plane = np.where(np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch) > 0, 1, random.uniform(0.4, 1))
    return waves


def _shadow(scene: _Scene, mask: Image.Image, where: tuple[slice, slice]) -> None:
    """What a thing's shadow darkens is still the face."""
    if scene.random.rand() < 0.5:
        return
    blurred = np.asarray(mask.filter(ImageFilter.BoxBlur(scene.random.uniform(3, 18))), dtype=np.float32) / 255
    moved = np.roll(blurred, scene.random.randint(-12, 13, 2).tolist(), (0, 1))
    scene.pixels[where] *= 1 - scene.random.uniform(0.1, 0.5) * moved[..., None] * (1 - scene.covered[where][..., None])


def _put(scene: _Scene, mask: Image.Image, colour: Plane, round_: float = 0.5) -> None:
    found = mask.getbbox()
    if found is None:
        return
    box = max(0, found[0] - _ROOM), max(0, found[1] - _ROOM), min(SIDE, found[2] + _ROOM), min(SIDE, found[3] + _ROOM)
    part = _soft(mask.crop(box), scene.random.uniform(0.3, 2.0))
    _shadow(scene, part, _rows(box))
    scene.lay_in(_rows(box), np.asarray(part, dtype=np.float32), _surface(scene, part, colour, round_))


def _capsule(a: NDArray[np.float64], b: NDArray[np.float64], ra: float, rb: float) -> Image.Image:
    """A finger's outline: from radius `ra` at a to `rb` at b, both ends round."""
    mask, draw = _blank()
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    side = np.array([-along[1], along[0]])
    draw.polygon([tuple(p) for p in (a + side * ra, b + side * rb, b - side * rb, a - side * ra)], fill=255)
    for centre, radius in ((a, ra), (b, rb)):
        draw.ellipse([*(centre - radius), *(centre + radius)], fill=255)
    return mask


def _hand(scene: _Scene) -> None:
    """One to five fingers side by side, with or without nails, creases and the back of the hand."""
    random, skin = scene.random, _skin(scene)
    at, angle = _place(random), random.choice([np.pi / 2, random.uniform(0.2, 0.9) * np.pi, random.uniform(0, 2 * np.pi)])
    down = np.array([np.cos(angle), np.sin(angle)])
    side, radius, count = np.array([-down[1], down[0]]), random.uniform(12, 30), random.randint(1, 6)
    flat, spread = random.rand() < 0.2, random.uniform(-0.05, 0.08)
    tips = [at + side * (i - (count - 1) / 2) * radius * random.uniform(1.85, 2.2) for i in range(count)]
    if random.rand() < 0.5:  # the back of the hand, or a palm
        back, draw = _blank()
        centre, wide = at + down * radius * random.uniform(5, 8), count * radius * 1.1 + radius
        shape = np.array([[-wide, -radius * 3], [wide, -radius * 3], [wide * 0.9, radius * 5], [-wide * 0.9, radius * 5]])
        draw.polygon(_turned(shape, angle - np.pi / 2, centre), fill=255)
        _put(scene, _soft(back, 5).point(lambda v: 255 if v > 127 else 0), skin * random.uniform(0.85, 1.05), 0.3)
    for index, tip in enumerate(tips):
        tip = tip + down * radius * random.uniform(-1.2, 1.2)
        way = down + side * spread * (index - count / 2)
        end = tip + way * radius * random.uniform(4, 12)
        finger = _capsule(tip, end, radius * random.uniform(0.75, 1), radius * random.uniform(0.9, 1.1))
        _put(scene, finger, skin * random.uniform(0.93, 1.06), 0 if flat else random.uniform(0.3, 1.2))
        if flat:
            edge = finger.filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3))
            scene.lay(edge, skin * random.uniform(0.5, 0.85))
        _details(scene, tip, way, radius, skin)


def _details(scene: _Scene, tip: NDArray[np.float64], way: NDArray[np.float64], radius: float, skin: Plane) -> None:
    random = scene.random
    if random.rand() < 0.4:  # a nail, bare or painted
        colour = skin * random.uniform(1.05, 1.3) if random.rand() < 0.5 else _any_colour(random)
        start = tip - way * radius * random.uniform(0.2, 0.8)
        scene.lay(_soft(_capsule(start, tip + way * radius * 0.4, radius * 0.55, radius * 0.6), 0.8), colour)
    for place in (random.uniform(2, 3), random.uniform(4, 5)):
        if random.rand() < 0.4:
            side = np.array([-way[1], way[0]]) * radius * 0.7
            mask, draw = _blank()
            centre = tip + way * radius * place
            draw.line([tuple(centre - side), tuple(centre + side)], fill=255, width=3)
            scene.lay(_soft(mask, 1.5), skin * 0.7, random.uniform(0.3, 0.8))


def _cup(scene: _Scene) -> None:
    """A cup, glass or can: straight or tapered, with a rim and perhaps a handle."""
    random, at = scene.random, _place(scene.random)
    wide, high, taper = random.uniform(30, 90), random.uniform(40, 130), random.uniform(0.7, 1.05)
    angle, colour = random.normal(0, 0.25), _any_colour(random)
    mask, draw = _blank()
    at = at + np.array([0, high * random.uniform(0, 0.9)])
    shape = np.array([[-wide, -high], [wide, -high], [wide * taper, high], [-wide * taper, high]])
    draw.polygon(_turned(shape, angle, at), fill=255)
    turn = np.linspace(0, 2 * np.pi, 40)
    for end, broad in ((-high, wide), (high, wide * taper)):
        ring = np.column_stack([np.cos(turn) * broad, np.sin(turn) * broad * 0.22 + end])
        draw.polygon(_turned(ring, angle, at), fill=255)
    if random.rand() < 0.4:
        ring = np.column_stack([np.cos(turn) * wide * 0.5 + random.choice([-1, 1]) * wide, np.sin(turn) * high * 0.5])
        draw.line(_turned(ring, angle, at), fill=255, width=int(random.uniform(8, 16)))
    _put(scene, mask, colour, random.uniform(0, 1))
    if random.rand() < 0.7:
        rim, draw = _blank()
        ring = np.column_stack([np.cos(turn) * wide * 0.97, np.sin(turn) * wide * 0.2 - high])
        draw.polygon(_turned(ring, angle, at), fill=255)
        scene.lay(_soft(rim, 0.8), colour * random.uniform(0.6, 1.1))


def _microphone(scene: _Scene) -> None:
    """A ball with a mesh on a stick, from below or from a side."""
    random, at = scene.random, _place(scene.random)
    radius, angle = random.uniform(18, 60), random.choice([np.pi / 2, random.uniform(0, np.pi)])
    colour = np.float32(random.choice([25.0, 70.0, 160.0])) * np.ones(3, np.float32)
    down = np.array([np.cos(angle), np.sin(angle)])
    at = at + down * radius * random.uniform(0, 1.5)
    stick = _capsule(at + down * radius, at + down * 600, radius * 0.55, radius * 0.4)
    _put(scene, stick, colour * random.uniform(0.3, 1), 0.8)
    ball, draw = _blank()
    draw.ellipse([*(at - radius), *(at + radius)], fill=255)
    _put(scene, ball, colour, 1)
    y, x = np.mgrid[:SIDE, :SIDE]
    mesh = ((x // 3 + y // 3) % 2 * 60).astype(np.uint8)
    scene.lay(Image.fromarray(np.minimum(mesh, np.asarray(ball))), colour * 0.4)


def _mask(scene: _Scene) -> None:
    """A mask or a scarf over mouth and chin, from the nose or below it."""
    random = scene.random
    top, low = random.uniform(0.53, 0.66), random.uniform(0.85, 0.99)
    left, right = random.uniform(0.2, 0.3), random.uniform(0.7, 0.8)
    jaw, nose = random.uniform(0.7, 0.85), random.uniform(-0.05, 0.03)
    shape = [(left, top + 0.02), (0.42, top + nose), (0.5, top + nose - 0.015), (0.58, top + nose), (right, top + 0.02),
             (right - 0.02, jaw), (0.5 + random.uniform(0.05, 0.15), low), (0.5 - random.uniform(0.05, 0.15), low),
             (left + 0.02, jaw)]  # fmt: skip
    mask, draw = _blank()
    shift = random.normal(0, 0.015, 2)
    draw.polygon([((x + shift[0]) * SIDE, (y + shift[1]) * SIDE) for x, y in shape], fill=255)
    mask = _soft(mask, 6).point(lambda v: 255 if v > 127 else 0)
    colour = _any_colour(random)
    _put(scene, mask, colour, random.uniform(0, 0.6))
    folds, draw = _blank()
    for y in np.linspace(top + 0.05, low - 0.04, random.randint(2, 6)):
        end = y + random.normal(0, 0.01)
        draw.line([(left * SIDE, y * SIDE), (right * SIDE, end * SIDE)], fill=255, width=random.randint(1, 5))
    inside = Image.fromarray(np.minimum(np.asarray(folds), np.asarray(mask)))
    scene.lay(_soft(inside, 1.5), colour * random.uniform(0.7, 1.2), random.uniform(0, 0.8))
    if random.rand() < 0.5:
        loops, draw = _blank()
        for x, edge in ((left, 0.1), (right, 0.9)):
            for y in (top + 0.03, jaw - 0.02):
                draw.line([(x * SIDE, y * SIDE), (edge * SIDE, (top + random.uniform(-0.1, 0)) * SIDE)], fill=255, width=4)
        scene.lay(_soft(loops, 0.8), colour)


def _letters(scene: _Scene) -> None:
    """Words across the picture, with or without an edge, opaque or nearly."""
    random = scene.random
    size = int(random.uniform(18, 110))
    font, words = ImageFont.load_default(size), [str(w) for w in random.choice(_WORDS, random.randint(1, 5))]
    text = "\n".join([" ".join(words)] * random.choice([1, 1, 1, 2, 3]))
    mask, draw = _blank()
    at = _place(random)
    edge = int(size * random.choice([0.0, 0.06, 0.12]))
    where = (float(at[0] + random.normal(0, 60)), float(at[1]))
    draw.text(where, text, fill=255, font=font, anchor="mm", stroke_width=edge, align="center")
    inner, draw = _blank()
    draw.text(where, text, fill=255, font=font, anchor="mm", align="center")
    turn, opacity = random.choice([0.0, 0.0, random.normal(0, 20)]), random.choice([1.0, 1.0, random.uniform(0.6, 1)])
    light = _any_colour(random)
    if edge:
        scene.lay(mask.rotate(turn), (255 - light).clip(0, 255) if random.rand() < 0.5 else np.zeros(3, np.float32), opacity)
    scene.lay(inner.rotate(turn), light, opacity)


def _plate(scene: _Scene) -> None:
    """A phone, a book, a bar, a sign, a sticker: straight or round, plain, striped or with spots."""
    random, at = scene.random, _place(scene.random)
    half = np.array([random.uniform(15, 150), random.uniform(10, 110)])
    angle = random.choice([0.0, random.normal(0, 0.3), random.uniform(0, np.pi)])
    mask, draw = _blank()
    power = random.choice([1.0, 0.35, 0.15, 0.02])
    turn = np.linspace(0, 2 * np.pi, 80)
    cos, sin = np.cos(turn), np.sin(turn)
    shape = np.column_stack([np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power]) * half
    draw.polygon(_turned(shape, angle, at), fill=255)
    _put(scene, mask, _any_colour(random), random.uniform(0, 0.6))
    for _ in range(random.choice([0, 0, 1, 3])):
        spot, draw = _blank()
        radius, centre = random.uniform(4, 20), np.array(_turned(random.uniform(-0.8, 0.8, (1, 2)) * half, angle, at)[0])
        draw.ellipse([*(centre - radius), *(centre + radius)], fill=255)
        scene.lay(Image.fromarray(np.minimum(np.asarray(spot), np.asarray(mask))), _any_colour(random))


def _blob(scene: _Scene) -> None:
    """Food, a flower, a paw, a shoulder: a round shape of any or of the skin's colour, or a piece of another face."""
    random, at = scene.random, _place(scene.random)
    turn = np.linspace(0, 2 * np.pi, 60)
    waves = [random.normal(0, 0.12) * np.cos(k * turn + random.uniform(0, 7)) for k in (2, 3, 5)]
    radius = random.uniform(20, 110) * (1 + sum(waves))
    mask, draw = _blank()
    shape = np.column_stack([np.cos(turn) * radius, np.sin(turn) * radius * random.uniform(0.4, 1)])
    draw.polygon(_turned(shape, random.uniform(0, np.pi), at), fill=255)
    if random.rand() < 0.3:
        moved = np.roll(scene.other, random.randint(0, SIDE, 2).tolist(), (0, 1))
        scene.lay(_soft(mask, random.uniform(0.5, 2)), moved)
    else:
        _put(scene, mask, _skin(scene) if random.rand() < 0.35 else _any_colour(random), random.uniform(0, 1.2))


def _stick(scene: _Scene) -> None:
    """A pen, a straw, a cigarette, a fork's handle: thin and straight."""
    random, at = scene.random, _place(scene.random)
    angle, radius = random.uniform(0, 2 * np.pi), random.uniform(2.5, 11)
    end = at + np.array([np.cos(angle), np.sin(angle)]) * random.uniform(60, 500)
    _put(scene, _capsule(at, end, radius, radius * random.uniform(0.6, 1)), _any_colour(random), random.uniform(0, 1))


_KINDS: tuple[tuple[Callable[[_Scene], None], float], ...] = (
    (_hand, 4), (_cup, 1.5), (_microphone, 1), (_mask, 1.5), (_letters, 2), (_plate, 1.5), (_blob, 1.5), (_stick, 0.8),
)  # fmt: skip
