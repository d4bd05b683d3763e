"""A kind of work is one file: here one that egao does not come with, through a real worker process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.errors import NoFace
from core.executor import Capacity, FindFaces, Progress, Project, Render, WorkItem
from core.executor.kinds import Asks, Cost, Kind, Lane, Mode, kind, kind_of, kinds, modules, register
from tests.core.executor.kit import ANN, BEN, executor, pid_of

NEW = "tests.core.executor.new_kind"


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the new kinds, which are unknown again after the test."""
    monkeypatch.setattr(kind, "_KINDS", dict(kind._KINDS))
    monkeypatch.setattr(kind, "_CARRIED", dict(kind._CARRIED))
    yield importlib.import_module(NEW)
    del sys.modules[NEW]


async def test_a_new_kind_is_asked_batched_counted_and_refused(new: Any) -> None:
    async with executor(capacity=Capacity(pictures=4)) as ours:
        hold = ours.enqueue(Render(b"slow 0.05", (1.0,)), ANN)
        requests = [new.Reverse(b"ab", ("x", "y")), new.Reverse(b"cd"), new.Reverse(b"ef")]
        items = [ours.enqueue(request, BEN) for request in requests]
        with pytest.raises(NoFace):
            await ours.submit(new.Reverse(b""), BEN)
        answers = [await item.result() for item in items]
        await hold.result()
        stats, pid = ours.stats(), pid_of(ours)
    assert [answer.data for answer in answers] == [b"ba", b"dc", b"fe"]
    assert answers[0].words == ("y", "x")
    assert {answer.pid for answer in answers} == {pid}
    assert max(answer.batch for answer in answers) == 2  # of two units each, four in a batch
    assert (stats.kinds["Reverse"].done, stats.kinds["Reverse"].failed) == (3, 1)
    assert "Reverse" in stats.costs


async def test_a_new_stepwise_kind_goes_on_from_its_checkpoint(new: Any) -> None:
    seen: list[Progress] = []
    async with executor() as ours:
        done = await ours.submit(new.Count(10, crash_at=6), ANN, seen.append)
        assert ours.stats().restarts == 1
    assert done == new.Counted(5, 10)
    assert [progress.step for progress in seen if progress.steps] == list(range(1, 11))


def test_the_kinds_that_egao_comes_with_are_found_by_their_files() -> None:
    files = {path.stem for path in Path(str(kind.__file__)).parent.glob("*.py")} - {"__init__", "kind"}
    assert {name.removeprefix("core.executor.kinds.") for name in modules()} == files, (
        "each file declares one, and no other place"
    )
    assert {kind.name for kind in kinds()} >= {"Animate", "FindFaces", "FullSize", "Project", "Render"}


def test_what_is_no_kind_is_a_mistake_and_a_name_has_one_kind() -> None:
    @dataclass(frozen=True)
    class Render(Asks[Any]):
        pass

    with pytest.raises(TypeError, match="no registered kind"):
        kind_of(Render())
    taken = Kind(Render, bytes, Lane.QUICK, Mode.WHOLE, Cost(1, 1, 1, 2), lambda workbench, request: b"")
    with pytest.raises(ValueError, match="Render is a name of another kind"):
        register(taken)


async def test_the_steps_of_a_look_at_a_photo_are_told_to_nobody() -> None:
    told: list[Progress] = []
    for request in (FindFaces(b"x"), Project(b"x")):
        WorkItem(request, ANN, told.append).step(Progress(1, 5))
    assert len(told) == 1, "only those of what takes long"
