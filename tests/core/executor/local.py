"""A worker that is a thread of this process: the border to a worker, kept by something that is no process."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Mapping

from core.executor.protocol.link import Link
from core.executor.protocol.messages import FromWorker, Ready, Run, Setup, Stop, ToWorker
from core.executor.worker.__main__ import build
from core.executor.worker.loop import WorkLoop


class LocalLauncher:
    """Starts workers as threads."""

    def __init__(self) -> None:
        self.links: list[LocalLink] = []
        self.closed = False

    async def launch(self, name: str, setup: Setup, environment: Mapping[str, str]) -> Link:
        self.links.append(LocalLink(setup))
        return self.links[-1]

    async def close(self) -> None:
        self.closed = True


class LocalLink:
    """One thread, two queues. What the thread raises is its death."""

    pid = None
    severed = False

    def __init__(self, setup: Setup) -> None:
        self.ended = ""
        self.batches: list[int] = []  # how many requests each batch held
        self._inbox: queue.SimpleQueue[ToWorker] = queue.SimpleQueue()
        self._outbox: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, args=(setup,), daemon=True)
        self._thread.start()

    def _work(self, setup: Setup) -> None:
        workbench = build(setup)
        self._say(Ready(0.0))

        class Outlet:
            def send(_, message: FromWorker) -> None:
                self._say(message)

        try:
            WorkLoop(Outlet(), workbench, self._inbox).run()
        except BaseException as error:  # as a process may die of anything
            self.ended = type(error).__name__
        self._say(None)

    def _say(self, message: FromWorker | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._outbox.put_nowait, message)

    def send(self, message: ToWorker) -> None:
        if isinstance(message, Run):
            self.batches.append(len(message.items))
        self._inbox.put(message)

    async def receive(self) -> FromWorker | None:
        return await self._outbox.get()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._outbox.put_nowait(None)  # a thread can't be killed: it is heard no more
        self._inbox.put(Stop())

    async def finish(self) -> str:
        self.stop()
        return self.ended or "it left"
