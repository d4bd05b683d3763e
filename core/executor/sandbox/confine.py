"""Ties a worker to the bot: it ends with the bot, ignores signals, and is limited in memory and priority."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from core.executor.protocol.messages import Setup

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # of prctl(2)


def confine(setup: Setup) -> None:
    """Tie this process to the bot: it ends with the bot and ignores SIGTERM and SIGINT.

    It is killed first if memory runs out, and can't hold more than the setup's memory.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # a service manager signals the whole group; the bot ends us in order
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
    if os.getppid() != setup.parent:  # it died before the line above
        os._exit(1)
    leave_no_core()
    if setup.memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (setup.memory, setup.memory))


def leave_no_core() -> None:
    """Prevent core dumps of this process and its children: they would contain photos, faces and keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def lower_priority(nice: int, pid: int = 0) -> None:
    """Raise the niceness of a process (0: this one) by `nice`, with its threads, as far as the system allows."""
    lower = os.getpriority(os.PRIO_PROCESS, pid) + nice
    os.setpriority(os.PRIO_PROCESS, pid, lower)
    if sys.platform != "linux":
        return
    own = Path("/proc", str(pid or "self"))
    with contextlib.suppress(OSError):  # it may end at any time
        for thread in (own / "task").iterdir():  # threads that models have started already; later ones inherit
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), lower)
    with contextlib.suppress(OSError):  # where the kernel weighs sessions against each other, not processes
        (own / "autogroup").write_text(str(nice))


def hide_memory() -> None:
    """Prevent other processes of the same user from reading this one's memory and environment, with keys and the token.

    A privileged process still can. It holds for this process only: the kernel makes a program that it starts readable again.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)
