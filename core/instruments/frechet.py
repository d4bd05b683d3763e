"""Measures the Fréchet distance between two sets of pictures (Heusel et al. 2017), on the features of the projection's network.

Each picture becomes the means, over its positions, of the channels of every tap: 192 numbers. Published FIDs rest on other
features and can't be compared with this distance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.projection.features import Features, feature_input


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean [D] and covariance [D, D] of the features of N pictures."""

    count: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Iterable[NDArray[np.floating]]) -> Moments:
        """Compute both from one vector [D] for each picture; there must be at least one."""
        rows = np.stack([*vectors]).astype(np.float64)
        mean = rows.mean(axis=0)
        return cls(len(rows), mean, (rows - mean).T @ (rows - mean) / len(rows))


def described(features: Features, images: Tensor) -> NDArray[np.float32]:
    """Describe pictures [N, 3, R, R] of -1..1 by their features: float32 [N, 192]."""
    with torch.inference_mode():
        taps = features(feature_input(images))
    described: NDArray[np.float32] = torch.cat([tap.mean(dim=(2, 3)) for tap in taps], dim=1).float().cpu().numpy()
    return described


def frechet(one: Moments, other: Moments) -> float:
    """Compute |difference of means|^2 + trace(A + B - 2 (A B)^1/2) of the covariances A and B."""
    values, vectors = np.linalg.eigh(one.covariance)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ other.covariance @ root).clip(min=0)).sum()  # trace of (A B)^1/2
    apart = np.square(one.mean - other.mean).sum()
    return float(apart + np.trace(one.covariance) + np.trace(other.covariance) - 2 * shared)
