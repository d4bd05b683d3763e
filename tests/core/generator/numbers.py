"""Numbers for a network that follow from their names alone, so that a test and whoever recorded what it expects have the same."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SMALL = ("bias", "noise_strength", "noise.weight", "Noise/weight", "apply_noise.weight", "w_avg", "dlatent_avg", "phases")


def numbers(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Standard normal, a tenth of that for biases and the like; positive for variances; a slight turn for transforms."""
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape)).astype(np.float32)
    if name.endswith("transform"):
        return np.eye(3, dtype=np.float32) + drawn * np.float32(0.02)
    if name.endswith(("magnitude_ema", "running_var")):
        return np.abs(drawn) + np.float32(0.5)
    if name.endswith("lod"):
        return np.zeros(shape, dtype=np.float32)
    small = name.endswith(SMALL) or "noise_strength" in name
    return drawn * np.float32(0.1 if small else 1.0)
