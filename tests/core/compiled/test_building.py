"""The process that compiles: one at a time, ended with whoever started it, nothing left of it, never in anybody's way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from core.cli import app
from core.compiled import background, making
from core.compiled.background import build, keep_compiled, kept_for
from core.compiled.building import building_lock
from core.compiled.compiler import compiler
from core.compiled.kept import BUILDING, CodeCache, Kept, compiled_folder, key_of, make_folder, publish, read
from core.errors import NoSuchGenerator, NotCompiled
from core.generator.importing import import_generator
from core.settings import Settings
from tests.core.compiled.kit import NO_COMPILER, STUCK, TINY, tiny, wide
from tests.core.generator.published_kit import write_case
from tests.discord.fake import FakeDiscord
from tests.discord.process import BotProcess, alive

needs_compiler = pytest.mark.skipif(compiler() is None, reason=NO_COMPILER)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
LOGGER = "core.compiled.background"
PARENT = """
import asyncio, sys
from core.compiled.background import build
from core.settings import Settings
asyncio.run(build(Settings.load({"EGAO_CACHE": sys.argv[1]}), 0, sys.argv[2], "tiny"))
"""


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """A cache of its own."""
    return Settings.load({"EGAO_CACHE": str(tmp_path / "cache"), "EGAO_HOME": str(tmp_path / "home"), "EGAO_DEVICE": "cpu"})


def left(own: Settings) -> list[str]:
    """What is in the folder but for its lock."""
    return sorted(file.name for file in compiled_folder(own).glob("*") if file.name != ".lock")


async def until(file: Path, within: float = 60.0) -> list[int]:
    """The numbers in a file, once it is there."""
    assert await asyncio.to_thread(_wait, file.exists, within), f"no {file.name} after {within} s"
    return [int(number) for number in file.read_text().split()]  # noqa: ASYNC240


async def gone(pids: list[int], within: float = 10.0) -> bool:
    """Whether these processes end in time; ends what is left of them."""
    if await asyncio.to_thread(_wait, lambda: not any(alive(pid) for pid in pids), within):
        return True
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return False


def _wait(come: Callable[[], bool], within: float) -> bool:
    end = time.monotonic() + within
    while not come():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@needs_compiler
async def test_two_do_not_build_at_once(own: Settings) -> None:
    folder = compiled_folder(own)
    folder.mkdir(parents=True, mode=0o755)
    (folder / f"{BUILDING}of-the-other").mkdir()
    with building_lock(folder) as held:
        assert held
        with pytest.raises(NotCompiled, match="another process"):
            await build(own, 0, TINY, "tiny")
    assert left(own) == [f"{BUILDING}of-the-other"], "the other's folder is not swept while it is at work"
    assert folder.stat().st_mode & 0o777 == 0o700


@needs_compiler
async def test_what_is_cancelled_leaves_no_process_and_no_file(own: Settings) -> None:
    building = asyncio.create_task(build(own, 3, STUCK, "tiny"))
    pids = await until(own.cache / "stuck")
    assert len(left(own)) == 1
    behind = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 3)
    assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in pids] == [behind, behind]
    assert all(resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0) for pid in pids)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert await gone(pids, 0.5)
    assert left(own) == []


@needs_compiler
async def test_it_ends_with_its_parent_and_the_next_sweeps(own: Settings) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(own.cache), STUCK, env=environ)
    try:
        pids = await until(own.cache / "stuck")
    finally:
        parent.kill()
        await parent.wait()
    assert await gone(pids)
    assert [name.startswith(BUILDING) for name in left(own)] == [True]
    assert kept_for(own, "tiny") is None
    with pytest.raises(NotCompiled):
        await build(own, 0, "tests.core.compiled.kit:no_such_thing", "tiny")
    assert left(own) == []


@pytest.mark.long  # what is left of one that was cancelled or lost its parent is asked above, and that a failure is one sentence
async def test_killed_from_outside_it_is_one_sentence(own: Settings) -> None:
    building = asyncio.create_task(build(own, 0, STUCK, "tiny"))
    pid, child = await until(own.cache / "stuck")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(NotCompiled, match="status -9"):
        await asyncio.wait_for(building, 20)
    assert await gone([child])
    assert left(own) == []


@pytest.mark.long  # what the loader refuses (below) goes the same way, without ten seconds of torch's before the compiler's turn
async def test_a_compiler_that_fails_is_told_and_kept(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad-c++").write_text("#!/bin/sh\necho no such instruction >&2\nexit 1\n")
    (tmp_path / "bad-c++").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "bad-c++"))
    (compiled_folder(own) / f"{BUILDING}that-was-killed").mkdir(parents=True)
    made = await build(own, 0, TINY, "tiny")
    assert (made.library, made.why.startswith("compiling them failed")) == ("", True)
    assert kept_for(own, "tiny") == made, "it isn't tried at every start"
    assert left(own) == [f"{key_of('tiny')}.json"]


@pytest.mark.parametrize(("ratio", "decibels"), [(1.01, 60.0), (0.5, 20.0)])
def test_what_does_not_help_is_kept_as_that(
    own: Settings, tmp_path: Path, ratio: float, decibels: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "drawing.so"
    code.write_bytes(b"code")
    monkeypatch.setattr(making, "compile_drawing", lambda network, ws, work: code)
    monkeypatch.setattr(making, "open_drawing", lambda file, weights: None)
    monkeypatch.setattr(making, "beside_eager", lambda drawing, network, ws: (ratio, decibels))
    folder = compiled_folder(own)
    make_folder(folder)
    made = making.make(tiny(), CodeCache.of(own), tmp_path, 1)
    assert made == read(CodeCache.of(own), key_of("tiny"))
    assert (made.library, bool(made.why)) == ("", True)
    assert left(own) == [f"{key_of('tiny')}.json"]


def test_a_folder_where_nothing_may_be_run_is_no_trouble(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drawing.so").write_text("what the loader refuses, as it does where code may not be run")
    monkeypatch.setattr(making, "compile_drawing", lambda network, ws, work: tmp_path / "drawing.so")
    make_folder(compiled_folder(own))
    made = making.make(tiny(), CodeCache.of(own), tmp_path, 1)
    assert (made.library, "dlopen" in made.why) == ("", True), made.why


@needs_compiler
def test_where_layers_cannot_be_compiled_a_drawing_is(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.cpp").write_text("int main( {")
    (tmp_path / "drawing.so").write_bytes(b"code")
    monkeypatch.setattr("core.compiled.compiler.SOURCE", tmp_path / "broken.cpp")
    monkeypatch.setattr(making, "fast_dtype", lambda device: torch.float32)
    monkeypatch.setattr(making, "compile_drawing", lambda network, ws, work: tmp_path / "drawing.so")
    monkeypatch.setattr(making, "open_drawing", lambda file, weights: None)
    monkeypatch.setattr(making, "beside_eager", lambda drawing, network, ws: (0.5, 60.0))
    make_folder(compiled_folder(own))
    made = making.make(wide(), CodeCache.of(own), tmp_path, 1)
    assert (made.kind, made.why) == ("drawing", "")
    assert made.library


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With what priority builds were asked for; none takes place."""
    nice: list[int] = []

    async def instead(settings: Settings, priority: int, generator: str = "", digest: str = "") -> Kept:
        nice.append(priority)
        return Kept("code.so", "", "", 0.8, 47.0, 30.0)

    monkeypatch.setattr(background, "build", instead)
    return nice


