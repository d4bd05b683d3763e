"""Drawing with code that was compiled ahead: the same pictures, and eager ones whenever anything about it is not right."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.bench import rendering
from core.compiled import drawing, kept, making
from core.compiled.background import build, kept_for
from core.compiled.compiler import compiler
from core.compiled.kept import CodeCache, Kept, compiled_folder, key_of, publish, read, told_in
from core.generator import render, seed_w
from core.generator.protocol import SeparableGenerator
from core.rendering import Renderer
from core.settings import Settings
from core.weights.cache import sha256_of
from tests.core.compiled.kit import HOME, NO_COMPILER, TINY, code_cache, tiny, wide

pytestmark = pytest.mark.slow

Pixels = NDArray[np.uint8]
LOGGER = "core.compiled.drawing"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with compiled code of the tiny generator: the one build of these tests."""
    if compiler() is None:
        pytest.skip(NO_COMPILER)
    settings = Settings.load({"EGAO_CACHE": str(tmp_path_factory.mktemp("cache")), "EGAO_HOME": str(HOME)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_VEC_ISA_OK", "1")  # does not try the compiler out first, which takes a third of it all
        made = asyncio.run(build(settings, 0, TINY, "tiny"))
    assert made == kept_for(settings, "tiny")
    return compiled_folder(settings)


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    copied = tmp_path / "compiled"
    shutil.copytree(built, copied)
    return copied


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LOOK", 0.0)


def pictures(renderer: Renderer) -> Pixels:
    """Of three seeds."""
    return renderer.images(renderer.generator.broadcast(seed_w(renderer.generator, [1, 2, 3])))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with each picture that eager draws of now on, of whatever generator."""
    drawn: list[int] = []
    eager = type(tiny()).synthesis

    def synthesis(self: object, ws: torch.Tensor) -> torch.Tensor:
        drawn.append(len(ws))
        return eager(self, ws)  # type: ignore[arg-type]

    monkeypatch.setattr(type(tiny()), "synthesis", synthesis)
    return drawn


def decibels(one: Pixels, other: Pixels) -> float:
    return render.decibels(torch.from_numpy(one), torch.from_numpy(other))


def test_it_draws_what_eager_draws(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pictures(Renderer(tiny()))
    assert expected.std() > 40, "a picture that says something"
    eager = counted(monkeypatch)
    found = pictures(Renderer(tiny(), compiled=code_cache(built)))
    assert eager == []
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert decibels(found, expected) > making.LEAST_DECIBELS
    told = read(code_cache(built), key_of("tiny"))
    assert told is not None
    assert told.ratio > 0
    assert told.decibels > making.LEAST_DECIBELS


def test_nothing_is_left_of_the_building_and_nobody_else_can_write_there(built: Path) -> None:
    assert {file.suffix for file in built.iterdir()} == {".json", ".so", ""}
    assert [file.name for file in built.iterdir() if not file.suffix] == [".lock"]
    assert built.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in built.glob("*.*s*"))
    assert (next(built.glob("*.so"))).stat().st_size < 3e6, "the weights are not in it"


def test_any_number_of_threads_draws_with_it(built: Path) -> None:
    expected, before = pictures(Renderer(tiny())), torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert decibels(pictures(Renderer(tiny(), compiled=code_cache(built))), expected) > making.LEAST_DECIBELS
    finally:
        torch.set_num_threads(before)


def test_it_reads_the_weights_that_eager_reads(built: Path) -> None:
    """No second copy of them: what changes in the network changes in what the code draws."""
    renderer = Renderer(tiny(), compiled=code_cache(built))
    before = pictures(renderer)
    with torch.no_grad():
        renderer._network.image.bias.fill_(1.0)  # type: ignore[attr-defined]
    assert pictures(renderer).mean() > before.mean() + 20


def test_exact_pictures_are_always_eager(built: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    eager = counted(monkeypatch)
    pictures(Renderer(tiny(), "exact", compiled=code_cache(built)))
    assert eager == [1, 1, 1]
    assert caplog.records == []


def test_a_renderer_takes_up_what_is_published_while_it_runs(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer(tiny(), compiled=code_cache(tmp_path / "compiled"))
    eager = counted(monkeypatch)
    with caplog.at_level(logging.INFO, LOGGER):
        pictures(renderer)
        assert eager == [1, 1, 1]
        assert caplog.records == []
        shutil.copytree(built, tmp_path / "compiled")
        pictures(renderer)
    assert eager == [1, 1, 1]
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "compiled code" in caplog.text


def test_it_does_not_look_at_every_picture(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LOOK", 60.0)
    renderer = Renderer(tiny(), compiled=code_cache(tmp_path / "compiled"))
    pictures(renderer)
    shutil.copytree(built, tmp_path / "compiled")
    eager = counted(monkeypatch)
    pictures(renderer)
    assert eager == [1, 1, 1]


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def told(folder: Path, **changed: object) -> None:
    """Change what the JSON tells."""
    file = told_in(folder, key_of("tiny"))
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


def other_code(folder: Path) -> None:
    """A file whose hash is right, and which is no library."""
    made = read(code_cache(folder), key_of("tiny"))
    assert made is not None
    (folder / "new").write_bytes(b"\x7fELF, or not")
    publish(code_cache(folder), key_of("tiny"), replace(made, sha256=sha256_of(folder / "new")), folder / "new")


def other_weights(folder: Path) -> None:
    """The code as it is, signed for weights that lie otherwise in memory."""
    made = read(code_cache(folder), key_of("tiny"))
    assert made is not None
    shutil.copy(library(folder), folder / "new")
    publish(code_cache(folder), key_of("tiny"), replace(made, layout="of others"), folder / "new")


def library(folder: Path) -> Path:
    return next(folder.glob("*.so"))


def linked(folder: Path) -> None:
    there = library(folder)
    there.rename(folder / "elsewhere")
    there.symlink_to(folder / "elsewhere")


TROUBLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit flipped in the code": (lambda folder: flip(library(folder), 100_000), "is damaged"),
    "half of the code": (lambda folder: os.truncate(library(folder), 100_000), "is damaged"),
    "no code": (lambda folder: library(folder).unlink(), "No such file"),
    "code that is none": (other_code, "RuntimeError"),
    "half of the JSON": (lambda folder: os.truncate(told_in(folder, key_of("tiny")), 50), "can't be read"),
    "other JSON": (lambda folder: told_in(folder, key_of("tiny")).write_text("[1]"), "can't be read"),
    "JSON of other types": (lambda folder: told(folder, ratio="fast"), "not what is expected"),
    "JSON of another kind": (lambda folder: told(folder, kind="film"), "of no kind"),
    "JSON of a number for a hash": (lambda folder: told(folder, sha256=7), "not what is expected"),
    "a file in another folder": (lambda folder: told(folder, library="../x.so"), "another folder"),
    "JSON that was changed": (lambda folder: told(folder, layout="of others"), "is not signed by this machine's key"),
    "other weights": (other_weights, "made for other weights"),
    "code that others may write": (lambda folder: library(folder).chmod(0o666), "others may write"),
    "JSON that others may write": (lambda folder: told_in(folder, key_of("tiny")).chmod(0o620), "others may write"),
    "a folder that others may write": (lambda folder: folder.chmod(0o777), "others may write"),
    "a link": (linked, "belongs to another"),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_is_wrong_is_one_line_and_eager(
    folder: Path, trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make, said = TROUBLES[trouble]
    make(folder)
    eager = counted(monkeypatch)
    with caplog.at_level(logging.INFO, LOGGER):
        assert np.array_equal(pictures(Renderer(tiny(), compiled=code_cache(folder))), pictures(Renderer(tiny())))
    assert eager == [1] * 6
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert said in record.getMessage()
    assert "egao models compile" in record.getMessage()


def test_what_belongs_to_another_user_is_not_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    eager = counted(monkeypatch)
    pictures(Renderer(tiny(), compiled=code_cache(folder)))
    assert eager == [1, 1, 1]
    assert "another user" in caplog.text


def test_what_was_wrong_is_tried_again_when_another_is_published(
    folder: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(library(folder), 100_000)
    renderer, eager = Renderer(tiny(), compiled=code_cache(folder)), counted(monkeypatch)
    pictures(renderer)
    assert eager == [1, 1, 1]
    made = read(code_cache(built), key_of("tiny"))
    assert made is not None
    shutil.copy(library(built), folder / "new")
    publish(code_cache(folder), key_of("tiny"), made, folder / "new")
    pictures(renderer)
    assert eager == [1, 1, 1]


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with compiled layers, published as a builder does."""
    if compiler() is None:
        pytest.skip(NO_COMPILER)
    folder = tmp_path_factory.mktemp("layers") / "compiled"
    kept.make_folder(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "LARGEST_RATIO", math.inf)  # of layers this small, beside other tests
        patch.setattr(making, "fast_dtype", lambda device: torch.float32)
        made = making.make(wide(), code_cache(folder), tmp_path_factory.mktemp("work"), 1)
    assert (made.kind, made.why) == ("layers", "")
    assert made.decibels > 60
    return folder


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor without a fast half precision."""
    monkeypatch.setattr("core.rendering.fast_dtype", lambda device: torch.float32)


@pytest.mark.usefixtures("in_float32")
def test_layers_are_used_wherever_the_network_is(layers: Path) -> None:
    """By the renderer, and by whoever computes a gradient in the same network."""
    plain, ours = wide(), wide()
    assert isinstance(ours, SeparableGenerator)
    renderer = Renderer(ours, compiled=code_cache(layers))
    assert all(block.compiled is not None for block in ours.separable_blocks())
    assert decibels(pictures(renderer), pictures(Renderer(plain))) > 60
    ws = ours.broadcast(seed_w(ours, [4])).clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(ours.halved(ws).square().mean(), ws)
    assert isinstance(plain, SeparableGenerator)
    assert making.nearness(gradient, making.step_of(plain, ws.detach())[1]) > 60


@pytest.mark.usefixtures("in_float32")
def test_layers_published_later_are_taken_up(layers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = wide()
    assert isinstance(network, SeparableGenerator)
    renderer = Renderer(network, compiled=code_cache(tmp_path / "compiled"))
    shutil.copytree(layers, tmp_path / "compiled")
    assert network.separable_blocks()[0].compiled is None
    with caplog.at_level(logging.INFO, LOGGER):
        renderer.look()
        taken = network.separable_blocks()[0].compiled
        renderer.look()
    assert taken is not None
    assert network.separable_blocks()[0].compiled is taken, "once"
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "compiled layers" in caplog.text


def test_the_benchmark_draws_with_layers(layers: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(rendering, "fast_dtype", lambda device: torch.float32)
    monkeypatch.setattr(CodeCache, "of", lambda settings: code_cache(layers))
    ws = wide().broadcast(seed_w(wide(), [5]))
    ((way, ours),) = rendering._compiled_way(settings, wide(), ws).items()
    assert way == "compiled layers float32"
    assert 60 < rendering.decibels(ours(ws), rendering.torch_way(wide(), torch.float32)(ws)) < 200, "near, by other sums"


def test_layers_that_the_network_has_none_of_are_one_line(
    layers: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(drawing, "read", lambda cache, key: read(cache, key_of("tiny")))
    assert pictures(Renderer(tiny(), compiled=code_cache(layers))).shape == (3, 32, 32, 3)
    (record,) = caplog.records
    assert "made for other layers" in record.getMessage()


def test_a_bit_flipped_in_layers_is_one_line(layers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(layers, tmp_path / "compiled")
    flip(library(tmp_path / "compiled"), 20_000)
    network = wide()
    pictures(Renderer(network, compiled=code_cache(tmp_path / "compiled")))
    assert isinstance(network, SeparableGenerator)
    assert network.separable_blocks()[0].compiled is None
    assert "is damaged" in caplog.text


class Wrong:
    """Code that draws something else, or nothing."""

    def __init__(self, size: tuple[int, ...], dtype: torch.dtype = torch.uint8, error: Exception | None = None) -> None:
        self.made, self.error, self.runs = torch.zeros(size, dtype=dtype), error, 0

    def run(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        self.runs += 1
        if self.error is not None:
            raise self.error
        return [self.made]


WRONG = {
    "a size": Wrong((1, 16, 16, 3)),
    "a type": Wrong((1, 32, 32, 3), torch.float32),
    "an error": Wrong((1, 32, 32, 3), error=RuntimeError("in the code\nand more")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_code_that_draws_something_else_is_left_alone(
    built: Path, wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(drawing, "open_drawing", lambda file, weights: WRONG[wrong])
    eager = counted(monkeypatch)
    pictures(Renderer(tiny(), compiled=code_cache(built)))
    assert eager == [1, 1, 1]
    assert WRONG[wrong].runs == 1
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_code_never_sees_what_it_was_not_made_for(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would read beyond it: another number of images, another type."""
    compiled = drawing.Compiled(code_cache(built), Renderer(tiny())._network, Renderer(tiny()).dtype)
    ws = tiny().broadcast(seed_w(tiny(), [1])).to(Renderer(tiny()).dtype)
    assert compiled.draw(ws) is not None
    assert compiled.draw(ws.repeat(2, 1, 1)) is None
    assert compiled.draw(ws[:, 1:]) is None
    assert compiled.draw(ws.double()) is None
    assert compiled.draw(ws) is not None, "nothing was wrong with the code"


def test_why_nothing_is_used_is_kept_and_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "compiled"
    kept.make_folder(folder)
    publish(code_cache(folder), key_of("tiny"), Kept("", "", "", 1.1, 50.0, 1.0, "it is no gain"), None)
    eager = counted(monkeypatch)
    pictures(Renderer(tiny(), compiled=code_cache(folder)))
    assert (eager, caplog.records) == ([1, 1, 1], [])
    found = kept_for(Settings.load({"EGAO_CACHE": str(tmp_path), "EGAO_HOME": str(HOME)}), "tiny")
    assert found is not None
    assert "it is no gain" in found.told()
