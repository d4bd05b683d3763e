"""Measures how long a process was ready to run while the system ran others. Only known on Linux."""

from __future__ import annotations

import contextlib
from pathlib import Path
from time import monotonic


class Starved:
    """The waiting times of one process, read now and then; `seconds` count from the last `begin`."""

    def __init__(self, pid: int | None) -> None:
        """Watch the process `pid`; for None, a worker that is no process here, nothing is known."""
        self._threads = Path(f"/proc/{pid}/task")
        self._first: dict[str, int] = {}  # nanoseconds that each thread had waited at the beginning
        self._ran = -1  # nanoseconds that all threads together had run when last looked at
        self._still = monotonic()  # since when they have not run

    def begin(self) -> None:
        """Count from now on."""
        self._first.clear()
        self._still, self._ran = monotonic(), -1

    def seconds(self) -> float:
        """Return the seconds, since `begin`, that the longest waiting thread waited for a processor; 0 if unknown.

        Linux's schedstat begins with the nanoseconds that a thread ran and waited. A wait is added there only when it is
        over, so the present one, while threads are ready but none runs, is added here.
        """
        ran, waits, ready = 0, [0], False
        with contextlib.suppress(OSError, ValueError):
            for thread in self._threads.iterdir():
                run, waited = (int(one) for one in (thread / "schedstat").read_text().split()[:2])
                ready = ready or (thread / "stat").read_text().rpartition(")")[2].split()[0] == "R"
                ran += run
                waits.append(waited - self._first.setdefault(thread.name, waited))
        now = monotonic()
        if ran != self._ran or not ready:
            self._still, self._ran = now, ran
        return max(waits) / 1e9 + now - self._still
