"""Runs a piece of GPU work as one captured graph: thousands of small launches cost the processor one call.

A network's kernels take microseconds each, and launching one from Python as long. Captured, the GPU goes from one to the
next by itself. Work that is captured must read and write the same tensors each time and never ask the GPU for a number.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import torch

log = logging.getLogger(__name__)

Pool = Any  # torch's handle of a pool of memory, of a type that differs between its versions

WARM = 3  # runs before the capture: libraries choose their kernels and take their memory


class Captured:
    """Work on a CUDA device, captured the first time that it runs. Elsewhere it runs as it is."""

    def __init__(self, work: Callable[[], None], device: torch.device, pool: Pool = None) -> None:
        """`pool` (`memory_pool`) is shared by graphs that never run at the same time, so that they need memory but once."""
        self._work, self._device, self._pool = work, device, pool
        self._graph: torch.cuda.CUDAGraph | None = None
        self._warm = False

    def warm(self) -> None:
        """Run the work `WARM` times without a graph, and capture it. Raises torch.OutOfMemoryError. Nothing on a CPU."""
        if self._device.type != "cuda" or self._warm:
            return
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                self._work()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                self._work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # something in it asks for a number, on this version of torch or for this generator
            log.warning("work on the GPU is done without a graph, slower: %s", str(error).splitlines()[0])
            self._graph = None
        else:
            self._graph = graph
        self._warm = True

    def __call__(self) -> None:
        """Do the work; on a GPU it is only begun when this returns. Raises torch.OutOfMemoryError."""
        self.warm()
        if self._graph is None:
            self._work()
        else:
            self._graph.replay()


def memory_pool(device: torch.device) -> Pool:
    """Make a pool of memory for graphs; None on a CPU."""
    return torch.cuda.graph_pool_handle() if device.type == "cuda" else None


def free_memory(device: torch.device) -> None:
    """Give memory that nothing uses back to the device, after it did not suffice."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
