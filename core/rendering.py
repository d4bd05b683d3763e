"""Renders latents to pixels in batches, in the fastest precision, with compiled code or captured graphs where there are some.

For use without gradients; a projection calls the generator itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from core.captured import Captured, free_memory, memory_pool
from core.device import fast_dtype
from core.generator import Generator
from core.generator.protocol import NoisyGenerator
from core.generator.render import network_in, pixels_of, to_pixels

if TYPE_CHECKING:
    from core.compiled.kept import CodeCache

MOST = 16  # pictures in a batch, however large the GPU


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
        self._on_gpu = InBatches(self._network, self.dtype, self.device) if self.device.type == "cuda" else None
        self._compiled = None
        if compiled is not None and precision == "fast" and self.device.type == "cpu":
            from core.compiled.drawing import Compiled

            self._compiled = Compiled(compiled, self._network, self.dtype)
            self._compiled.look()

    def look(self) -> None:
        """Use what has been compiled since, for what uses the network without drawing; `batches` does so by itself."""
        if self._compiled is not None:
            self._compiled.look()

    def batches(self, ws: Tensor | np.ndarray, noise: Sequence[np.ndarray] = ()) -> Iterator[np.ndarray]:
        """Render ws [N, num_ws, w_dim] in batches, yielding uint8 [n, R, R, 3] RGB after each.

        A caller can stop or show progress in between. `noise`: see `images`. On a CPU each is of one: nine tenths of the time
        go into layers that keep both cores busy already, and a batch of four takes longer for each image because the
        activations no longer fit the cache.
        """
        ws = torch.as_tensor(ws, dtype=torch.float32)
        if self._on_gpu is not None and not noise:
            yield from self._on_gpu.batches(ws)
            return
        maps = [torch.as_tensor(one).to(self.device, self.dtype) for one in noise]
        for part in torch.split(ws, 1):
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


class InBatches:
    """Draws as a GPU draws best: batches of a few sizes, each captured once, whose pixels come back while the next is drawn."""

    def __init__(self, network: Generator, dtype: torch.dtype, device: torch.device) -> None:
        self._network, self._dtype, self._device = network, dtype, device
        self._most = MOST
        self._captured: dict[int, tuple[Captured, Tensor, Tensor]] = {}  # by size: the work, its ws and its pixels
        self._pool = memory_pool(device)

    def batches(self, ws: Tensor) -> Iterator[np.ndarray]:
        """Render ws float32 [N, num_ws, w_dim], yielding uint8 [n, R, R, 3]; in smaller batches where memory does not suffice."""
        done, coming = 0, None
        while done < len(ws):
            part = ws[done : done + self._most]
            try:
                begun = self._begin(part)
            except torch.OutOfMemoryError as error:
                if len(part) == 1:
                    raise
                failure = error.with_traceback(None)
            else:
                done += len(part)
                if coming is not None:
                    yield _arrived(*coming)
                coming = begun
                continue
            del failure  # out here the traceback is gone, and with it the tensors that it held
            self._captured.clear()
            self._most = len(part) // 2
            free_memory(self._device)
        if coming is not None:
            yield _arrived(*coming)

    def _begin(self, ws: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
        """Begin to draw, and to copy the pixels to pinned memory; the event tells when they are there, None that they are."""
        size = 1 << (len(ws) - 1).bit_length()
        if size not in self._captured:
            self._captured[size] = self._prepared(size)
        draw, held, pixels = self._captured[size]
        gpu = self._device.type == "cuda"
        held[: len(ws)].copy_(ws.pin_memory() if gpu else ws, non_blocking=True)
        draw()
        here = torch.empty(len(ws), *pixels.shape[1:], dtype=torch.uint8, pin_memory=gpu)  # torch keeps such blocks for the next
        here.copy_(pixels[: len(ws)], non_blocking=True)
        if not gpu:
            return here, None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return here, event

    def _prepared(self, size: int) -> tuple[Captured, Tensor, Tensor]:
        network, side = self._network, self._network.resolution
        with torch.inference_mode(False):  # whoever asks first may need no gradients: what is kept is written to later, too
            held = torch.zeros(size, network.num_ws, network.w_dim, device=self._device)
            pixels = torch.zeros(size, side, side, 3, dtype=torch.uint8, device=self._device)

        def draw() -> None:
            with torch.no_grad():
                pixels.copy_(pixels_of(network.synthesis(held.to(self._dtype))))

        captured = Captured(draw, self._device, self._pool)
        captured.warm()
        return captured, held, pixels


def _arrived(pixels: Tensor, event: torch.cuda.Event | None) -> np.ndarray:
    """Wait until pixels are there, and return them in memory of their own: what is pinned is used again."""
    if event is not None:
        event.synchronize()
    array: np.ndarray = pixels.numpy().copy()
    return array
