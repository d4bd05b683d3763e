"""Converts a generator's images to pixels, and a generator to another precision."""

from __future__ import annotations

import copy
import math
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from core.generator.protocol import Generator

G = TypeVar("G", bound=Generator)
_copies: WeakKeyDictionary[nn.Module, dict[torch.dtype, Any]] = WeakKeyDictionary()  # gone with the generator they are of


def pixels_of(images: Tensor) -> Tensor:
    """Convert images [N, 3, R, R] of about -1..1 to uint8 [N, R, R, 3], rounding as the published generate.py does."""
    scaled = (images.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous()


def to_pixels(images: Tensor) -> np.ndarray:
    """Convert images [N, 3, R, R] of about -1..1 to an array uint8 [N, R, R, 3]."""
    return pixels_of(images).cpu().numpy()


def decibels(pixels: Tensor, others: Tensor) -> float:
    """Compute the peak signal-to-noise ratio of two pictures, both uint8, in dB; 200 for equal ones."""
    error = float((pixels.double() - others.double()).square().mean())
    return 200.0 if error == 0 else 10 * math.log10(255.0**2 / error)


def network_in(generator: G, dtype: torch.dtype) -> G:
    """Return the generator itself for float32, else a copy with weights in `dtype`: twice as fast as casting at each layer.

    The copy is made once and kept as long as the generator.
    """
    if dtype == torch.float32:
        return generator
    module: object = generator
    assert isinstance(module, nn.Module)
    copies = _copies.setdefault(module, {})
    if dtype not in copies:
        with torch.inference_mode(False):  # the first caller may need no gradients, but a later one may
            copies[dtype] = copy.deepcopy(module).to(dtype)
    network: G = copies[dtype]
    return network
