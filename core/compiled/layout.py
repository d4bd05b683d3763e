"""Describes what compiled code assumes about the weights that it gets: with others it would read beyond them unnoticed."""

from __future__ import annotations

import hashlib
import json

from torch import Tensor, nn

from core.generator.protocol import Generator

PREFIX = "generator."  # of the names of weights in a library, which are those of `Drawing` in core.compiled.making


def weights_of(network: Generator) -> dict[str, Tensor]:
    """List the network's weights (not copies) under the names that a library uses."""
    assert isinstance(network, nn.Module)
    return {PREFIX + name: tensor.detach() for name, tensor in network.state_dict().items()}


def layout_of(network: Generator) -> str:
    """Compute a digest of every weight's type, shape and order in memory, and of the sizes of input and output."""
    weights = {
        name: (str(tensor.dtype), list(tensor.shape), list(tensor.stride())) for name, tensor in weights_of(network).items()
    }
    sides = (network.num_ws, network.w_dim, network.resolution)
    return hashlib.sha256(json.dumps([weights, sides], sort_keys=True).encode()).hexdigest()
