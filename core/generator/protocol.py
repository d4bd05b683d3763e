"""What the rest of egao may know of a face generator, whatever its family; and what only some families can do beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from core.errors import GeneratorLacks


@runtime_checkable
class Generator(Protocol):
    """z -> w -> ws -> image. No code outside a family's module may know how many styles there are or what they feed."""

    name: str  # family and training set, such as "mobilestylegan-ffhq"
    digest: str  # sha256 of the weights file; latents and directions belong to one digest
    resolution: int  # side of the square image in pixels
    z_dim: int
    w_dim: int
    num_ws: int  # styles per image; ws is [N, num_ws, w_dim]
    style_resolutions: tuple[int, ...]  # for each style, the side in pixels of the features that it modulates

    def mapping(self, z: Tensor) -> Tensor:
        """Map z [N, z_dim], standard normal -> w [N, w_dim]."""
        ...

    def w_average(self) -> Tensor:
        """Mean w [w_dim] of 10,000 z of RandomState(123), the centre of truncation and of projection."""
        ...

    def w_deviation(self) -> float:
        """Compute the root of the mean squared distance of those w from their mean (the published projector's w_std)."""
        ...

    def broadcast(self, w: Tensor) -> Tensor:
        """Repeat w [N, w_dim] -> ws [N, num_ws, w_dim], the same w for every style."""
        ...

    def synthesis(self, ws: Tensor) -> Tensor:
        """Draw ws [N, num_ws, w_dim] -> image [N, 3, resolution, resolution], about -1..1, differentiable in ws."""
        ...


@runtime_checkable
class FeatureGenerator(Generator, Protocol):
    """A generator whose inside can be looked at."""

    def features(self, ws: Tensor, side: int) -> Tensor:
        """Compute ws [N, num_ws, w_dim] -> activations [N, C, side, side]."""
        ...


@runtime_checkable
class NoisyGenerator(Generator, Protocol):
    """A generator whose layers add noise, which a projection may choose. Where noise is fixed, a family isn't one of these."""

    def noise_maps(self) -> list[Tensor]:
        """List the noise that is kept in the file: [side, side] for each layer that takes any."""
        ...

    def synthesis(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Draw as in Generator; `noise` takes the place of the maps that are kept, as many and as large."""
        ...


@runtime_checkable
class HalvingGenerator(Generator, Protocol):
    """A generator that draws a picture of half the side for less than the whole costs."""

    def halved(self, ws: Tensor) -> Tensor:
        """Draw ws [N, num_ws, w_dim] -> the image averaged over 2x2 pixels [N, 3, resolution / 2, resolution / 2]."""
        ...


@runtime_checkable
class StyledGenerator(Generator, Protocol):
    """A generator that tells how its styles come from w."""

    def style_weights(self) -> list[Tensor]:
        """List, for each style, the weights [channels, w_dim] of the linear layer from w to the factors of those channels."""
        ...


def with_features(generator: Generator) -> FeatureGenerator:
    """Return the generator as one whose inside can be looked at. Raises GeneratorLacks."""
    if not isinstance(generator, FeatureGenerator):
        raise GeneratorLacks(name=generator.name, what="features to look at")
    return generator


def with_styles(generator: Generator) -> StyledGenerator:
    """Return the generator as one that tells how its styles come from w. Raises GeneratorLacks."""
    if not isinstance(generator, StyledGenerator):
        raise GeneratorLacks(name=generator.name, what="style weights")
    return generator
