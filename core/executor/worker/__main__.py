"""The worker process: confines itself, builds a workbench and runs requests with it.

Run as `python -m core.executor.worker FD`, FD being its end of a socket to the bot. A second thread only listens.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time

from core.errors import EgaoError
from core.executor.protocol import wire
from core.executor.protocol.link import BadFrame
from core.executor.protocol.messages import FromWorker, Log, NotReady, Ready, Setup, ToWorker
from core.executor.sandbox.confine import confine
from core.executor.sandbox.wall import wall_in
from core.executor.worker.loop import WorkLoop, as_answer

log = logging.getLogger("core.executor.worker")


class Channel:
    """The worker's end of the socket. Any thread may send."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Send a message. Raises BadFrame if it contains something that the bot would not accept."""
        frame = wire.checked(message)
        with self._lock:
            wire.write_blocking(self._sock, frame)

    def listen(self, inbox: queue.SimpleQueue[ToWorker]) -> None:
        """Put received messages into `inbox`. When the bot is gone, end the process at once, whatever the other thread does."""
        with contextlib.suppress(BadFrame):
            while (message := wire.read_blocking(self._sock)) is not None:
                inbox.put(message)
        if os.getpgrp() == os.getpid():  # with whatever helpers a compiler has left in the group
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


class ChannelHandler(logging.Handler):
    """A log handler that sends records as messages, which keep their level and their logger's name."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, BadFrame):
            self._channel.send(Log(record.levelno, record.name, self.format(record)))


def build(setup: Setup) -> object:
    """Import every kind of work that the bot knows, and make the workbench that the setup names."""
    for name in setup.kinds:
        importlib.import_module(name)
    module, _, function = setup.factory.partition(":")
    return getattr(importlib.import_module(module), function)(setup.settings)


def _wall_in(setup: Setup) -> None:
    """Wall this process in, before anything of the workbench is imported and before there is a second thread."""
    with contextlib.suppress(ImportError):  # of torch's CUDA build: as it is imported it asks the system's tools for a library
        importlib.import_module("cuda.pathfinder")
    if setup.settings.wall == "off":
        log.warning("not walled in, by EGAO_WALL: whoever takes it over with a photo can do what egao can")
    elif missing := wall_in(setup.settings, (setup.factory.partition(":")[0], *setup.kinds)):
        log.warning("not walled in as it should be: this machine's kernel lacks %s", missing)


def main(fd: int) -> None:
    """Run the worker until it is told to stop or the bot is gone. `fd` is the socket's file descriptor."""
    faulthandler.enable()
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.setblocking(True)
    setup = wire.read_blocking(sock)
    if not isinstance(setup, Setup):
        return
    confine(setup)
    channel = Channel(sock)
    logging.basicConfig(level=setup.settings.log_level.upper(), handlers=[ChannelHandler(channel)], format="%(message)s")
    _wall_in(setup)
    inbox: queue.SimpleQueue[ToWorker] = queue.SimpleQueue()
    threading.Thread(target=channel.listen, args=(inbox,), daemon=True, name="listen").start()
    began = time.perf_counter()
    try:
        workbench = build(setup)
    except Exception as error:
        if not isinstance(error, EgaoError):
            log.error("the workbench %s cannot be made", setup.factory)
        channel.send(NotReady(as_answer(error)))
        return
    channel.send(Ready(time.perf_counter() - began))
    WorkLoop(channel, workbench, inbox).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # native libraries are not given the chance to crash while they are taken down


if __name__ == "__main__":
    main(int(sys.argv[1]))
