"""Blurs and widened masks against what they stand for: torch's convolution and its pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.composite.before import Still, still
from core.composite.warp import blur


@pytest.mark.parametrize("sigma", [0.5, 1.3, 3.2, 5.5])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_blur_is_a_convolution_with_a_gaussian(sigma: float, channels: int) -> None:
    image = torch.rand(1, channels, 41, 37, generator=torch.Generator().manual_seed(1)) * 255
    reach = int(np.ceil(3 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).double() / sigma) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    padded = F.pad(image.double(), (reach,) * 4, mode="replicate")
    wanted = F.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)
    torch.testing.assert_close(blur(image, sigma), wanted.float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [40.0, 160.0])
def test_a_thing_is_left_alone_with_its_rim_and_what_is_far_from_it_is_not(size: float) -> None:
    things = torch.zeros(1, 1, 200, 180)
    things[..., 100, 90] = 1.0
    made = still(things, size)
    assert isinstance(made, Still)
    rim = round(0.014 * size)
    assert bool((made.pixels[..., 100 - rim : 101 + rim, 90 - rim : 91 + rim] == 1).all())
    far = round(0.15 * size)
    outside = torch.ones_like(things, dtype=torch.bool)
    outside[..., 100 - far : 101 + far, 90 - far : 91 + far] = False
    assert float(made.pixels[outside].max()) == float(made.motion[outside].max()) == 0
    torch.testing.assert_close(made.pixels, made.pixels.flip(2).roll(1, 2))  # the rim is as wide to each side
    torch.testing.assert_close(made.motion, made.motion.flip(3).roll(1, 3))


def test_where_nothing_is_before_the_face_there_are_no_masks() -> None:
    assert still(torch.full((1, 1, 20, 20), 0.14), 320.0) is None
