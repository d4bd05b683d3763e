"""The fast projection: a learned start, cheap steps through a preview head, a few exact ones; and how its parts are trained."""

from __future__ import annotations

from typing import cast

import numpy as np

from core.fast.encoder import Encoder
from core.fast.preview import FeatureGenerator, Preview
from core.fast.project import FastOptions, FastProjection
from core.fast.trained import PREVIEW, SHIPPED, load_trained
from core.generator.protocol import Generator
from core.projection.features import Features

__all__ = ["Encoder", "FastOptions", "FastProjection", "Preview", "fast_parts", "start_fast"]

_KEPT = "_egao_fast"  # beside the generator whose parts they are, as its half-precision copy is


def fast_parts(generator: Generator) -> tuple[Encoder, Preview]:
    """The trained parts that ship for this generator, loaded once. Raises WeightsUnfit if they are another one's."""
    if _KEPT not in generator.__dict__:
        head = Preview.shaped_for(cast(FeatureGenerator, generator))
        generator.__dict__[_KEPT] = Encoder.load(generator), load_trained(head, SHIPPED / PREVIEW, generator)
    parts: tuple[Encoder, Preview] = generator.__dict__[_KEPT]
    return parts


def start_fast(generator: Generator, features: Features, target: np.ndarray, steps: int | None = None) -> FastProjection:
    """Begin to project `target`, an aligned face uint8 [R, R, 3]; `steps` at most, or as many as pay."""
    encoder, head = fast_parts(generator)
    return FastProjection(cast(FeatureGenerator, generator), features, encoder, head, target, FastOptions.of(steps))
