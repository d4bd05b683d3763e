"""Face generators: z -> w -> ws -> image, behind one protocol."""

from __future__ import annotations

from core.device import keep_memory
from core.generator.latent import mix_styles, seed_w, seed_z, truncate
from core.generator.mobile import MobileStyleGAN
from core.generator.protocol import Generator
from core.settings import Settings
from core.untrusted import read_as_data
from core.weights.cache import weight_path

__all__ = ["Generator", "load_generator", "mix_styles", "seed_w", "seed_z", "truncate"]


def load_generator(settings: Settings) -> Generator:
    """The generator of the pulled weights, on the CPU and frozen. Raises WeightsMissing when they are not there."""
    keep_memory()
    file = weight_path(settings, "generator")
    with read_as_data(file.name):
        return MobileStyleGAN.load(file)
