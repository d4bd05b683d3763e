"""What the imported families share: loading from a file, and the statistics of w."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from safetensors import safe_open
from torch import Tensor, nn

from core.generator.latent import w_statistics
from core.generator.registry import ABOUT

NoiseMode = Literal["const", "random", "none"]


def noise_for(ws: Tensor, kept: Sequence[Tensor], given: Sequence[Tensor] | None, mode: NoiseMode) -> Iterator[Tensor | None]:
    """Yield the noise for each layer: the map `given`, the one `kept` in the file, or a random one [N, 1, side, side].

    Given maps take precedence; with mode "none" every layer gets None.
    """
    for noise in kept if given is None else given:
        if mode == "random" and given is None:
            yield torch.randn(len(ws), 1, *noise.shape, device=ws.device, dtype=ws.dtype)
        else:
            yield None if mode == "none" else noise


class FileGenerator(nn.Module):
    """A generator loaded from a safetensors file whose metadata tells its shape. Families add the mapping and the synthesis."""

    name: str
    digest: str
    resolution: int
    z_dim: int
    w_dim: int
    num_ws: int
    style_resolutions: tuple[int, ...]
    label_dim: int = 0
    label: int = 0
    w_avg: Tensor

    def __init__(self, shape: dict[str, Any], digest: str = "") -> None:
        """Build the network of a `shape` that the family's `convert` wrote; weights are loaded later. Raises ValueError."""
        super().__init__()
        self.digest = digest
        self._deviation: float | None = None

    @classmethod
    def load(cls, file: Path) -> Self:
        """Load the converted file, with frozen parameters. Raises any error for a wrong file: use core.untrusted around it."""
        with safe_open(str(file), framework="pt") as tensors:
            about = json.loads(tensors.metadata()[ABOUT])
            state = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        with torch.device("meta"):  # nothing is drawn at random only to be replaced
            generator = cls(about["shape"], hashlib.sha256(file.read_bytes()).hexdigest())
        generator.load_state_dict(state, assign=True)
        generator.name = f"{about['family']}-{generator.resolution}"
        return generator.requires_grad_(False).eval()

    def w_average(self) -> Tensor:
        return self.w_avg

    def w_deviation(self) -> float:
        if self._deviation is None:
            self._deviation = w_statistics(self)[1]  # type: ignore[arg-type]  # families are whole generators
        return self._deviation

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, self.num_ws, -1)
