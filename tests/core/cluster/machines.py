"""Machines of a cluster that tests can kill, pause and bring back, and what is looked for on them afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.core.cluster.kit import descendants, end, running_node


class Machine:
    """One machine's node, which can be started, killed, paused and started again. Its files stay until they are looked at."""

    def __init__(self, folder: Path, key: Path, **how: Any) -> None:
        """`key` is the file of the cluster's secret; `how` goes to `running_node`. Nothing is started yet."""
        self.folder, self.home, self._how = folder, folder / "home", how
        self.home.mkdir(parents=True, mode=0o700)
        shutil.copy(key, self.home)
        self._stack = contextlib.ExitStack()
        self._node: subprocess.Popen[bytes] | None = None
        self.wanted = False  # it is to run: whoever keeps it starts it again when it has ended
        self.lives = 0

    def start(self) -> None:
        """Start its node, in a folder of its own for each life."""
        self.lives += 1
        self.wanted = True
        node = running_node(self.home, self.folder / f"ray{self.lives}", **self._how)
        self._node = self._stack.enter_context(node)

    def kill(self) -> None:
        """End every process of its node at once."""
        self.wanted = False
        if self._node is not None:
            end(self._node)
            self._node = None

    def keep(self) -> bool:
        """Start it again if it has ended by itself, as its unit of systemd would; tells whether it had."""
        if not self.wanted or self.running:
            return False
        self.kill()
        self.start()
        return True

    def pause(self, paused: bool) -> None:
        """Stop every process of its node, or have them go on."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def processes(self) -> list[int]:
        """List its node's processes."""
        return [] if self._node is None else [self._node.pid, *descendants(self._node.pid)]

    @property
    def running(self) -> bool:
        return self._node is not None and self._node.poll() is None

    def close(self) -> None:
        self.kill()
        self._stack.close()


def in_clear(machines: Iterable[Machine], marks: tuple[bytes, ...]) -> list[str]:
    """List the files of these machines that hold one of the marks: below their folders, in shared memory, and those without a
    name that a process of theirs has open, as Ray's object store is.
    """
    found = []
    for path in _places(machines):
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            found += [f"{path}: {mark.decode()}" for mark in marks if mark in data]
    return found


def _places(machines: Iterable[Machine]) -> Iterator[Path]:
    yield from (path for path in Path("/dev/shm").rglob("*") if path.is_file())
    for machine in machines:
        yield from (path for path in machine.folder.rglob("*") if path.is_file())
        for pid in machine.processes():
            with contextlib.suppress(OSError):
                yield from (path for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_file() and _nameless(path))


def _nameless(link: Path) -> bool:
    target = str(link.readlink())
    return target.endswith(" (deleted)") or target.startswith("/memfd:")
