"""What compiled code takes for granted of the weights that it is given: it would read beyond them without a word."""

from __future__ import annotations

import hashlib
import json

from torch import Tensor, nn

from core.generator.protocol import Generator

PREFIX = "generator."  # of the names of weights in a library: those of `Drawing` in core.compiled.making


def weights_of(network: Generator) -> dict[str, Tensor]:
    """List the weights under the names that a library knows them by. They are the network's own, not copies."""
    assert isinstance(network, nn.Module)
    return {PREFIX + name: tensor.detach() for name, tensor in network.state_dict().items()}


def layout_of(network: Generator) -> str:
    """Compute a digest of every weight's type, shape and order in memory, and of what goes in and comes out."""
    weights = {
        name: (str(tensor.dtype), list(tensor.shape), list(tensor.stride())) for name, tensor in weights_of(network).items()
    }
    sides = (network.num_ws, network.w_dim, network.resolution)
    return hashlib.sha256(json.dumps([weights, sides], sort_keys=True).encode()).hexdigest()
