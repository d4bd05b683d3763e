"""Chooses the device and the precision that the networks run with, and sets threads and memory of the process."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch

from core.errors import BadSetting

if TYPE_CHECKING:
    from core.settings import Settings

Item = TypeVar("Item")
Done = TypeVar("Done")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def choose_device(settings: Settings) -> torch.device:
    """Choose the GPU if there is one and the setting allows it, else the CPU.

    Raises BadSetting if the setting demands CUDA and torch finds no CUDA GPU.
    """
    if settings.device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if settings.device == "cuda":
        raise BadSetting(name="EGAO_DEVICE", reason="this torch sees no CUDA GPU; the CPU build never does")
    return torch.device("cpu")


def use_threads(settings: Settings) -> None:
    """Set torch's number of threads to `settings.threads`; 0 keeps torch's own default."""
    if settings.threads:
        torch.set_num_threads(settings.threads)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Make torch use `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Make torch use one thread inside the block; for work of many small operations.

    Waking a thread that sleeps while it waits (see `core.system.WAITING`) takes longer than such an operation:
    measuring the scale of a face's expression took 5.4 s on two threads and 3.5 s on one (two idle cores; 3.5 s under
    load too).
    """
    return threads(1)


def two_at_once(work: Callable[[Item], Done], items: Sequence[Item]) -> Iterator[Done]:
    """Do `work` for each of the items, and yield the results in their order; the first error is raised in its place.

    Where torch has more threads than one, two of them each take an item, and torch then uses one in each. For work of many
    small operations, which torch itself can hardly share among threads. Nothing is done between two results of a pair.
    """
    if len(items) < 2 or torch.get_num_threads() == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(1, "beside", initializer=torch.set_num_threads, initargs=(1,)) as beside:
        for index in range(0, len(items), 2):
            with one_thread():  # until both are done: the threads of some of torch's libraries are counted for the whole process
                coming = [beside.submit(work, item) for item in items[index + 1 : index + 2]]
                try:
                    first = work(items[index])
                finally:
                    wait(coming)
            yield first
            yield from (one.result() for one in coming)


def keep_memory() -> None:
    """Let this process reuse the memory of large tensors instead of returning it to the system after each one.

    glibc asks the system for each block above 32 MiB and returns it at once, so each picture costs tens of thousands of
    page faults: half of a render's time, and two thirds in float32. Without glibc or Linux this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def fast_dtype(device: torch.device) -> torch.dtype:
    """Choose float16 on CUDA, bfloat16 on a CPU that multiplies it natively, else float32."""
    if device.type == "cuda":
        return torch.float16
    # without AVX-512 BF16 (or AMX) torch emulates bfloat16, which is slower than float32
    return torch.bfloat16 if torch.backends.cpu.get_cpu_capability() == "AVX512" and _has_bf16() else torch.float32


def gradient_dtype(device: torch.device) -> torch.dtype:
    """Choose the fast precision for gradients: bfloat16 on a GPU that has it, where float16 would lose the small ones to zero."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float32
    return fast_dtype(device)


def _has_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
