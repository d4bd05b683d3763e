"""The dispatcher over another kind of link: scheduling knows nothing of processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.errors import JobCancelled, WorkerDied
from core.executor import Animate, Executor, FindFaces, Project, Render, Rendered
from core.settings import Settings
from tests.core.executor.kit import ANN, BEN, CAT, COSTS, CREATE, QUICKLY, until
from tests.core.executor.local import LocalLauncher


@pytest.fixture
async def local() -> AsyncIterator[tuple[Executor, LocalLauncher]]:
    launcher = LocalLauncher()
    ours = Executor(
        Settings.load({}), CREATE, devices=["here", "there"], patience=QUICKLY, costs=COSTS, split=False, launcher=launcher
    )
    async with ours:
        await until(lambda: all(worker.state == "ready" for worker in ours.stats().workers))
        yield ours, launcher
    assert launcher.closed


async def test_two_workers_that_are_no_processes_share_fairly_batch_and_cancel(local: tuple[Executor, LocalLauncher]) -> None:
    ours, launcher = local
    assert len(launcher.links) == 2
    assert [worker.pid for worker in ours.stats().workers] == [None, None]
    steps: list[int] = []
    long = [ours.enqueue(Project(b"steps 0.01", steps=500), owner, lambda p: steps.append(p.step)) for owner in (ANN, BEN)]
    assert [worker.running for worker in ours.stats().workers] == [1, 1]
    hold = [ours.enqueue(Render(b"slow 0.1", (1.0,)), owner) for owner in (ANN, BEN)]
    renders = [ours.enqueue(Render(b"%d" % n, (1.0, 2.0)), CAT) for n in range(4)]
    assert [await item.result() for item in renders] == [Rendered((b"%d 1" % n, b"%d 2" % n)) for n in range(4)]
    assert any(4 in link.batches for link in launcher.links), "the four went together, to whichever worker"
    assert (await ours.submit(Animate(b"x", 0, 1, frames=2), CAT)).frames == 2
    await until(lambda: 3 in steps)
    assert all(ours.cancel(item) for item in long)
    for item in long:
        with pytest.raises(JobCancelled):
            await item.result()
    await until(lambda: not any(worker.running for worker in ours.stats().workers))
    assert await asyncio.gather(*(item.result() for item in hold))
    assert ours.stats().restarts == 0


async def test_the_loss_of_such_a_worker_is_retried_like_that_of_a_process(local: tuple[Executor, LocalLauncher]) -> None:
    ours, launcher = local
    with pytest.raises(WorkerDied):
        await ours.submit(FindFaces(b"exit"), ANN)
    assert ours.stats().restarts == 2  # one attempt, one more
    assert "SystemExit" in [link.ended for link in launcher.links]
    assert (await ours.submit(FindFaces(b"hello"), ANN)).faces
