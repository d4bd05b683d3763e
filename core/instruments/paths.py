"""Measures perceptual path length (StyleGAN, Karras et al. 2019, section 4.1): how far the picture moves with a tiny step.

The distance is that of core.projection.features, with EfficientNet-Lite0 in the place of VGG16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.generator import Generator
from core.generator.protocol import NoisyGenerator
from core.projection.features import Features, area_downsample, distance, feature_input

EPSILON: Final = 1e-4  # the papers' step, as a share of the way between two latents
_KEPT: Final = (1, 99)  # percentiles: the papers leave out what lies beyond

Space = Literal["z", "w"]
Sampling = Literal["full", "end"]


@dataclass(frozen=True)
class PathLength:
    """How a path length is measured."""

    space: Space = "w"  # z: along the great circle between two z; w: along the line between their w
    sampling: Sampling = "full"  # anywhere on the way, or at its beginning
    cropped: bool = True  # look at the middle of the picture, where FFHQ has the face, as the papers do for faces
    seed: int = 0


def path_lengths(generator: Generator, features: Features, samples: int, how: PathLength) -> Iterator[float]:
    """Yield the squared distance over EPSILON squared, one sample after the other; noise is drawn anew for each sample."""
    random = torch.Generator().manual_seed(how.seed)
    with torch.inference_mode():
        for _ in range(samples):
            start = torch.rand(1, generator=random) * (1 if how.sampling == "full" else 0)
            z = torch.randn(2, generator.z_dim, generator=random)
            w = _pair(generator, z, start, how.space)
            images = _draw(generator, generator.broadcast(w), random)
            if how.cropped:
                part = images.shape[-1] // 8
                images = images[:, :, 3 * part : 7 * part, 2 * part : 6 * part]
            images = area_downsample(images, max(1, images.shape[-1] // max(1, generator.resolution // 256)))
            one, other = zip(*(tap.split(1) for tap in features(feature_input(images))), strict=True)
            yield float(distance(list(one), list(other))) / EPSILON**2


def path_length(lengths: NDArray[np.float64]) -> float:
    """Average the lengths [N] of `path_lengths` between the papers' percentiles."""
    low = np.percentile(lengths, _KEPT[0], method="lower")
    high = np.percentile(lengths, _KEPT[1], method="higher")
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())


def _pair(generator: Generator, z: Tensor, start: Tensor, space: Space) -> Tensor:
    """Compute w [2, w_dim] at `start` on the way from z[0] to z[1], and EPSILON further."""
    at = torch.cat([start, start + EPSILON])[:, None]
    if space == "w":
        ends = generator.mapping(z)
        return ends[:1].lerp(ends[1:], at.to(ends))
    return generator.mapping(around(z[:1].expand(2, -1), z[1:].expand(2, -1), at))


def around(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Interpolate along the great circle from a to b, each [N, D], by `share` [N, 1]: directions of length 1."""
    a, b = (x / x.norm(dim=-1, keepdim=True) for x in (a, b))
    cosine = (a * b).sum(dim=-1, keepdim=True)
    angle = share * torch.acos(cosine)
    across = b - cosine * a
    across = across / across.norm(dim=-1, keepdim=True)
    mixed = a * torch.cos(angle) + across * torch.sin(angle)
    on_sphere: Tensor = mixed / mixed.norm(dim=-1, keepdim=True)
    return on_sphere


def _draw(generator: Generator, ws: Tensor, random: torch.Generator) -> Tensor:
    if not isinstance(generator, NoisyGenerator):
        return generator.synthesis(ws).float()
    noise = [torch.randn(kept.shape, generator=random).to(kept) for kept in generator.noise_maps()]
    return generator.synthesis(ws, noise).float()
