"""The measuring itself: turns are fair, measures are zero for equal pictures, and the report holds what it promises."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.bench import hostile, projecting, rendering
from core.bench.architectures import random_generator
from core.bench.generators import bench_generators
from core.bench.hostile import bench_hostile
from core.bench.projecting import bench_projecting, seconds_a_step
from core.bench.quality import MEASURES, Judge
from core.bench.report import draw_quality, tables
from core.bench.storing import LATENT, PICTURE
from core.cli import app
from core.edit import Editor, Models
from core.errors import BadSetting
from core.generator import seed_w
from core.generator.latent import Latent
from core.generator.registry import architectures
from core.settings import Settings
from core.timing import take_turns
from tests.bot.workbench import photo
from tests.discord.chat import measure as chat

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_drawn_once")]


@pytest.fixture(scope="module")
def editor(settings: Settings) -> Editor:
    return Editor(Models(settings))


@pytest.fixture(scope="module")
def judge(settings: Settings, editor: Editor) -> Judge:
    """One for all: OpenVINO compiles a network for it."""
    return Judge(settings, editor.models.generator, editor.models.features)


def test_peers_take_turns_and_none_goes_first_always() -> None:
    calls: list[str] = []
    seconds = take_turns({name: partial(calls.append, name) for name in "abc"}, 8)
    assert {name: len(times) for name, times in seconds.items()} == dict.fromkeys("abc", 8)
    rounds = [calls[at : at + 3] for at in range(6, len(calls), 3)]  # after the two warming calls of each
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({one[0] for one in rounds}) > 1


def test_measures_are_nothing_for_the_same_face_and_grow_with_the_difference(editor: Editor, judge: Judge) -> None:
    models = editor.models
    w = seed_w(models.generator, [7_100_000, 7_100_001])
    ws = models.generator.broadcast(w).contiguous()
    target = judge.renderer.images(ws[:1])[0]
    (face,) = models.finder.require(target)
    compare = judge.of(target, face.landmarks)
    same, near, other = (compare(point.numpy()) for point in (ws[:1], 0.9 * ws[:1] + 0.1 * ws[1:], ws[1:]))
    for key in MEASURES:
        assert same[key] < 0.02 * other[key], key
        assert same[key] < near[key] < other[key], key


def test_a_projection_of_one_step_takes_that_steps_seconds() -> None:
    face = Latent(np.zeros((1, 1, 4), np.float32))
    assert seconds_a_step([(1, 3.0, face), (5, 5.0, face)]) == 0.5
    assert seconds_a_step([(1, 3.0, face)]) == 3.0


# How good each becomes is asked of the full case: after one step there is little to see.
@pytest.mark.parametrize(("w_steps", "fast_steps"), [(1, 1), pytest.param(3, 10, marks=pytest.mark.long)])
def test_projections_are_compared_on_one_photo(
    settings: Settings,
    editor: Editor,
    judge: Judge,
    astronaut_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    w_steps: int,
    fast_steps: int,
) -> None:
    monkeypatch.setattr(projecting, "TIMES", 1)
    monkeypatch.setattr(projecting, "Judge", lambda *_: judge)
    said: list[str] = []
    report = bench_projecting(settings, editor, [astronaut_path], w_steps, said.append, fast_steps=fast_steps)
    rows = {row["method"]: row for row in report["rows"]}
    assert list(rows) == ["fast", "w", "w+ equal steps", "w+ 1 x seconds"]
    begun = [line.partition(": ")[2] for line in said[1::2]]  # each before it begins: `w+` takes as many steps as `fast` took
    assert begun == ["fast", "w+ equal steps", "w", "w+ 1 x seconds"]
    assert rows["w"]["steps"] == w_steps
    assert rows["w+ equal steps"]["steps"] == rows["fast"]["steps"]
    for row in rows.values():
        seconds = [at["seconds"] for at in row["curve"]]
        assert seconds == sorted(seconds)
        assert row["curve"][-1]["step"] == row["steps"]
    assert report["goals"]["fast_better_than_w"] == {key: float(rows["fast"][key] < rows["w"][key]) for key in MEASURES}
    if w_steps > 1:
        assert report["goals"]["fast_better_than_w"] == dict.fromkeys(MEASURES, 1)
        assert 0 < report["goals"]["seconds_until_better_than_w_in_all"] <= rows["fast"]["seconds"]
    json.dumps(report)
    with Image.open(draw_quality(report, tmp_path / "plots" / "quality.png")) as plot:
        assert plot.width > 1000
        assert np.asarray(plot.convert("L")).std() > 5


@pytest.mark.long  # test_generator asks the same of another seed
def test_the_published_runtime_draws_the_same_picture(settings: Settings, editor: Editor) -> None:
    generator = editor.models.generator
    ws = generator.broadcast(seed_w(generator, [rendering.SEED])).contiguous()
    theirs = rendering.openvino_ways(settings)["openvino float32"](ws)
    assert rendering.decibels(theirs, rendering.torch_way(generator, torch.float32)(ws)) > 80


@pytest.mark.long
def test_render_is_measured_against_the_published_runtime(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    done = CliRunner().invoke(app, ["bench", "render", "--rounds", "2", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "of OpenVINO f32" in done.output
    picture = json.loads((tmp_path / "bench.json").read_text())["render"]["picture"]
    assert {"eager float32", "openvino float32", "openvino bfloat16"} <= set(picture)
    assert picture["openvino float32"]["of_openvino_f32"] == 1
    assert picture["openvino float32"]["decibels"] > 80  # the same picture
    assert (tmp_path / "render.png").is_file()


@pytest.mark.parametrize("what", [["bot"], ["chat", "me.jpg"]])
def test_the_bot_is_measured_in_a_checkout_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: list[str]) -> None:
    monkeypatch.setattr("core.cli.bench.ROOT", tmp_path)
    done = CliRunner().invoke(app, ["bench", *what, "-o", str(tmp_path)])
    assert done.exit_code != 0
    assert "source checkout" in str(done.exception)


def test_second_distance_sees_what_blurring_takes(judge: Judge, astronaut: NDArray[np.uint8]) -> None:
    second = judge.second
    small = Image.fromarray(astronaut).resize((64, 64))
    blurred = np.asarray(small.resize((512, 512)))
    darker = (astronaut * 0.95).astype(np.uint8)
    seen = second.look(np.array(astronaut))
    assert second.between(seen, second.look(darker)) < 0.5 * second.between(seen, second.look(blurred))


async def test_the_wait_in_the_chat_is_told_apart_from_the_work() -> None:
    report = await chat(photo(steps=3, seconds=0.1), 1, 3, "tests.bot.workbench:create")
    seen, work = report["chat"], report["alone"]
    assert 0 < seen["reply"] <= seen["preview"] <= seen["result"]
    assert min(work["result"], seen["result"]) > 0.3, "the steps"
    assert report["ratio"] == {name: seen[name] / work[name] for name in ("preview", "result", "smile", "neutral")}
    assert report["many"]["members"] == 3
    assert report["many"]["seconds"] >= report["many"]["result_max"]


async def test_a_hostile_member_asks_for_everything_and_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile, "CLOSE_UP", 700)  # nobody looks at these pictures here, and drawing them takes seconds
    monkeypatch.setattr(hostile, "SHEET", 600)
    monkeypatch.setattr(hostile, "PAUSE", 0.3)  # and nobody measures how long the others wait
    sent = tmp_path / "me.png"
    sent.write_bytes(photo(seconds=0.02))
    settings = Settings.load({"EGAO_DEVICE": "cpu"})
    report = await bench_hostile(settings, sent, 1.0, lambda text: None, "tests.bot.workbench:create")
    assert report["attack"].keys() >= {"FullSize", "FindFaces", "Render", "Animate", "Project"}
    for when in ("quiet", "hostile"):
        assert report[when]["refused"] == 0
        assert all(report[when][what]["count"] >= 1 for what in ("smile", "photo"))
    assert report["ratios"].keys() == {"smile", "photo"}
    (table,) = tables({"hostile": report})
    assert table.row_count == 2


def test_the_store_is_measured_over_a_history(tmp_path: Path) -> None:
    options = ["bench", "store", "--rows", "0", "--rows", "3000", "--faces", "20", "--seconds", "0.5", "-o", str(tmp_path)]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "store.json").read_text())["by rows of history"]
    assert set(found) == {"0", "3000"}
    for measured in found.values():
        assert 0 < measured["requests a second"] < measured["writes a second"]
        assert {"accept", "keep a face", "answered"} <= measured["ms by write, median"].keys()
        assert measured["bytes of a face"] > LATENT + PICTURE
        assert len(measured["seconds"]) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["store.json"], "the store itself is gone"


SLOW = {name: pytest.param(f"{name}-16", marks=pytest.mark.long) for name in ("stylegan3-t", "stylegan3-r")}  # always as wide


@pytest.mark.parametrize("name", [SLOW.get(name, f"{name}-32") for name in architectures()])
def test_random_generators_are_whole_ones_of_their_family(name: str) -> None:
    generator: Any = random_generator(name)
    again: Any = random_generator(name)
    assert all(torch.equal(one, other) for one, other in zip(generator.parameters(), again.parameters(), strict=True))
    w = seed_w(generator, [1, 2], 1.0)
    with torch.inference_mode():
        images = generator.synthesis(generator.broadcast(w))
    side = int(name.rpartition("-")[2])
    assert images.shape == (2, 3, side, side)
    assert images.isfinite().all()
    assert float((images[0] - images[1]).abs().mean()) > 0.001, "the picture must come from its latent"


def test_the_largest_is_the_published_architecture() -> None:
    """The published class of config-f has 30,370,060 trained numbers at 1024 pixels."""
    generator: Any = random_generator("stylegan2-1024")
    assert sum(one.numel() for one in generator.parameters()) == 30_370_060
    assert generator.num_ws == 18


def test_an_unknown_generator_is_named(settings: Settings) -> None:
    for name in ("stylegan4-64", "stylegan2-33", "stylegan2"):
        with pytest.raises(BadSetting, match=f"'{name}' is no name .*{', '.join(architectures())}, and"):
            bench_generators(settings, [name], 1, print)


@pytest.mark.long
def test_generators_are_measured_in_processes_of_their_own(settings: Settings, tmp_path: Path) -> None:
    environment = {"EGAO_CACHE": str(settings.cache), "EGAO_HOME": str(tmp_path), "EGAO_DEVICE": "cpu"}
    call = ["bench", "generators", "stylegan2-32", "--rounds", "1", "-o", str(tmp_path)]
    done = CliRunner(env=environment).invoke(app, call, catch_exceptions=False)
    assert done.exit_code == 0
    (of,) = json.loads((tmp_path / "bench.json").read_text())["generators"].values()
    assert of["resolution"] == 32
    for kind in ("picture", "fast picture", "step", "fast step"):
        assert of[kind]["seconds"] > 0
        assert of[kind]["processor"] > 0
    assert 0 < of["picture"]["megabytes"] <= of["step"]["megabytes"]
