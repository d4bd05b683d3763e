"""A kind of work is one file: here one that egao does not come with, through a real worker process."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.edit import Editor, Models
from core.errors import FaceRefused, LooksYoung, NoFace, UnreadablePhoto
from core.executor import Capacity, Executor, FindFaces, Progress, Project, Render, WorkItem
from core.executor.kinds import Asks, Cost, Kind, Lane, Material, Mode, kind, kind_of, kinds, modules, register
from core.executor.protocol.payload import flatten, rebuild
from core.faces import load_photo
from core.generator import Generator, seed_w
from core.latents import to_npz
from core.learned import Learned
from core.pictures import encode
from core.rendering import Renderer
from core.settings import Settings
from core.workbench import EditorWorkbench
from tests.core.executor.kit import ANN, BEN, executor, pid_of
from tests.core.executor.local import LocalLauncher

NEW = "tests.core.executor.new_kind"
DESCRIBING = "tests.core.executor.describing"


@contextlib.contextmanager
def known(module: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of new kinds, which are unknown again afterwards."""
    monkeypatch.setattr(kind, "_KINDS", dict(kind._KINDS))
    monkeypatch.setattr(kind, "_CARRIED", dict(kind._CARRIED))
    yield importlib.import_module(module)
    del sys.modules[module]


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with known(NEW, monkeypatch) as module:
        yield module


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


@pytest.mark.slow
@pytest.mark.usefixtures("_drawn_once")
async def test_a_kind_of_one_file_looks_at_faces_through_the_door(
    settings: Settings, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = generator.broadcast(seed_w(generator, [5003])).numpy()
    photo = encode(np.asarray(Image.fromarray(Renderer(generator).images(ws)[0]).resize((256, 256))))
    with known(DESCRIBING, monkeypatch) as module:
        async with Executor(settings, "core.workbench:create", devices=["cpu"], split=False, launcher=LocalLauncher()) as ours:
            seen: list[Progress] = []
            done = await ours.submit(module.Describe(photo, to_npz(ws), 2.0), ANN, seen.append)
            with pytest.raises(UnreadablePhoto):
                await ours.submit(module.Describe(b"nonsense"), ANN)
            with pytest.raises(NoFace):
                await ours.submit(module.Describe(encode(np.zeros((256, 256, 3), np.uint8))), ANN)
        assert rebuild(flatten(done)) == done, "as it would come from a process"
    before, after = done.blendshapes
    assert after["mouthSmileLeft"] > before["mouthSmileLeft"] + 0.1, "the kept face was drawn at the strength"
    assert all(sum(shares.values()) == pytest.approx(1, abs=1e-4) and len(shares) == 7 for shares in done.emotions)
    assert [one.step for one in seen if one.place == 0 and one.step] == [1, 2]
    assert load_photo(done.picture, settings).pixels.shape[2] == 3


def test_the_door_opens_only_after_the_checks(settings: Settings, generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    ws = generator.broadcast(seed_w(generator, [5003])).numpy()
    door = EditorWorkbench(Editor(Models(settings.model_copy(update={"gates": "bot", "gate_young": 0.0})), strangers=True)).door
    with pytest.raises(LooksYoung):
        door.face_in_photo(encode(Renderer(generator).images(ws)[0]))
    with pytest.raises(FaceRefused):
        door.kept_face(to_npz(ws))


def test_egaos_own_kinds_say_what_is_costly_of_them() -> None:
    material = Material(b"latent", Learned("found"), b"photo", 3, b"crowd")
    for one in kinds():
        assert one.worst(material), f"{one.name} is not asked for by `egao bench hostile`"
        assert all(type(request) is one.request for request in one.worst(material))


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
