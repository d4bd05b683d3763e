"""Fills networks of published architectures with random weights: what they take in time and memory is the same.

    FAMILY = Family(load, convert, {"progan": published})   # in a family's module: a side in pixels -> `with_random_weights(...)`

`egao bench generators progan-256` measures it. What several architectures share is here too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn

SIDES: Final = (16, 32, 64, 128, 256, 512, 1024)
MAPPING: Final[dict[str, Any]] = {"z_dim": 512, "w_dim": 512, "layers": 8, "hidden": 512}  # of NVIDIA's mapping networks
Network = TypeVar("Network", bound=nn.Module)


def widths(side: int, base: int) -> list[int]:
    """List the channels at 4, 8, ... up to `side` pixels: `base` over the side, 512 at most."""
    return [min(512, base // 2**power) for power in range(2, side.bit_length())]


def with_random_weights(network: Network, fixed: Mapping[str, Tensor] | None = None, normal: Collection[str] = ()) -> Network:
    """Fill a network with the same random weights each time, in which features neither vanish nor grow, and freeze it.

    Filters, noise, gains, biases of styles and `w_avg` are known by the names that this package has for them. By the last part
    of their names, `fixed` says what other tensors are, and `normal` which of them are standard normal numbers.
    """
    random, known = torch.Generator().manual_seed(0), fixed or {}
    for key, tensor in network.state_dict().items():
        last = key.rpartition(".")[2]
        tensor.copy_(known[last] if last in known else _filled(key, tensor, random, normal))
    return network.requires_grad_(False).eval()


def _filled(key: str, tensor: Tensor, random: torch.Generator, normal: Collection[str]) -> Tensor:
    last = key.rpartition(".")[2]
    if last in {"kernel", "up_filter", "down_filter"}:
        return torch.full(tensor.shape, 1 / tensor.numel())
    if last in {"noise_strength", "w_avg"}:
        return torch.full(tensor.shape, 0.1 if last == "noise_strength" else 0.0)
    if last == "gain" or key.endswith("style.bias"):
        return torch.ones(tensor.shape)
    drawn = torch.randn(tensor.shape, generator=random)
    if last in {"noise", "constant", *normal}:
        return drawn
    return drawn / max(1, tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else torch.zeros(tensor.shape)
