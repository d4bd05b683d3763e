"""Turns a generator's images into pixels, and a generator into one of another precision."""

from __future__ import annotations

import copy
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.generator.protocol import Generator

G = TypeVar("G", bound=Generator)


def pixels_of(images: Tensor) -> Tensor:
    """[N, 3, R, R] of about -1..1 -> uint8 [N, R, R, 3], with the rounding of the published generate.py."""
    scaled = (images.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous()


def to_pixels(images: Tensor) -> np.ndarray:
    """The same as an array."""
    return pixels_of(images).cpu().numpy()


def network_in(generator: G, dtype: torch.dtype) -> G:
    """The generator itself for float32, else a copy with its weights in `dtype`: twice as fast as casting at each layer."""
    if dtype == torch.float32:
        return generator
    key = "_egao_" + str(dtype)
    if key not in generator.__dict__:
        with torch.inference_mode(False):  # whoever asks first may be only looking; the next one wants gradients
            copied: object = copy.deepcopy(generator)
            assert isinstance(copied, nn.Module)
            generator.__dict__[key] = copied.to(dtype)  # kept beside the module, not registered in it
    network: G = generator.__dict__[key]
    return network
