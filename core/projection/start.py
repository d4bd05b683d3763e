"""Where a projection starts: the mean face, a given seed, or the seed whose features are nearest to the photo's.

The article started from seed 303 and found that a European start pulls an Asian face towards Europe. `nearest` compares
the photo with a few thousand seeds by perceptual features; their table is fitted by `egao seeds features` and ships in
data/starts/, so that no seed has to be rendered to look one up.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import BadSetting
from core.generator import Generator, seed_w
from core.projection.features import Features, area_downsample

SIDE = 8  # each tap is averaged to 8x8 positions before it is compared


def photo_features(features: Features, image: np.ndarray) -> Tensor:
    """uint8 [R, R, 3] -> one vector float32 of all taps pooled to SIDE x SIDE."""
    tensor = torch.tensor(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    return pooled(features, tensor.to(next(features.parameters()).device))[0].cpu()


def pooled(features: Features, images: Tensor) -> Tensor:
    """[N, 3, R, R] of -1..1 -> [N, D]."""
    small = area_downsample(images).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        taps = [F.adaptive_avg_pool2d(tap, SIDE).flatten(1) for tap in features(small)]
    return torch.cat(taps, dim=1).float()


DEFAULT_START = "mean"


def find_start(start: str, generator: Generator, features: Features, target: np.ndarray) -> Tensor:
    """w [w_dim] to begin from. `start` is "mean", "nearest" or "seed:N". Raises BadSetting for anything else."""
    kind, _, number = start.partition(":")
    if start == "mean":
        return generator.w_average()
    if kind == "seed" and number.isdecimal():
        return seed_w(generator, [int(number)])[0]
    raise BadSetting(name="--start", reason=f"{start!r} is none of mean, nearest, seed:N")
