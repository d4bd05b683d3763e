"""Runs a worker as a process on this machine, over a socket: the executor's default link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from core.executor.protocol import wire
from core.executor.protocol.messages import FromWorker, Log, Ready, Setup, ToWorker
from core.executor.sandbox.confine import lower_priority

log = logging.getLogger("core.executor.worker")
_BURST = 50  # lines of one burst of output that are logged
_LAST_LINES = 50  # kept for the report of a death
_LONGEST_LINE: Final = 8000  # letters of a worker's log record, a traceback for example
_LOGGER: Final = re.compile(r"[A-Za-z_][\w.]{0,80}")  # names that a worker may log under
_MOST_LOGGERS: Final = 200  # different ones; more go under the worker's own


class _ReadToTheEnd(asyncio.StreamReaderProtocol):
    """A protocol that treats a reset connection as a closed one, after all that had come by then."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(None)


class ProcessLauncher:
    """A launcher of worker processes.

    Its one thread lives as long as they do, because the kernel takes the death of the thread that started a process for the
    death of the parent.
    """

    def __init__(self) -> None:
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="egao-spawn")

    async def launch(self, name: str, setup: Setup, environment: Mapping[str, str]) -> ProcessLink:
        """Start a worker and send it its setup. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                loop = asyncio.get_running_loop()
                popen = await loop.run_in_executor(self._spawner, _popen, theirs.fileno(), environment)
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        outgoing = ours.dup()  # reading and writing fail separately: a worker's last messages are read even if it reads no more
        reader = asyncio.StreamReader(limit=1 << 20)
        reading, _ = await asyncio.get_running_loop().create_unix_connection(lambda: _ReadToTheEnd(reader), sock=ours)
        link = ProcessLink(popen, self._spawner, name, reader, reading, outgoing, setup.nice)
        link.send(replace(setup, parent=os.getpid()))
        return link

    async def close(self) -> None:
        """End the thread."""
        await asyncio.to_thread(self._spawner.shutdown)


class WorkerLog:
    """Logs what a worker says, which may be anything: names and texts within bounds, nothing that moves a terminal's cursor."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._names: set[str] = set()

    def take(self, message: Log) -> None:
        """Log a record of the worker's under its own logger's name."""
        known = message.name in self._names or (len(self._names) < _MOST_LOGGERS and _LOGGER.fullmatch(message.name))
        name = message.name if known else log.name
        self._names.add(name)
        if logging.getLogger(name).isEnabledFor(message.level):
            logging.getLogger(name).log(message.level, "%s: %s", self._worker, shown(message.text[:_LONGEST_LINE]))


class ProcessLink:
    """The link to one worker process: sends and receives messages, logs its output, and cleans up after its end."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        spawner: ThreadPoolExecutor,
        name: str,
        reader: asyncio.StreamReader,
        reading: asyncio.BaseTransport,
        outgoing: socket.socket,
        nice: int,
    ) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._popen = popen
        self._spawner = spawner
        self._outbox: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._reader, self._reading, self._outgoing = reader, reading, outgoing
        self._nice = nice
        self._log = WorkerLog(name)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._drain_output())]

    @property
    def pid(self) -> int | None:
        return self._popen.pid

    def send(self, message: ToWorker) -> None:
        self._outbox.put_nowait(message)

    async def _write(self) -> None:
        try:
            while True:
                await wire.write(self._outgoing, await self._outbox.get())
        except ConnectionError:
            pass  # `receive` tells
        except Exception:
            log.exception("%s could not be sent a message", self.name)
            self.stop()

    async def receive(self) -> FromWorker | None:
        """Return the next message that is not a log record; those are logged. None once the worker is gone. Raises BadFrame."""
        message: FromWorker | None
        while isinstance(message := await wire.read(self._reader), Log):
            self._log.take(message)
        if isinstance(message, Ready) and self._nice and self.alive():
            lower_priority(self._nice, self._popen.pid)  # only now: a worker that starts keeps people waiting
        return message

    async def _drain_output(self) -> None:
        """Log what native code prints, so that it neither fills a pipe nor reaches the terminal."""
        assert self._popen.stdout is not None
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._popen.stdout
        )
        try:
            rest = b""
            while chunk := await reader.read(1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                self._note(lines)
                rest = rest[-4096:]
            self._note([rest] if rest else [])
        finally:
            transport.close()

    def _note(self, lines: list[bytes]) -> None:
        for line in lines[-_BURST:]:
            text = shown(line.decode(errors="replace")[:1000])
            self.last_lines.append(text)
            log.debug("%s printed: %s", self.name, text)
        if len(lines) > _BURST:
            log.debug("%s printed %d more lines just before", self.name, len(lines) - _BURST)

    @property
    def severed(self) -> bool:
        """A process here can't be out of reach."""
        return False

    def alive(self) -> bool:
        """Tell whether the process runs, without reaping it: `finish` does that."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return not self._buried()
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        return False

    def _buried(self) -> bool:
        """Tell whether the process has ended. Since that reaps it, its children are killed now: `stop` can't do it later.

        Their process group keeps its number from being given to another process.
        """
        if self._popen.poll() is None:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        return True

    def stop(self) -> None:
        """Kill the process and its children."""
        if self._popen.returncode is None:  # not yet waited for, so the number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    async def finish(self) -> str:
        self.stop()
        status = await asyncio.get_running_loop().run_in_executor(self._spawner, self._popen.wait)
        writing, output = self._tasks
        writing.cancel()
        _, unfinished = await asyncio.wait([output], timeout=1)  # a stray child may hold the pipe open
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reading.close()
        self._outgoing.close()
        await asyncio.sleep(0)  # the loop closes the other descriptor in its next turn
        return "\n".join((describe(status), *self.last_lines))


def _popen(fd: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "core.executor.worker", str(fd)],
        pass_fds=(fd,),  # everything else that is open here is closed there
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C in the terminal is the bot's to handle; and a group to end as a whole
    )


def shown(text: str) -> str:
    """Replace letters that would move a terminal's cursor or change its colour."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def describe(status: int) -> str:
    """Describe an exit status (negative: minus the signal's number) in words."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
