"""The protocol of a face generator, which is all that egao knows of one, and protocols of what only some families can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from core.errors import GeneratorLacks


@runtime_checkable
class Generator(Protocol):
    """A face generator, z -> w -> ws -> image. Only a family's own module knows how many styles there are and what they do."""

    name: str  # family and training set, such as "mobilestylegan-ffhq"
    digest: str  # sha256 of the weights file; latents and directions belong to one digest
    resolution: int  # side of the square image in pixels
    z_dim: int
    w_dim: int
    num_ws: int  # styles per image; ws is [N, num_ws, w_dim]
    style_resolutions: tuple[int, ...]  # for each style, the side in pixels of the features that it modulates

    def mapping(self, z: Tensor) -> Tensor:
        """Map standard normal z [N, z_dim] to w [N, w_dim]."""
        ...

    def w_average(self) -> Tensor:
        """Return the mean w [w_dim], the centre of truncation and of projection.

        It is the running mean that the generator's file keeps, or else the mean of 10,000 z of RandomState(123).
        """
        ...

    def w_deviation(self) -> float:
        """Return the root of the mean squared distance of those w from their mean (the published projector's w_std)."""
        ...

    def broadcast(self, w: Tensor) -> Tensor:
        """Repeat w [N, w_dim] for every style: ws [N, num_ws, w_dim]."""
        ...

    def synthesis(self, ws: Tensor) -> Tensor:
        """Draw ws [N, num_ws, w_dim]: images [N, 3, resolution, resolution] of about -1..1, differentiable in ws."""
        ...


@runtime_checkable
class FeatureGenerator(Generator, Protocol):
    """A generator that gives access to its intermediate features."""

    def features(self, ws: Tensor, side: int) -> Tensor:
        """Compute the features [N, C, side, side] of ws [N, num_ws, w_dim]. Raises ValueError if no layer has that side."""
        ...


@runtime_checkable
class NoisyGenerator(Generator, Protocol):
    """A generator whose layers add noise that a projection may choose. Families with fixed noise are none of these."""

    def noise_maps(self) -> list[Tensor]:
        """List the noise maps kept in the file, [side, side] for each layer that adds noise."""
        ...

    def synthesis(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Draw as Generator does; `noise` replaces the maps of the file, with the same number and sizes."""
        ...


@runtime_checkable
class HalvingGenerator(Generator, Protocol):
    """A generator that can draw a picture of half the side for less than the cost of a whole one."""

    def halved(self, ws: Tensor) -> Tensor:
        """Draw ws [N, num_ws, w_dim] averaged over 2x2 pixels: [N, 3, resolution / 2, resolution / 2]."""
        ...


@runtime_checkable
class LabelledGenerator(Generator, Protocol):
    """A generator that may have been trained with labels, and then draws one class of pictures or another."""

    label_dim: int  # classes; 0 for a generator trained without labels
    label: int  # the class that `mapping` draws, from 0


@runtime_checkable
class StyledGenerator(Generator, Protocol):
    """A generator that tells how its styles are computed from w."""

    def style_weights(self) -> list[Tensor]:
        """List for each style the weights [channels, w_dim] of the linear layer from w to that style's factors."""
        ...


class SeparableBlock(Protocol):
    """A block of two separable layers: see core.generator.families.mobilestylegan."""

    up: Any
    conv1: Any
    conv2: Any
    compiled: Callable[[Tensor, Tensor], Tensor | None] | None  # asked first; where it computes nothing, torch does


@runtime_checkable
class SeparableGenerator(HalvingGenerator, Protocol):
    """A generator whose features are computed by blocks of two separable layers."""

    def separable_blocks(self) -> Sequence[SeparableBlock]:
        """List the blocks from the smallest side to the largest."""
        ...


def class_of(generator: Generator) -> int:
    """Return the class that the generator draws; 0 also for one without labels."""
    return generator.label if isinstance(generator, LabelledGenerator) else 0


def with_features(generator: Generator) -> FeatureGenerator:
    """Return the generator, if it gives access to its features. Raises GeneratorLacks."""
    if not isinstance(generator, FeatureGenerator):
        raise GeneratorLacks(name=generator.name, what="features to look at")
    return generator


def with_styles(generator: Generator) -> StyledGenerator:
    """Return the generator, if it tells how its styles are computed. Raises GeneratorLacks."""
    if not isinstance(generator, StyledGenerator):
        raise GeneratorLacks(name=generator.name, what="style weights")
    return generator
