"""Paints things in front of drawn faces, for training: hands, cups, masks, letters, microphones, plates, sticks, blobs.

All is drawn with polygons on the canvas of `canvas.py`. The only pictures used are the drawn faces themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageFont

from core.occlusion.canvas import (
    SIDE,
    Picture,
    Plane,
    Random,
    Scene,
    any_colour,
    blank,
    capsule,
    large,
    put,
    skin_of,
    soft,
    somewhere,
    turned,
)

# Pillow's own font draws missing letters as boxes, which are things in front of a face too
# fmt: off
_WORDS = (
    "WHEN", "THE", "CODE", "WORKS", "lol", "me", "at", "3", "am", "NOBODY:", "monday", "@name", "SAMPLE", "2024", "いいね", "笑",
    "why", "not", "HELLO", "omg", "It", "is", "fine",
)
# fmt: on


def paint(face: Picture, other: Picture, random: Random) -> tuple[Picture, Plane]:
    """Paint one to three random things on a copy of a `face` uint8 [N, N, 3].

    Returns the picture and the mask float32 [N, N], 0..1, of the things. `other` is another face of the same shape, used for
    textures. All randomness comes from `random`.
    """
    side = len(face)
    scene = Scene(large(face), np.zeros((SIDE, SIDE), np.float32), large(other), random)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        kinds, weights = zip(*_KINDS, strict=True)
        kinds[random.choice(len(kinds), p=np.array(weights) / sum(weights))](scene)
    pixels = Image.fromarray(scene.pixels.clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BOX)
    covered = Image.fromarray(scene.covered).resize((side, side), Image.Resampling.BOX)
    return np.asarray(pixels), np.asarray(covered)


def _hand(scene: Scene) -> None:
    """Paint on the scene one to five fingers side by side, with or without nails, creases and the back of the hand."""
    random, skin = scene.random, skin_of(scene)
    at, angle = somewhere(random), random.choice([np.pi / 2, random.uniform(0.2, 0.9) * np.pi, random.uniform(0, 2 * np.pi)])
    down = np.array([np.cos(angle), np.sin(angle)])
    side, radius, count = np.array([-down[1], down[0]]), random.uniform(12, 30), random.randint(1, 6)
    flat, spread = random.rand() < 0.2, random.uniform(-0.05, 0.08)
    tips = [at + side * (i - (count - 1) / 2) * radius * random.uniform(1.85, 2.2) for i in range(count)]
    if random.rand() < 0.5:  # the back of the hand, or a palm
        back, draw = blank()
        centre, wide = at + down * radius * random.uniform(5, 8), count * radius * 1.1 + radius
        shape = np.array([[-wide, -radius * 3], [wide, -radius * 3], [wide * 0.9, radius * 5], [-wide * 0.9, radius * 5]])
        draw.polygon(turned(shape, angle - np.pi / 2, centre), fill=255)
        put(scene, soft(back, 5).point(lambda v: 255 if v > 127 else 0), skin * random.uniform(0.85, 1.05), 0.3)
    for index, tip in enumerate(tips):
        tip = tip + down * radius * random.uniform(-1.2, 1.2)
        way = down + side * spread * (index - count / 2)
        end = tip + way * radius * random.uniform(4, 12)
        finger = capsule(tip, end, radius * random.uniform(0.75, 1), radius * random.uniform(0.9, 1.1))
        put(scene, finger, skin * random.uniform(0.93, 1.06), 0 if flat else random.uniform(0.3, 1.2))
        if flat:
            edge = finger.filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3))
            scene.lay(edge, skin * random.uniform(0.5, 0.85))
        _details(scene, tip, way, radius, skin)


def _details(scene: Scene, tip: NDArray[np.float64], way: NDArray[np.float64], radius: float, skin: Plane) -> None:
    """Paint a finger's nail and creases. `way` [2] is the unit vector from the tip to the root; `radius` is in pixels."""
    random = scene.random
    if random.rand() < 0.4:  # a nail, bare or painted
        colour = skin * random.uniform(1.05, 1.3) if random.rand() < 0.5 else any_colour(random)
        start = tip - way * radius * random.uniform(0.2, 0.8)
        scene.lay(soft(capsule(start, tip + way * radius * 0.4, radius * 0.55, radius * 0.6), 0.8), colour)
    for place in (random.uniform(2, 3), random.uniform(4, 5)):
        if random.rand() < 0.4:
            side = np.array([-way[1], way[0]]) * radius * 0.7
            mask, draw = blank()
            centre = tip + way * radius * place
            draw.line([tuple(centre - side), tuple(centre + side)], fill=255, width=3)
            scene.lay(soft(mask, 1.5), skin * 0.7, random.uniform(0.3, 0.8))


