"""The fast projection: a learned start, then steps in learned coordinates; and the training of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import GeneratorLacks, PartMissing
from core.fast.curvature import Curvature
from core.fast.encoder import Encoder
from core.fast.many import ManyFaces, OneOfMany
from core.fast.objective import FastOptions, Start
from core.fast.project import FastProjection
from core.fast.trained import CURVATURE, ENCODER, FOLDER, trained_file
from core.generator import seed_w
from core.generator.protocol import Generator, with_styles
from core.projection.features import Features, feature_input
from core.projection.start import TRUNCATION, load_table, pooled, table_file
from core.weights.parts import find_part

if TYPE_CHECKING:
    from core.settings import Settings

__all__ = ["Curvature", "Encoder", "FastOptions", "FastProjection", "ManyFaces", "encoded", "fast_parts", "start_fast"]

_loaded: WeakKeyDictionary[nn.Module, tuple[Encoder | None, Curvature]] = WeakKeyDictionary()  # gone with their generator


def fast_parts(generator: Generator, settings: Settings) -> tuple[Encoder | None, Curvature]:
    """Load the trained parts of this generator, once: the encoder, or None if there is none, and the curvature.

    Raises PartMissing, GeneratorLacks, WeightsUnfit.
    """
    assert isinstance(generator, nn.Module)
    if generator not in _loaded:
        encoder_file = find_part(settings, generator, f"{FOLDER}/{ENCODER}")
        curvature = Curvature.load(with_styles(generator), trained_file(settings, generator, CURVATURE))
        _loaded[generator] = Encoder.load(generator, encoder_file) if encoder_file else None, curvature
    return _loaded[generator]


def nearest_seed(generator: Generator, features: Features, settings: Settings) -> Start:
    """Make a function that starts from the seed most like the photo, for generators without an encoder.

    Raises PartMissing, WeightsUnfit.
    """
    table = load_table(generator, table_file(settings, generator))

    def start(images: Tensor) -> Tensor:
        seed = table.nearest(pooled(features, images)[0].cpu().numpy())
        return generator.broadcast(seed_w(generator, [seed], TRUNCATION)).clone()

    return start


def start_fast(
    generator: Generator,
    features: Features,
    target: np.ndarray,
    settings: Settings,
    steps: int | None = None,
    many: ManyFaces | None = None,
) -> FastProjection | OneOfMany:
    """Begin to project `target`, an aligned face uint8 [R, R, 3], in at most `steps` steps; None stops when they gain little.

    With `many`, which must be of this generator, it is projected together with the others there are. Raises PartMissing,
    GeneratorLacks, WeightsUnfit.
    """
    encoder, curvature = fast_parts(generator, settings)
    start = encoder if encoder is not None else nearest_seed(generator, features, settings)
    if many is not None:
        return many.begin(start, target, FastOptions.of(steps))
    return FastProjection(generator, features, start, curvature, target, FastOptions.of(steps))


def encoded(generator: Generator, target: np.ndarray, settings: Settings) -> np.ndarray | None:
    """Guess the latent of `target`, an aligned face uint8 [R, R, 3], in one pass: ws float32 [1, num_ws, w_dim].

    None where the generator has no encoder, or nothing at all of this method.
    """
    try:
        encoder, _ = fast_parts(generator, settings)
    except (PartMissing, GeneratorLacks):
        return None
    if encoder is None:
        return None
    device = generator.w_average().device
    image = torch.tensor(target).permute(2, 0, 1)[None].to(device, torch.float32) / 127.5 - 1
    with torch.inference_mode():
        ws: np.ndarray = encoder(feature_input(image)).cpu().numpy()
    return ws
