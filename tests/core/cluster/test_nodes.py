"""A node of Ray, with TLS, tokens and sealed records: what it is refused for, and what its loss costs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cluster.fleet import Cluster
from core.cluster.identity import Identity
from core.cluster.wording import PIECE
from core.errors import ShuttingDown
from core.executor import Executor, FindFaces, Progress, Project
from core.settings import Settings
from tests.core.cluster.kit import SAME, address_here, free_port, needs_ray, running_head, running_node, settings_in
from tests.core.executor.kit import ANN, COSTS, CREATE, place, until

pytestmark = needs_ray


@pytest.fixture(scope="module")
def head() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="egao") as folder:  # a short name: sockets are in it
        home = Path(folder, "home")
        home.mkdir(mode=0o700)
        with running_head(home, Path(folder, "ray")) as settings:
            yield settings


def executor_of(settings: Settings, expected: Identity) -> Executor:
    return Executor(Settings.load({}), CREATE, split=False, costs=COSTS, fleet=Cluster(settings, expected))


@pytest.mark.parametrize("unlike", [Identity("9.9", SAME.weights), Identity(SAME.version, "others")])
async def test_an_unlike_node_gets_no_work_and_who_asks_keeps_a_place(
    head: Settings, unlike: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with executor_of(head, unlike) as ours:
            waiting = ours.enqueue(FindFaces(b"photo"), ANN)
            found = place(ours, waiting)
            assert found is not None
            assert found.place == 1
            assert ours.stats().workers == []
            await ours.close(0)
            with pytest.raises(ShuttingDown):
                await waiting.result()
    assert "gets no work: it " in caplog.text


@pytest.mark.long
async def test_a_node_that_falls_silent_loses_nothing_and_its_projection_goes_on(head: Settings) -> None:
    seen: list[Progress] = []
    stopped: list[int] = []
    try:
        async with executor_of(head, SAME) as ours:
            said = await ours.submit(FindFaces(b"say pid"), ANN)
            worker, keeper, _ = (int(word) for word in said.faces[0].thumbnail.strip(b"()").split(b","))
            assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in (worker, keeper)} == {0}, "nobody goes before them"
            going = asyncio.create_task(ours.submit(Project(b"photo 0.05", steps=60), ANN, seen.append))
            await until(lambda: any(progress.step > 10 for progress in seen))
            for pid in (worker, keeper):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
            start, steps = (int(word) for word in (await going).latent.split())
            assert (start > 10, steps) == (True, 60)
            assert ours.stats().failed == 0
            assert ours.stats().restarts == 1
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def test_a_photo_of_several_records_crosses_whole_and_so_does_its_answer(head: Settings) -> None:
    photo = os.urandom(PIECE) + bytes(1 << 20) + os.urandom(PIECE)
    async with executor_of(head, SAME) as ours:
        found = await ours.submit(FindFaces(photo), ANN)
        assert found.faces[0].thumbnail == photo[: 8 << 20][::-1]
        again = await ours.submit(FindFaces(b"photo"), ANN)
        assert again.faces[0].thumbnail == b"otohp", "and what follows is not mixed up with it"


@pytest.mark.long
async def test_a_head_that_is_started_anew_is_found_and_what_waited_is_done() -> None:
    seen: list[Progress] = []
    with tempfile.TemporaryDirectory(prefix="egao") as folder:
        home, port = Path(folder, "home"), free_port()
        settings = settings_in(home, f"{address_here()}:{port}")
        with running_node(home, Path(folder, "ray1"), port=port):
            ours = executor_of(settings, SAME)
            await ours.start()
            going = asyncio.create_task(ours.submit(Project(b"photo 0.05", steps=60), ANN, seen.append))
            await until(lambda: any(progress.step > 10 for progress in seen), 60)
        with running_node(home, Path(folder, "ray2"), port=port):
            async with asyncio.timeout(90):
                start, steps = (int(word) for word in (await going).latent.split())
            assert (start > 10, steps) == (True, 60)
            assert ours.stats().failed == 0
            await ours.close(0)
