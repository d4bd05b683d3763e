"""The fast projection: a learned start, steps in learned coordinates; and how its parts are trained."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from torch import nn

from core.fast.curvature import Curvature
from core.fast.encoder import Encoder
from core.fast.project import FastOptions, FastProjection
from core.fast.trained import CURVATURE, ENCODER, trained_file
from core.generator.protocol import Generator, with_styles
from core.projection.features import Features
from core.settings import Settings

__all__ = ["Curvature", "Encoder", "FastOptions", "FastProjection", "fast_parts", "start_fast"]

_loaded: WeakKeyDictionary[nn.Module, tuple[Encoder, Curvature]] = WeakKeyDictionary()  # gone with their generator


def fast_parts(generator: Generator, settings: Settings) -> tuple[Encoder, Curvature]:
    """The trained parts of this generator, loaded once. Raises PartMissing, GeneratorLacks, WeightsUnfit."""
    assert isinstance(generator, nn.Module)
    if generator not in _loaded:
        encoder = Encoder.load(generator, trained_file(settings, generator, ENCODER))
        curvature = Curvature.load(with_styles(generator), trained_file(settings, generator, CURVATURE))
        _loaded[generator] = encoder, curvature
    return _loaded[generator]


def start_fast(
    generator: Generator, features: Features, target: np.ndarray, settings: Settings, steps: int | None = None
) -> FastProjection:
    """Begin to project `target`, an aligned face uint8 [R, R, 3]; `steps` at most, or as many as pay."""
    encoder, curvature = fast_parts(generator, settings)
    return FastProjection(generator, features, encoder, curvature, target, FastOptions.of(steps))
