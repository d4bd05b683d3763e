"""Regularises optimised noise maps (StyleGAN2, Karras et al. 2020, appendix D): they must stay noise and not carry the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def noise_regularity(buffers: Sequence[Tensor]) -> Tensor:
    """Compute the loss, a scalar: squared correlations of each map with its left and upper neighbours.

    It is summed over a pyramid of sizes down to 8 pixels.
    """
    total = buffers[0].new_zeros(())
    for buffer in buffers:
        level = buffer[None, None]
        while True:
            total = total + sum((level * level.roll(1, dims=axis)).mean().square() for axis in (2, 3))
            if level.shape[-1] <= 8:
                break
            level = F.avg_pool2d(level, 2)
    return total


def renormalise(buffers: Sequence[Tensor]) -> None:
    """Normalise each map to mean 0 and mean square 1, in place."""
    with torch.no_grad():
        for buffer in buffers:
            buffer.sub_(buffer.mean())
            buffer.mul_(buffer.square().mean().rsqrt())
