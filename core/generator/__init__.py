"""Face generators, z -> w -> ws -> image, all behind the protocol of `protocol.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.device import keep_memory
from core.generator.latent import AnyLatent, Latent, Noise, latent_of, mix_styles, seed_w, seed_z, truncate
from core.generator.protocol import Generator
from core.generator.registry import load_file

if TYPE_CHECKING:
    from core.settings import Settings

__all__ = [
    "AnyLatent",
    "Generator",
    "Latent",
    "Noise",
    "latent_of",
    "load_generator",
    "mix_styles",
    "seed_w",
    "seed_z",
    "truncate",
]


def load_generator(settings: Settings) -> Generator:
    """Load the generator that the settings name, on the CPU, with frozen parameters. It has the name of `--generator`.

    Raises NoSuchGenerator, WeightsMissing, WeightsCorrupt, ModelUnreadable.
    """
    from core.weights.installed import chosen  # by settings; `core.bench.gpu` has none

    keep_memory()
    entry = chosen(settings)
    generator = load_file(entry.file)
    generator.name = entry.name
    return generator
