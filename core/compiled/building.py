"""The process that compiles: `python -m core.compiled.building ORDER`, ORDER being JSON (see core.compiled.background).

Layers of our own, or the drawing of one ws to pixels by AOTInductor, are compiled with the machine's C++ compiler, compared with
eager torch, timed against it, and published. torch.compile in a worker would need less code, but it fails while another thread
draws, and the first request would wait for it. All of it uses one thread at the lowest priority, except the seconds of
timing, which use as many threads as the workers.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.compiled.kept import BUILDING, CodeCache, compiled_folder, make_folder
from core.executor.sandbox.confine import leave_no_core, lower_priority
from core.settings import Settings

BUSY: Final = 75  # exit status: another process builds
MEMORY: Final = 4 * 2**30  # bytes of data, for this process and for each compiler that it calls


@dataclass(frozen=True)
class Order:
    """The task of the process: what to build, with the paths and settings for it."""

    cache: str  # EGAO_CACHE
    home: str  # EGAO_HOME, with imported generators and the key that signs the code
    chosen: str  # EGAO_GENERATOR
    threads: int  # EGAO_THREADS
    generator: str  # "module:function", which takes the settings
    nice: int


def main(order: Order) -> int:
    """Build and publish.

    Returns the exit status: 0 if code, or the reason for not using any, was published; BUSY if another process builds.
    """
    _confine(order)
    own = {"EGAO_CACHE": order.cache, "EGAO_HOME": order.home, "EGAO_GENERATOR": order.chosen}
    settings = Settings.load({**own, "EGAO_THREADS": str(order.threads), "EGAO_DEVICE": "cpu"})
    folder = compiled_folder(settings)
    make_folder(folder)
    with building_lock(folder) as held:
        if not held:
            return BUSY
        sweep(folder)
        with tempfile.TemporaryDirectory(prefix=BUILDING, dir=folder, ignore_cleanup_errors=True) as name:
            _keep_litter_in(name)
            import torch  # not before: it looks for its folders when it comes

            from core.compiled.making import make

            torch.set_num_threads(1)
            module, _, function = order.generator.partition(":")
            loaded = getattr(importlib.import_module(module), function)(settings)
            make(loaded, CodeCache.of(settings), Path(name), order.threads)
    return 0


def _confine(order: Order) -> None:
    """Limit this process: it ends with its parent, is killed first if memory runs out, and takes little memory and time."""
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    leave_no_core()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    if order.nice:
        lower_priority(order.nice)


def _end_with_parent() -> None:
    """End this process and its compiler when standard input closes, as it does when the parent ends in any way.

    The kernel's own signal at a parent's death, which workers use, would end this process only and leave the compiler.
    """
    os.read(sys.stdin.fileno(), 1)  # nothing ever comes; by its number, or the interpreter would not end while it waits
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _keep_litter_in(folder: str) -> None:
    """Make torch and the compiler write their temporary files into this folder, to be removed with it."""
    os.environ |= {"TMPDIR": folder, "TORCHINDUCTOR_CACHE_DIR": f"{folder}/torch", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    tempfile.tempdir = folder


@contextmanager
def building_lock(folder: Path) -> Iterator[bool]:
    """Try to lock the folder as the only process that builds; yields whether it succeeded. The kernel frees it at the end."""
    with (folder / ".lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def sweep(folder: Path) -> None:
    """Remove the files of a killed build. Only for the holder of the lock."""
    for left in folder.glob(BUILDING + "*"):
        shutil.rmtree(left, ignore_errors=True)
        with suppress(OSError):
            left.unlink()


if __name__ == "__main__":
    sys.exit(main(Order(**json.loads(sys.argv[1]))))
