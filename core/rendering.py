"""Renders ws to pixels: batches, precision, compiled code where there is some. Whatever only looks at pictures draws here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.compiled.drawing import Compiled
from core.compiled.kept import CodeCache
from core.device import fast_dtype
from core.generator import Generator
from core.generator.render import network_in, to_pixels

_IMAGE_BYTES = 0.3e9  # of activations for 1024 pixels in float32
_MOST = 16  # images in a batch, however large the GPU


def batch_size(device: torch.device) -> int:
    """Images to draw at once: what half of a GPU's free memory holds.

    One on a CPU: nine tenths of the time go into layers that both cores are busy with already, and a batch of four takes
    longer for each image because the activations leave the cache.
    """
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_MOST, int(free / 2 / _IMAGE_BYTES)))


class Renderer:
    """Renders ws without gradients.

    precision "exact" is float32 and agrees with the published runtime; "fast" uses the half precision that the hardware
    multiplies natively (46 dB against exact: no difference that an eye finds), or float32 where there is none.
    `compiled` is where code is that was compiled ahead, which draws in its place what is "fast" on a CPU.
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

    def batches(self, ws: Tensor | np.ndarray) -> Iterator[np.ndarray]:
        """Render ws [N, num_ws, w_dim] -> uint8 [n, R, R, 3] a batch at a time, so that a caller may stop or show progress."""
        ws = torch.as_tensor(ws, dtype=torch.float32)
        for part in torch.split(ws, batch_size(self.device)):
            with torch.inference_mode():
                yield self._draw(part.to(self.device, self.dtype))

    def _draw(self, ws: Tensor) -> np.ndarray:
        pixels = self._compiled.draw(ws) if self._compiled is not None else None
        return to_pixels(self._network.synthesis(ws)) if pixels is None else pixels.numpy()

    def images(self, ws: Tensor | np.ndarray) -> np.ndarray:
        """Render ws [N, num_ws, w_dim] float32 -> uint8 [N, R, R, 3] RGB; any N of at least 1."""
        return np.concatenate(list(self.batches(ws)))
