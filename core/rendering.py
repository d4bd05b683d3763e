"""Renders latents to pixels in batches, in the fastest precision, with compiled code if there is some.

For use without gradients; a projection calls the generator itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.compiled.drawing import Compiled
from core.compiled.kept import CodeCache
from core.device import fast_dtype
from core.generator import Generator
from core.generator.protocol import NoisyGenerator
from core.generator.render import network_in, to_pixels

_IMAGE_BYTES = 0.3e9  # of activations for 1024 pixels in float32
_MOST = 16  # images in a batch, however large the GPU


def batch_size(device: torch.device) -> int:
    """Choose how many images to draw at once: as many as fit into half of a GPU's free memory, 1 to 16; 1 on a CPU.

    On a CPU nine tenths of the time go into layers that keep both cores busy already, and a batch of four takes longer
    for each image because the activations no longer fit the cache.
    """
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_MOST, int(free / 2 / _IMAGE_BYTES)))


class Renderer:
    """Draws pictures of latents without gradients.

    With precision "exact" it computes in float32 and agrees with the published runtime. "fast" uses the half precision
    that the hardware multiplies natively (46 dB against exact: no difference that an eye finds), or float32 if there is
    none. `compiled` is the cache of code compiled ahead of time; on a CPU, "fast" draws with that code if it is there.
    """

    def __init__(
        self, generator: Generator, precision: Literal["exact", "fast"] = "fast", compiled: CodeCache | None = None
    ) -> None:
        self.generator = generator
        self.device = generator.w_average().device
        self.dtype = torch.float32 if precision == "exact" else fast_dtype(self.device)
        self._network = network_in(generator, self.dtype)
        self._compiled: Compiled | None = None
        if compiled is not None and precision == "fast" and self.device.type == "cpu":
            self._compiled = Compiled(compiled, self._network, self.dtype)

    def batches(self, ws: Tensor | np.ndarray, noise: Sequence[np.ndarray] = ()) -> Iterator[np.ndarray]:
        """Render ws [N, num_ws, w_dim] in batches, yielding uint8 [n, R, R, 3] RGB after each.

        A caller can stop or show progress in between. `noise`: see `images`.
        """
        ws = torch.as_tensor(ws, dtype=torch.float32)
        maps = [torch.as_tensor(one).to(self.device, self.dtype) for one in noise]
        for part in torch.split(ws, batch_size(self.device)):
            with torch.inference_mode():
                yield self._draw(part.to(self.device, self.dtype), maps)

    def _draw(self, ws: Tensor, noise: Sequence[Tensor]) -> np.ndarray:
        if noise:
            assert isinstance(self._network, NoisyGenerator), f"{self.generator.name} adds no noise"
            return to_pixels(self._network.synthesis(ws, noise))
        pixels = self._compiled.draw(ws) if self._compiled is not None else None
        return to_pixels(self._network.synthesis(ws)) if pixels is None else pixels.numpy()

    def images(self, ws: Tensor | np.ndarray, noise: Sequence[np.ndarray] = ()) -> np.ndarray:
        """Render ws [N, num_ws, w_dim], N at least 1: uint8 [N, R, R, 3] RGB.

        `noise`, one map [side, side] for each layer that adds noise, takes the place of the maps in the generator's file.
        """
        return np.concatenate(list(self.batches(ws, noise)))
