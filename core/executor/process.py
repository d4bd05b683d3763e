"""One worker process as the bot sees it: messages out and in, its noise into the log, its end noticed and complete."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from core.executor import wire
from core.executor.wire import FromWorker, Log, Setup, ToWorker

log = logging.getLogger("core.executor.worker")
_NOISE = 50  # lines of one burst that are logged
_LAST_WORDS = 50  # lines kept for the report of a death


class _Hearing(asyncio.StreamReaderProtocol):
    """Reads to the end: a connection that was reset ends like one that was closed, behind all that had come by then."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(None)


class Process:
    """Made by `start`; to be ended by `finish`, which leaves nothing of its process group behind."""

    def __init__(self, popen: subprocess.Popen[bytes], spawner: ThreadPoolExecutor, name: str) -> None:
        self.name = name
        self.pid = popen.pid
        self.last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._popen = popen
        self._spawner = spawner
        self._outbox: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._reader: asyncio.StreamReader
        self._reading: asyncio.BaseTransport
        self._out: socket.socket

    @classmethod
    async def start(cls, name: str, setup: Setup, environment: Mapping[str, str], spawner: ThreadPoolExecutor) -> Process:
        """Start a worker and send it its setup. `spawner` has one thread, which must live as long as the worker:
        the kernel takes the death of the thread that started it for the death of the parent. Raises OSError.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                popen = await asyncio.get_running_loop().run_in_executor(spawner, _popen, theirs.fileno(), environment)
            except BaseException:
                ours.close()
                raise
        self = cls(popen, spawner, name)
        # Reading and writing fail apart: what the worker said last is read also when it no longer takes anything in.
        self._out = ours.dup()
        self._reader = asyncio.StreamReader(limit=1 << 20)
        loop = asyncio.get_running_loop()
        self._reading, _ = await loop.create_unix_connection(lambda: _Hearing(self._reader), sock=ours)
        self.send(setup)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._listen_to_noise())]
        return self

    def send(self, message: ToWorker) -> None:
        """Send as soon as everything before it is sent. Lost if the worker is gone, which `read` tells."""
        self._outbox.put_nowait(message)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await wire.write(self._out, await self._outbox.get())

    async def read(self) -> FromWorker | None:
        """The next message; None at the end. Log messages are logged on the way. Raises BadFrame."""
        while isinstance(message := await wire.read(self._reader), Log):
            if logging.getLogger(message.name).isEnabledFor(message.level):
                logging.getLogger(message.name).log(message.level, "%s: %s", self.name, message.text)
        return message

    async def _listen_to_noise(self) -> None:
        """Log what native code prints: it must neither fill a pipe nor reach the terminal."""
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
        for line in lines[-_NOISE:]:
            text = line.decode(errors="replace")[:1000]
            self.last_words.append(text)
            log.debug("%s printed: %s", self.name, text)
        if len(lines) > _NOISE:
            log.debug("%s printed %d more lines just before", self.name, len(lines) - _NOISE)

    def gone(self) -> bool:
        """Whether the process has ended, leaving it for `finish` to bury."""
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return True

    def kill(self) -> None:
        """End the process and its own children at once; `read` then comes to its end."""
        if self._popen.returncode is None:  # not yet waited for, so the number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def finish(self) -> int:
        """Kill what is left, and return the exit status (minus the signal's number)."""
        self.kill()
        status = await asyncio.get_running_loop().run_in_executor(self._spawner, self._popen.wait)
        writing, noise = self._tasks
        writing.cancel()
        _, unfinished = await asyncio.wait([noise], timeout=1)  # a stray child may hold the pipe open
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reading.close()
        self._out.close()
        await asyncio.sleep(0)  # the loop closes the other descriptor in its next turn
        return status


def _popen(fd: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "core.executor.worker", str(fd)],
        pass_fds=(fd,),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C in the terminal is the bot's to handle; and a group to end as a whole
    )


def describe(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
