"""Beards stay: a generator that draws another expression shaves them, and the photo does not follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.composite import Original, Rendered, colour
from core.composite.warp import blur
from core.edit import Editor, Models
from core.expressions import load
from core.generator import Generator, seed_w
from core.settings import Settings

SIDE = 512
LEVELS = 12.0  # by which the drawn beard may become lighter, of some 140 that it is darker than the skin
_CHIN, _CORNERS = 152, (61, 291)  # of the mesh


def test_what_lightens_a_beard_is_left_out_and_all_else_stays() -> None:
    made = torch.full((1, 3, 64, 64), 10.0)
    made[..., 32:, :] = -10.0
    beard = torch.zeros(1, 1, 64, 64)
    beard[..., :32] = 1
    done = colour.unshaven(made, beard, 60.0)
    assert done[..., 4:24, 4:24].abs().max() < 1, "nothing lightens it"
    torch.testing.assert_close(done[..., 40:60, 4:24], made[..., 40:60, 4:24], msg="what darkens it stays")
    torch.testing.assert_close(done[..., 4:24, 50:], made[..., 4:24, 50:], msg="and so does all beside it")


def test_between_its_hairs_a_dense_beard_is_one_too() -> None:
    hairs = torch.zeros(1, 1, 64, 64)
    hairs[..., ::2, 8:40] = 1
    assert colour.spread(hairs, 1.0, 60.0)[..., 20:40, 12:36].min() > 0.9
    torch.testing.assert_close(colour.spread(hairs, 0.0, 60.0), hairs)


@pytest.mark.slow
@pytest.mark.usefixtures("_drawn_once")
def test_a_beard_that_the_generator_shaves_stays(settings: Settings, generator: Generator) -> None:
    editor = Editor(Models(settings))
    ws = generator.broadcast(seed_w(generator, [5007], 0.7)).numpy()
    (drawn,) = editor.draw(ws, [0.0], load("smile"))
    shaved = np.asarray(Image.fromarray(drawn).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    (face, *_) = editor.models.finder.find(shaved)
    points = face.landmarks.astype(np.float64)
    photo, where = bearded(shaved, points)
    original = Original(photo, np.eye(3), points, Rendered(photo, points))
    result = original.edit(Rendered(shaved, points), load("surprise").parts)
    before, after, bare = (float(one[where].mean()) for one in (photo, result, shaved))
    assert bare - before > 3 * LEVELS, "the painted beard is dark"
    assert after - before < LEVELS


def bearded(face: NDArray[np.uint8], points: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Paint dark hairs over the chin of a face, and mark where they are densest."""
    image, random = Image.fromarray(face), np.random.RandomState(1)
    draw = ImageDraw.Draw(image)
    (left, low), (right, _), (middle, chin) = (points[one] for one in (*_CORNERS, _CHIN))
    half = 0.75 * (right - left)
    for _ in range(5000):
        x, y = middle + random.uniform(-half, half), random.uniform(low - 4, chin)
        length = random.uniform(4, 10)
        shade = int(random.uniform(15, 60))
        draw.line([(x, y), (x + random.uniform(-3, 3), y + length)], fill=(shade, shade - 5, shade - 10))
    lips = [tuple(points[one]) for one in (61, 37, 0, 267, 291, 314, 17, 84)]
    over = Image.new("L", image.size)
    ImageDraw.Draw(over).polygon(lips, fill=255)
    image.paste(Image.fromarray(face), mask=over)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    chosen = (abs(x - middle) < 0.6 * half) & (y > low + 0.5 * (chin - low)) & (y < low + 0.85 * (chin - low))
    far = blur(torch.from_numpy(np.asarray(over) / 255.0).float()[None, None], 6.0)[0, 0].numpy() < 0.01
    return np.asarray(image), chosen & far
