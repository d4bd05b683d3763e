"""What the operating system offers where systems differ."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Final

STATM: Final = "/proc/self/statm"  # how large this process is, of Linux
# ru_maxrss counts kilobytes on Linux and bytes on macOS.
PEAKS_PER_MEGABYTE: Final = 2**20 if sys.platform == "darwin" else 1024

# How torch's threads wait for each other, unless the environment says otherwise. Threads that spin, as is usual, keep each
# other from the cores when the machine has other work (an edit in a photo took 1.8 s instead of 0.4). Threads that sleep at
# once are woken late: 2000 rounds of libgomp's loop first make a projection on idle cores faster by a seventh, and by a third
# where both threads had come to sleep on one core. Beside one or two busy processes nothing changes (data/NUMBERS.md).
WAITING: Final = MappingProxyType({"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"})


def usable_cores() -> int:
    """Count the processors that this process may use: those it is bound to, or all where it can't be bound (macOS)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def own_data() -> int:
    """Count the bytes of data that this process holds, as RLIMIT_DATA counts them; 0 if that can't be told, as on macOS."""
    try:
        return int(Path(STATM).read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def return_memory() -> None:
    """Give the system back the memory that was freed and is kept for reuse. Only glibc can; elsewhere this does nothing."""
    if sys.platform != "linux":
        return
    import ctypes  # not at the top: this module says, before anything else is loaded, that Windows is not supported

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def stop_on_windows() -> None:
    """End the program on Windows with a sentence: the locks on files and the limits of workers do not exist there."""
    if os.name == "nt":
        sys.exit("egao: Windows is not supported; install egao in the Windows Subsystem for Linux (wsl --install)")
