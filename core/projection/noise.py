"""Regularity of optimised noise maps (StyleGAN2, Karras et al. 2020, appendix D): noise must stay noise, not carry the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def noise_regularity(buffers: Sequence[Tensor]) -> Tensor:
    """Sum of squared correlations with the neighbour to the left and above, over a pyramid down to 8 pixels. Scalar."""
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
    """Bring each map back to mean zero and mean square one, in place."""
    with torch.no_grad():
        for buffer in buffers:
            buffer.sub_(buffer.mean())
            buffer.mul_(buffer.square().mean().rsqrt())