def _cup(scene: Scene) -> None:
    """Paint on the scene a cup, glass or can: straight or tapered, with a rim and perhaps a handle."""
    random, at = scene.random, somewhere(scene.random)
    wide, high, taper = random.uniform(30, 90), random.uniform(40, 130), random.uniform(0.7, 1.05)
    angle, colour = random.normal(0, 0.25), any_colour(random)
    mask, draw = blank()
    at = at + np.array([0, high * random.uniform(0, 0.9)])
    shape = np.array([[-wide, -high], [wide, -high], [wide * taper, high], [-wide * taper, high]])
    draw.polygon(turned(shape, angle, at), fill=255)
    turn = np.linspace(0, 2 * np.pi, 40)
    for end, broad in ((-high, wide), (high, wide * taper)):
        ring = np.column_stack([np.cos(turn) * broad, np.sin(turn) * broad * 0.22 + end])
        draw.polygon(turned(ring, angle, at), fill=255)
    if random.rand() < 0.4:
        ring = np.column_stack([np.cos(turn) * wide * 0.5 + random.choice([-1, 1]) * wide, np.sin(turn) * high * 0.5])
        draw.line(turned(ring, angle, at), fill=255, width=int(random.uniform(8, 16)))
    put(scene, mask, colour, random.uniform(0, 1))
    if random.rand() < 0.7:
        rim, draw = blank()
        ring = np.column_stack([np.cos(turn) * wide * 0.97, np.sin(turn) * wide * 0.2 - high])
        draw.polygon(turned(ring, angle, at), fill=255)
        scene.lay(soft(rim, 0.8), colour * random.uniform(0.6, 1.1))


