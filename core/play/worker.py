"""Runs the networks on one thread, a part of the work at a time, while the event loop answers requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, cast

from core.play.refusal import too_busy

T = TypeVar("T")
MOST = 64  # parts that may wait: a page has at most three requests at once, and those of its photo
_END: Final = object()


class Worker:
    """One thread that runs functions and iterators in turn.

    An iterator goes to the end of the queue after each of its parts, so that a page with a moving slider waits for one step
    of another page's projection and not for all of it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="egao-play")
        self._waiting = 0

    async def call(self, work: Callable[[], T]) -> T:
        """Run a function on the thread and return its result. Raises what it raises, and Refusal if too much is waiting."""
        if self._waiting >= MOST:
            raise too_busy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    async def parts(self, work: Iterator[T]) -> AsyncGenerator[T, None]:
        """Yield what an iterator yields. If the reader stops, the work stops after its present part.

        Raises Refusal as `call` does.
        """
        try:
            while (part := await self.call(lambda: next(cast(Iterator[Any], work), _END))) is not _END:
                yield cast(T, part)
        finally:
            close = getattr(work, "close", None)
            if close is not None:
                self._thread.submit(close)

    async def last(self, work: Iterator[T]) -> T:
        """Run an iterator to its end and return the last thing that it yields."""
        found: Any = _END
        async for part in self.parts(work):
            found = part
        assert found is not _END
        return cast(T, found)

    async def close(self) -> None:
        """End the thread after its present work; what waits is dropped."""
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