@needs_compiler
async def test_the_bot_has_it_built_once_where_it_can_be(
    own: Settings, asked: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    await keep_compiled(own)
    assert asked == [19]
    assert "0.80 of the time" in caplog.text
    for setting in ("kept", "off"):
        await keep_compiled(own.model_copy(update={"compile": setting}))
    monkeypatch.setattr(background, "devices", lambda settings: ("cuda:0",))
    await keep_compiled(own)
    monkeypatch.setattr(background, "devices", lambda settings: ("cpu",))
    monkeypatch.setenv("CXX", "no-such-compiler")
    await keep_compiled(own)
    assert "no C++ compiler" in caplog.text
    monkeypatch.delenv("CXX")
    make_folder(compiled_folder(own))
    publish(CodeCache.of(own), key_of("tiny"), Kept("", "", "", 1.1, 50.0, 1.0, "it is no gain"), None)
    await keep_compiled(own, digest="tiny")
    assert asked == [19]


@needs_compiler
async def test_a_failure_is_one_line_of_the_bots_log(
    own: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own.cache.parent.joinpath("cache").write_text("a file, where the folder is to be")
    await keep_compiled(own, TINY, "tiny")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "Pictures are drawn as before" in record.getMessage()


def test_the_command_says_what_is_missing(own: Settings, settings: Settings, tmp_path: Path) -> None:
    environ = {"EGAO_CACHE": str(own.cache), "EGAO_DEVICE": "cpu", "EGAO_COMPILE": "auto", "CXX": "no-such-compiler"}
    refused = {}
    for name, value in (("EGAO_COMPILE", "off"), ("EGAO_COMPILE", "auto"), ("EGAO_CACHE", str(tmp_path / "weighty"))):
        (tmp_path / "weighty").mkdir(exist_ok=True)
        if not (tmp_path / "weighty/weights").exists():
            (tmp_path / "weighty/weights").symlink_to(settings.cache / "weights")
        done = CliRunner().invoke(app, ["models", "compile"], env={**environ, name: value})
        assert done.exit_code == 1
        refused[value] = str(done.exception)
    assert "EGAO_COMPILE" in refused["off"]
    assert "egao models pull" in refused["auto"]
    assert "apt-get install g++" in refused[str(tmp_path / "weighty")]


def test_the_command_compiles_the_generator_that_is_named(own: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import_generator(own, write_case("stylegan2-skip", tmp_path), "mine")
    environ = {"EGAO_CACHE": str(own.cache), "EGAO_HOME": str(own.home), "EGAO_DEVICE": "cpu", "EGAO_COMPILE": "auto"}
    asked = []

    async def build(settings: Settings, nice: int) -> Kept:
        asked.append((settings.generator, nice))
        return Kept("", "", "", 1.1, 50.0, 1.0, "it is no gain")

    monkeypatch.setattr("core.cli.models.build", build)
    done = CliRunner().invoke(app, ["models", "compile", "--generator", "mine"], env=environ, catch_exceptions=False)
    assert "it is no gain" in done.output
    assert asked == [("mine", 0)]
    with pytest.raises(NoSuchGenerator, match="another"):
        CliRunner().invoke(app, ["models", "compile", "--generator", "another"], env=environ, catch_exceptions=False)


def builders(bot: BotProcess) -> list[int]:
    """Children of a bot that compile."""
    return [pid for pid in bot.children() if b"core.compiled.building" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.long  # what has it built is asked above, and that a build ends with its parent
async def test_the_bot_builds_beside_its_work_and_takes_that_along(
    own: Settings, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "true")  # there, and never called: the bot is ended before
    own.cache.mkdir()
    (own.cache / "weights").symlink_to(settings.cache / "weights")
    environ = {"EGAO_CACHE": str(own.cache), "EGAO_DEVICE": "cpu", "EGAO_COMPILE": "auto"}
    async with FakeDiscord() as discord, BotProcess(discord, home=tmp_path, environ=environ) as bot:
        await discord.wait_ready(60)
        assert await asyncio.to_thread(_wait, lambda: len(builders(bot)) == 1, 10)
        (building,) = builders(bot)
        assert await asyncio.to_thread(_wait, lambda: left(own) != [], 60), "it has begun"
        assert os.getpriority(os.PRIO_PROCESS, building) == 19
        assert await bot.stop() == 0
        assert await gone([building], 0.5)
        assert "Traceback" not in bot.log
    assert left(own) == []
