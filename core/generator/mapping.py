"""The mapping network of the StyleGAN families: z and a label -> w, through a few dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.generator.ops import SLOPE, unit

ACTIVATIONS = ("lrelu", "relu", "linear")


@dataclass(frozen=True)
class MappingShape:
    """The shape of a mapping network: all that determines it beside its weights."""

    z_dim: int
    w_dim: int
    layers: int
    hidden: int  # units of the layers but the last
    label_dim: int = 0  # classes; 0 for a generator that takes no label
    embedded: int = 0  # numbers that a label becomes
    apart: bool = True  # z and the embedded label are normalised each on its own (StyleGAN2-ADA), else together
    gain: float = 2**0.5  # after each activation
    activation: str = "lrelu"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"its activation is {self.activation!r}, and only {', '.join(ACTIVATIONS)} are supported")
        if not all(0 < size <= 16384 for size in (self.z_dim, self.w_dim, self.hidden)) or not 0 < self.layers <= 32:
            raise ValueError("a mapping network of strange sizes")


class Mapping(nn.Module):
    """The mapping network, z [N, z_dim] and labels [N, label_dim] -> w [N, w_dim].

    Its weights are already multiplied by the learning-rate multipliers.
    """

    def __init__(self, shape: MappingShape) -> None:
        super().__init__()
        self.shape = shape
        sizes = [shape.z_dim + shape.embedded, *[shape.hidden] * (shape.layers - 1), shape.w_dim]
        self.layers = nn.ModuleList(nn.Linear(given, out) for given, out in pairwise(sizes))
        self.embed = nn.Linear(shape.label_dim, shape.embedded) if shape.label_dim else None

    def forward(self, z: Tensor, labels: Tensor | int) -> Tensor:
        """Map z [N, z_dim] to w [N, w_dim]; a number labels all of them with that class. Without classes, labels are ignored."""
        x = unit(z.float()) if self.shape.apart else z.float()
        if self.embed is not None:
            y = self.embed(self._of_class(z, labels) if isinstance(labels, int) else labels.float())
            x = torch.cat([x, unit(y) if self.shape.apart else y], dim=1)
        if not self.shape.apart:
            x = unit(x)
        for layer in self.layers:
            x = activated(layer(x), self.shape.activation) * self.shape.gain
        return x

    def _of_class(self, z: Tensor, number: int) -> Tensor:
        labels = z.new_zeros(len(z), self.shape.label_dim)
        labels[:, number] = 1
        return labels


def activated(x: Tensor, name: str) -> Tensor:
    """Apply one of ACTIVATIONS, without the gain that follows it."""
    if name == "linear":
        return x
    return F.leaky_relu(x, SLOPE) if name == "lrelu" else F.relu(x)