def _microphone(scene: Scene) -> None:
    """Paint on the scene a microphone: a ball with a mesh on a stick that comes from below or from a side."""
    random, at = scene.random, somewhere(scene.random)
    radius, angle = random.uniform(18, 60), random.choice([np.pi / 2, random.uniform(0, np.pi)])
    colour = np.float32(random.choice([25.0, 70.0, 160.0])) * np.ones(3, np.float32)
    down = np.array([np.cos(angle), np.sin(angle)])
    at = at + down * radius * random.uniform(0, 1.5)
    stick = capsule(at + down * radius, at + down * 600, radius * 0.55, radius * 0.4)
    put(scene, stick, colour * random.uniform(0.3, 1), 0.8)
    ball, draw = blank()
    draw.ellipse([*(at - radius), *(at + radius)], fill=255)
    put(scene, ball, colour, 1)
    y, x = np.mgrid[:SIDE, :SIDE]
    mesh = ((x // 3 + y // 3) % 2 * 60).astype(np.uint8)
    scene.lay(Image.fromarray(np.minimum(mesh, np.asarray(ball))), colour * 0.4)


def _mask(scene: Scene) -> None:
    """Paint on the scene a face mask or a scarf over mouth and chin; its upper edge is at a random height around the nose."""
    random = scene.random
    top, low = random.uniform(0.53, 0.66), random.uniform(0.85, 0.99)
    left, right = random.uniform(0.2, 0.3), random.uniform(0.7, 0.8)
    jaw, nose = random.uniform(0.7, 0.85), random.uniform(-0.05, 0.03)
    shape = [(left, top + 0.02), (0.42, top + nose), (0.5, top + nose - 0.015), (0.58, top + nose), (right, top + 0.02),
             (right - 0.02, jaw), (0.5 + random.uniform(0.05, 0.15), low), (0.5 - random.uniform(0.05, 0.15), low),
             (left + 0.02, jaw)]  # fmt: skip
    mask, draw = blank()
    shift = random.normal(0, 0.015, 2)
    draw.polygon([((x + shift[0]) * SIDE, (y + shift[1]) * SIDE) for x, y in shape], fill=255)
    mask = soft(mask, 6).point(lambda v: 255 if v > 127 else 0)
    colour = any_colour(random)
    put(scene, mask, colour, random.uniform(0, 0.6))
    folds, draw = blank()
    for y in np.linspace(top + 0.05, low - 0.04, random.randint(2, 6)):
        end = y + random.normal(0, 0.01)
        draw.line([(left * SIDE, y * SIDE), (right * SIDE, end * SIDE)], fill=255, width=random.randint(1, 5))
    inside = Image.fromarray(np.minimum(np.asarray(folds), np.asarray(mask)))
    scene.lay(soft(inside, 1.5), colour * random.uniform(0.7, 1.2), random.uniform(0, 0.8))
    if random.rand() < 0.5:
        loops, draw = blank()
        for x, edge in ((left, 0.1), (right, 0.9)):
            for y in (top + 0.03, jaw - 0.02):
                draw.line([(x * SIDE, y * SIDE), (edge * SIDE, (top + random.uniform(-0.1, 0)) * SIDE)], fill=255, width=4)
        scene.lay(soft(loops, 0.8), colour)


def _letters(scene: Scene) -> None:
    """Paint on the scene words across the picture, with or without an edge, opaque or nearly."""
    random = scene.random
    size = int(random.uniform(18, 110))
    font, words = ImageFont.load_default(size), [str(w) for w in random.choice(_WORDS, random.randint(1, 5))]
    text = "\n".join([" ".join(words)] * random.choice([1, 1, 1, 2, 3]))
    mask, draw = blank()
    at = somewhere(random)
    edge = int(size * random.choice([0.0, 0.06, 0.12]))
    where = (float(at[0] + random.normal(0, 60)), float(at[1]))
    draw.text(where, text, fill=255, font=font, anchor="mm", stroke_width=edge, align="center")
    inner, draw = blank()
    draw.text(where, text, fill=255, font=font, anchor="mm", align="center")
    turn, opacity = random.choice([0.0, 0.0, random.normal(0, 20)]), random.choice([1.0, 1.0, random.uniform(0.6, 1)])
    light = any_colour(random)
    if edge:
        scene.lay(mask.rotate(turn), (255 - light).clip(0, 255) if random.rand() < 0.5 else np.zeros(3, np.float32), opacity)
    scene.lay(inner.rotate(turn), light, opacity)


def _plate(scene: Scene) -> None:
    """Paint on the scene a flat thing such as a phone, book, sign or sticker: angular or round, plain or with spots."""
    random, at = scene.random, somewhere(scene.random)
    half = np.array([random.uniform(15, 150), random.uniform(10, 110)])
    angle = random.choice([0.0, random.normal(0, 0.3), random.uniform(0, np.pi)])
    mask, draw = blank()
    power = random.choice([1.0, 0.35, 0.15, 0.02])
    turn = np.linspace(0, 2 * np.pi, 80)
    cos, sin = np.cos(turn), np.sin(turn)
    shape = np.column_stack([np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power]) * half
    draw.polygon(turned(shape, angle, at), fill=255)
    put(scene, mask, any_colour(random), random.uniform(0, 0.6))
    for _ in range(random.choice([0, 0, 1, 3])):
        spot, draw = blank()
        radius, centre = random.uniform(4, 20), np.array(turned(random.uniform(-0.8, 0.8, (1, 2)) * half, angle, at)[0])
        draw.ellipse([*(centre - radius), *(centre + radius)], fill=255)
        scene.lay(Image.fromarray(np.minimum(np.asarray(spot), np.asarray(mask))), any_colour(random))


def _blob(scene: Scene) -> None:
    """Paint on the scene a round thing such as food or a shoulder: in any colour, in the skin's, or cut from another face."""
    random, at = scene.random, somewhere(scene.random)
    turn = np.linspace(0, 2 * np.pi, 60)
    waves = [random.normal(0, 0.12) * np.cos(k * turn + random.uniform(0, 7)) for k in (2, 3, 5)]
    radius = random.uniform(20, 110) * (1 + sum(waves))
    mask, draw = blank()
    shape = np.column_stack([np.cos(turn) * radius, np.sin(turn) * radius * random.uniform(0.4, 1)])
    draw.polygon(turned(shape, random.uniform(0, np.pi), at), fill=255)
    if random.rand() < 0.3:
        moved = np.roll(scene.other, random.randint(0, SIDE, 2).tolist(), (0, 1))
        scene.lay(soft(mask, random.uniform(0.5, 2)), moved)
    else:
        put(scene, mask, skin_of(scene) if random.rand() < 0.35 else any_colour(random), random.uniform(0, 1.2))


def _stick(scene: Scene) -> None:
    """Paint on the scene a thin straight thing such as a pen, a straw or a fork's handle."""
    random, at = scene.random, somewhere(scene.random)
    angle, radius = random.uniform(0, 2 * np.pi), random.uniform(2.5, 11)
    end = at + np.array([np.cos(angle), np.sin(angle)]) * random.uniform(60, 500)
    put(scene, capsule(at, end, radius, radius * random.uniform(0.6, 1)), any_colour(random), random.uniform(0, 1))


_KINDS: tuple[tuple[Callable[[Scene], None], float], ...] = (
    (_hand, 4), (_cup, 1.5), (_microphone, 1), (_mask, 1.5), (_letters, 2), (_plate, 1.5), (_blob, 1.5), (_stick, 0.8),
)  # fmt: skip
