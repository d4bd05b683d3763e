"""Makes generators of each family by their published architectures, with random weights.

    random_generator("stylegan2-1024")   # config-f, as NVIDIA's ffhq.pkl

A name is that of a family's architecture (for StyleGAN3 its configuration) and the side of the picture.
"""

from __future__ import annotations

from core.errors import BadOption
from core.generator import Generator
from core.generator.architecture import SIDES
from core.generator.registry import architectures


def random_generator(name: str) -> Generator:
    """Make the generator of this name, frozen. The same name gives the same weights. Raises BadOption."""
    known = architectures()
    which, _, side = name.rpartition("-")
    if which not in known or side not in map(str, SIDES):
        hint = f"{', '.join(known)}, and a side of {', '.join(map(str, SIDES))}"
        raise BadOption(name="generators", reason=f"{name!r} is no name such as stylegan2-1024 ({hint})")
    generator = known[which](int(side))
    generator.name = generator.digest = name
    return generator
