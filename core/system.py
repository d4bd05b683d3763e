"""Tells what the system underneath offers, where systems differ."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

STATM: Final = "/proc/self/statm"  # how large this process is, of Linux
# ru_maxrss counts kilobytes on Linux and bytes on macOS.
PEAKS_PER_MEGABYTE: Final = 2**20 if sys.platform == "darwin" else 1024


def usable_cores() -> int:
    """The processors that this process may use: those it is bound to, where the system can bind it (not on macOS)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def own_data() -> int:
    """Bytes of data that this process holds, as RLIMIT_DATA counts them; 0 where that can't be told, as on macOS."""
    try:
        return int(Path(STATM).read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def stop_on_windows() -> None:
    """End the program with a sentence on Windows: files are locked and workers are bounded in ways that it doesn't have."""
    if os.name == "nt":
        sys.exit("egao: Windows is not supported; install egao in the Windows Subsystem for Linux (wsl --install)")
