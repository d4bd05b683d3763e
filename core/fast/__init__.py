"""The fast projection: a learned start, steps in learned coordinates; and how its parts are trained."""

from __future__ import annotations

from typing import cast

import numpy as np

from core.fast.curvature import Curvature
from core.fast.encoder import Encoder
from core.fast.project import FastOptions, FastProjection
from core.generator.protocol import FeatureGenerator, Generator
from core.projection.features import Features

__all__ = ["Curvature", "Encoder", "FastOptions", "FastProjection", "fast_parts", "start_fast"]

_KEPT = "_egao_fast"  # beside the generator whose parts they are, as its half-precision copy is


def fast_parts(generator: Generator) -> tuple[Encoder, Curvature]:
    """The trained parts that ship for this generator, loaded once. Raises WeightsUnfit if they are another one's."""
    if _KEPT not in generator.__dict__:
        generator.__dict__[_KEPT] = Encoder.load(generator), Curvature.load(cast(FeatureGenerator, generator))
    parts: tuple[Encoder, Curvature] = generator.__dict__[_KEPT]
    return parts


def start_fast(generator: Generator, features: Features, target: np.ndarray, steps: int | None = None) -> FastProjection:
    """Begin to project `target`, an aligned face uint8 [R, R, 3]; `steps` at most, or as many as pay."""
    encoder, curvature = fast_parts(generator)
    return FastProjection(cast(FeatureGenerator, generator), features, encoder, curvature, target, FastOptions.of(steps))
