"""Where the networks run, and in which precision they run fast there."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.errors import BadSetting
from core.settings import Settings

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def choose_device(settings: Settings) -> torch.device:
    """Choose the GPU if there is one and the setting allows it, else the CPU. Raises BadSetting if one is demanded in vain."""
    if settings.device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if settings.device == "cuda":
        raise BadSetting(name="EGAO_DEVICE", reason="this torch sees no CUDA GPU; the CPU build never does")
    return torch.device("cpu")


def use_threads(settings: Settings) -> None:
    """Give torch the number of threads that the setting names; 0 leaves all cores."""
    if settings.threads:
        torch.set_num_threads(settings.threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch work on one thread inside the block, for many small operations.

    To wake a thread that sleeps while it waits (see `core.system.WAITING`) takes longer than such an operation: what a
    strength means for a face was measured in 5.4 s on two of them and in 3.5 s on one (two idle cores; 3.5 beside load too).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def keep_memory() -> None:
    """Let this process reuse the memory of large tensors instead of giving it back after each one.

    glibc takes blocks above 32 MiB from the system every time and returns them at once, so each picture pays for tens of
    thousands of page faults: half of a render's time and two thirds of a float32 one's. Elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def fast_dtype(device: torch.device) -> torch.dtype:
    """Choose bfloat16 where the hardware multiplies it natively, float16 on CUDA, else float32."""
    if device.type == "cuda":
        return torch.float16
    # without AVX-512 BF16 (or AMX) torch emulates bfloat16, which is slower than float32
    return torch.bfloat16 if torch.backends.cpu.get_cpu_capability() == "AVX512" and _has_bf16() else torch.float32


def _has_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
