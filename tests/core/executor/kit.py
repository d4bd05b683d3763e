"""What the executor's tests share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.executor import Capacity, Executor, Patience, Place, WorkItem
from core.executor.kinds import Cost
from core.executor.protocol.link import Launcher, Link
from core.executor.protocol.messages import Run, Start, ToWorker
from core.settings import Settings

CREATE = "tests.core.executor.workbench:create"
# What the tests' workbench takes, so that forecasts are about right from the first job.
COSTS = {
    "FindFaces": Cost(a=0.001, b=0.0, low=1, high=2),
    "Render": Cost(a=0.001, b=0.004, low=1, high=8),
    "Project": Cost(a=0.02, b=0.0, low=5, high=20),
    "Animate": Cost(a=0.01, b=0.0, low=5, high=20),
}
QUICKLY = Patience(start=20, silence=1.0, cancel=0.5, stop=2, backoff=0.01)


def make_launcher() -> Launcher | None:
    """What starts the workers of the next executor: processes here, unless a test runs over another link too."""
    return None


class Someone(NamedTuple):
    guild_id: int | None
    member_id: int


ANN, BEN, CAT = Someone(1, 1), Someone(1, 2), Someone(2, 3)


@contextlib.asynccontextmanager
async def executor(
    workbench: str = CREATE,
    capacity: Capacity | None = None,
    patience: Patience = QUICKLY,
    workers: int = 1,
    split: bool = False,
    device: str = "cpu",
    **settings: Any,
) -> AsyncIterator[Executor]:
    ours = Executor(
        Settings.load({}).model_copy(update=settings),
        workbench,
        devices=[device] * workers,
        capacity=capacity,
        patience=patience,
        costs=COSTS,
        split=split,
        launcher=make_launcher(),
    )
    await ours.start()
    try:
        async with asyncio.timeout(30):
            yield ours
    finally:
        await ours.close(0)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something has come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_of(executor: Executor) -> int:
    pid = executor.stats().workers[0].pid
    if pid is None:
        pytest.skip("the worker is a process of another machine's, so this one's way of looking at it tells nothing")
    assert pid != os.getpid()
    return pid


def place(executor: Executor, item: WorkItem) -> Place | None:
    """Where a request stands; None once it is done."""
    return executor._schedule.forecast(executor._workers).get(item)


def listen(executor: Executor) -> list[ToWorker]:
    """Record every message that is sent to the workers from now on, in the list that is returned."""
    heard: list[ToWorker] = []

    def overhear(link: Link) -> None:
        send = link.send

        def both(message: ToWorker) -> None:
            heard.append(message)
            send(message)

        link.send = both  # type: ignore[method-assign]

    for worker in executor._workers:
        assert worker._link is not None
        overhear(worker._link)
    return heard


def requests_in(heard: Sequence[ToWorker]) -> list[tuple[Any, int]]:
    """The requests that were sent, each with the number of its shared bytes."""
    short = [pair for message in heard if isinstance(message, Run) for pair in zip(message.requests, message.shared, strict=True)]
    return short + [(message.request, message.shared) for message in heard if isinstance(message, Start)]


def photos_in(heard: Sequence[ToWorker]) -> list[int]:
    """Bytes of the photo in each request that was sent."""
    return [len(request.photo) for request, _ in requests_in(heard)]
