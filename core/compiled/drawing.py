"""Uses kept machine code if there is some that fits; any fault of it is one line in the log.

It is either a whole drawing, made by torch's compiler, or layers of our own (core.compiled.layers), which the network uses from
then on wherever it is drawn or projected. A drawing contains no weights: it reads those of the network that draws eagerly, so
both together take no more memory.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final, Protocol

import torch
from torch import Tensor

from core.compiled.kept import CodeCache, Unfit, key_of, library_of, read, told_in
from core.compiled.layers import Library, use
from core.compiled.layout import layout_of, weights_of
from core.generator.protocol import Generator, SeparableGenerator

log = logging.getLogger(__name__)

LOOK: Final = 10.0  # seconds between two checks for newly published code


class OpenDrawing(Protocol):
    """A loaded drawing."""

    def run(self, inputs: list[Tensor], /) -> list[Tensor]: ...


class Compiled:
    """Uses the compiled code that `cache` has for this network on this machine; draws one picture at a time with it.

    Without such code the cache is checked again every LOOK seconds, so that a running worker uses code published later. Code
    that fails is logged once and not tried again until other code is published.
    """

    def __init__(self, cache: CodeCache, network: Generator, dtype: torch.dtype) -> None:
        self._cache, self._network, self._dtype = cache, network, dtype
        self._drawing: OpenDrawing | None = None
        self._in_use = False
        self._weights: dict[str, Tensor] = {}  # the library reads them and doesn't hold them
        self._seen: tuple[int, int] | None = None  # the file that was looked into last
        self._next = 0.0

    def draw(self, ws: Tensor) -> Tensor | None:
        """Draw ws [1, num_ws, w_dim] in the network's precision: uint8 [1, R, R, 3], or None if the network must draw it."""
        self.look()
        takes = (1, self._network.num_ws, self._network.w_dim)  # it does not look itself
        if self._drawing is None or (ws.shape, ws.dtype) != (takes, self._dtype):
            return None
        try:
            (pixels,) = self._drawing.run([ws.contiguous()])
            side = self._network.resolution
            if (pixels.shape, pixels.dtype) != ((1, side, side, 3), torch.uint8):
                raise Unfit(f"it draws {list(pixels.shape)} in {pixels.dtype}")
        except Exception as error:  # the code is generated: whatever it raises, the picture is drawn without it
            self._give_up(error)
            return None
        return pixels

    def look(self) -> None:
        """Load the code in the cache if none is in use, it is time to check, and the file is another than the last time."""
        if self._in_use or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK
        try:
            key = key_of(self._network.digest)
            found = told_in(self._cache.folder, key).stat()
        except (OSError, ImportError):  # nothing there; or installed without its sources, or without torch's version
            return
        seen = (found.st_ino, found.st_mtime_ns)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._load(key)
        except Exception as error:  # the loader raises anything, also if its folder forbids running code
            self._give_up(error)

    def _load(self, key: str) -> None:
        kept = read(self._cache, key)
        if kept is None or not kept.library:
            return
        file = library_of(self._cache.folder, kept)
        if kept.kind == "layers":
            if not isinstance(self._network, SeparableGenerator) or not use(Library(file), self._network):
                raise Unfit("it was made for other layers")
        else:
            if kept.layout != layout_of(self._network):
                raise Unfit("it was made for other weights")
            self._weights = weights_of(self._network)
            self._drawing = open_drawing(file, self._weights)
        self._in_use = True
        log.info("%s", kept.told())

    def _give_up(self, error: Exception) -> None:
        self._drawing, self._in_use = None, False
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        log.warning(
            "pictures are drawn without compiled code: %s. To make it anew: egao models compile --force",
            reason if isinstance(error, Unfit) else f"{type(error).__name__}: {reason}",
        )  # fmt: skip


def open_drawing(file: Path, weights: dict[str, Tensor]) -> OpenDrawing:
    """Load a drawing with these weights, which the caller must keep alive while it draws. Raises Unfit, RuntimeError.

    Opening a file runs its code; core.compiled.kept tells which files it may be.
    """
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(file), 1)
    names = runner.get_constant_names_to_original_fqns()
    if missing := set(names.values()) - set(weights):
        raise Unfit(f"it wants weights that there are none of: {', '.join(sorted(missing)[:3])}")
    runner.update_constant_buffer({name: weights[full] for name, full in names.items()}, False, True, True)
    return runner
