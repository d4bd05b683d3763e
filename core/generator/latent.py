"""What a face is drawn from, and operations on latents that are the same for every generator family."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from core.generator.protocol import Generator

AVERAGE_SAMPLES = 10_000  # as stylegan2-ada-pytorch's projector.py
AVERAGE_SEED = 123

Noise = tuple[np.ndarray, ...]  # float32 [side, side] for each layer; () for the maps of the generator's file


@dataclass(frozen=True, eq=False)
class Latent:
    """All that a generator draws a face from: ws float32 [1, num_ws, w_dim], and the noise that was found with it."""

    ws: np.ndarray
    noise: Noise = ()

    @cached_property
    def digest(self) -> str:
        """The sha256 of all its numbers."""
        return hashlib.sha256(b"".join(one.tobytes() for one in (self.ws, *self.noise))).hexdigest()


AnyLatent = np.ndarray | Latent  # ws alone stands for a latent without noise of its own


def latent_of(face: AnyLatent) -> Latent:
    """Return a latent as it is, and ws [1, num_ws, w_dim] as a latent without noise of its own."""
    return face if isinstance(face, Latent) else Latent(face)


def seed_z(seeds: Sequence[int], z_dim: int = 512) -> np.ndarray:
    """Draw z float32 [N, z_dim] of N seeds as the published generate.py does: RandomState(seed).randn(1, z_dim)."""
    return np.concatenate([np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]).astype(np.float32)


def truncate(w: Tensor, w_average: Tensor, psi: float) -> Tensor:
    """Move w [..., w_dim] towards the average (StyleGAN, appendix B): psi 1 changes nothing, 0 gives the average face."""
    return w_average + psi * (w - w_average)


def seed_w(generator: Generator, seeds: Sequence[int], truncation: float = 0.7) -> Tensor:
    """Compute w [N, w_dim] of N seeds at the given truncation (psi), on the generator's device."""
    average = generator.w_average()
    with torch.inference_mode():
        w = generator.mapping(torch.from_numpy(seed_z(seeds, generator.z_dim)).to(average.device))
    return truncate(w, average, truncation).clone()


def mix_styles(generator: Generator, ws: Tensor, other: Tensor, low: int, high: int) -> Tensor:
    """Mix two ws [N, num_ws, w_dim]: the styles of `low` to `high` pixels are of the `other`, all others of `ws`."""
    taken = torch.tensor([low <= side <= high for side in generator.style_resolutions], device=ws.device)
    return torch.where(taken[None, :, None], other, ws)


def w_statistics(mapping_owner: Generator) -> tuple[Tensor, float]:
    """Compute the mean [w_dim] of 10,000 w, drawn with RandomState(123) as the published projector does, and their deviation.

    The deviation is the root of the mean squared distance from the mean.
    """
    z = np.random.RandomState(AVERAGE_SEED).randn(AVERAGE_SAMPLES, mapping_owner.z_dim).astype(np.float32)
    assert isinstance(mapping_owner, nn.Module)
    device = next(mapping_owner.parameters()).device
    with torch.inference_mode():
        w = mapping_owner.mapping(torch.from_numpy(z).to(device)).cpu().double()
        mean = w.mean(dim=0)
        deviation = float(((w - mean).square().sum() / AVERAGE_SAMPLES).sqrt())
    return mean.float().clone(), deviation
