"""A worker in an attacker's hands gets nothing and tells nothing; without the wall, each of these attacks gets something."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pickle
import platform
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import WorkerDied
from core.executor import Executor, FindFaces
from core.executor.sandbox import landlock, seccomp
from core.executor.sandbox.wall import _without, allowed, lacks
from core.settings import Settings
from tests.core.executor.hostile import ATTACKS
from tests.core.executor.kit import ANN, BEN, QUICKLY, executor

pytestmark = pytest.mark.skipif(
    bool(lacks()) or platform.machine() != "x86_64", reason="the attacks are x86-64's, the wall Linux's"
)
SECRET = b"the key of all faces"
HOLDING = ctypes.create_string_buffer(b"MEMORY OF THE BOT")
ALONE = {"say_nonsense"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("home", "cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / "key").write_bytes(SECRET)
    (tmp_path / "home" / "egao.sqlite3").write_bytes(b"faces")
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@asynccontextmanager
async def taken_over(home: Path, **settings: Any) -> AsyncIterator[Executor]:
    settings |= {"home": home / "home", "cache": home / "cache"}
    patience = replace(QUICKLY, silence=30.0)  # an attack that starts a program waits for it, however busy the machine is
    async with executor("tests.core.executor.hostile:create", patience=patience, **settings) as ours:
        yield ours


def words(name: str, port: int) -> bytes:
    memory = ctypes.addressof(HOLDING)
    more = {"connect": port, "send_a_datagram": port, "read_the_bots_memory_by_a_call": memory}.get(name, "")
    return f"{name} {more}".encode()


async def tried(ours: Executor, name: str, port: int) -> bytes:
    return (await ours.submit(FindFaces(words(name, port)), ANN)).faces[0].thumbnail


async def test_a_worker_that_was_taken_over_gets_nothing(home: Path, port: int) -> None:
    async with taken_over(home) as ours:
        got = {name: await tried(ours, name, port) for name in ATTACKS if name not in ALONE}
        assert ours.stats().restarts == 0
    assert not {name: what for name, what in got.items() if not what.startswith(b"denied")}
    assert (home / "home" / "key").read_bytes() == SECRET
    assert not list((home / "cache").iterdir())


NEEDS_MORE = {"count_descriptors", "keep_a_key_in_the_kernel", "leave_the_namespace", "load_a_kernel_program", "ask_for_a_ring"}


async def test_without_the_wall_the_same_attacks_get_something(home: Path, port: int) -> None:
    """Else the test above would tell nothing. Left out: what a machine may deny by itself."""
    if os.geteuid() != 0:
        pytest.skip("some of them need the rights of root")
    got: dict[str, bytes] = {}
    async with taken_over(home, wall="off") as ours:
        for name in sorted(set(ATTACKS) - ALONE - NEEDS_MORE):
            (home / "home" / "key").write_bytes(SECRET)  # whatever the last one did with it
            got[name] = await tried(ours, name, port)
        assert ours.stats().restarts == 0
    assert not {name: what for name, what in got.items() if not what.startswith(b"got")}


def frame(header: bytes, *parts: bytes) -> bytes:
    sizes = struct.pack(f"!{len(parts)}Q", *map(len, parts))
    return struct.pack("!II", len(header), len(parts)) + sizes + header + b"".join(parts)


FRAMES = {
    "noise": b"\xff" * 64,
    "a pickle": frame(pickle.dumps(print)),
    "an endless header": struct.pack("!II", 1 << 31, 0),
    "endless parts": struct.pack("!IIQ", 2, 1, 1 << 62),
    "very many parts": struct.pack("!II", 2, 1 << 31),
    "depth": frame(b'["Ready",{"seconds":' + b"[" * 90_000),
    "another side's word": frame(b'["Stop",{}]'),
    "an attribute": frame(b'["Answered",{"item":1,"answer":["__class__",{}],"seconds":0}]'),
    "no number": frame(b'["Ready",{"seconds":Infinity}]'),
}


SHORT = ("a pickle", "endless parts", "noise")
NONSENSE = [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in FRAMES]


@pytest.mark.parametrize("name", NONSENSE)
async def test_whoever_says_nonsense_loses_the_worker_and_nobody_else_anything(name: str, home: Path) -> None:
    async with taken_over(home) as ours:
        with pytest.raises(WorkerDied):
            await ours.submit(FindFaces(b"say_nonsense " + FRAMES[name].hex().encode()), ANN)
        assert ours.stats().restarts == 2
        assert (await ours.submit(FindFaces(b"read_the_key"), BEN)).faces


LIES = {
    "an answer to nobody": b'["Answered",{"item":999999,"answer":["FoundFaces",{"faces":[]}],"seconds":1}]',
    "progress of nobody": b'["Stepped",{"item":999999,"progress":{"step":1,"steps":2},"seconds":1}]',
    "work on nobody": b'["Working",{"items":[999999]}]',
    "a logger's name": b'["Log",{"level":50,"name":"\\u001b[2J","text":"\\u001b[2J"}]',
}


@pytest.mark.parametrize("name", LIES)
async def test_lies_about_others_change_nothing(name: str, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with taken_over(home) as ours:
        said = await ours.submit(FindFaces(b"say_nonsense " + frame(LIES[name]).hex().encode()), ANN)
        assert said.faces[0].thumbnail == b"got 'said'"
        assert ours.stats().restarts == 0
    assert "\x1b" not in caplog.text


async def test_a_lie_about_an_items_own_kind_is_an_error_and_not_another_answer(home: Path) -> None:
    async with taken_over(home) as ours:
        item = ours.enqueue(FindFaces(b"read_the_key"), ANN)
        await item.result()
        lie = b'["Answered",{"item":%d,"answer":["Rendered",{"pictures":[]}],"seconds":1e9}]' % (item.id + 1)
        with pytest.raises(Exception, match="went wrong inside"):
            await ours.submit(FindFaces(b"say_nonsense " + frame(lie).hex().encode()), ANN)
        assert ours.stats().kinds["FindFaces"].work_seconds < 60


def test_the_filter_knows_both_architectures_and_ends_what_is_of_none() -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp._program(machine, 77)
        assert len(program) % 8 == 0
        assert len(program) // 8 < 4096  # the kernel's limit
        lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
        for at, (_, then, otherwise, _) in enumerate(lines[:-1]):
            assert at + 1 + max(then, otherwise) < len(lines)


PUBLIC = {"directions", "generators", "compiled.pub", "weights", "compiled", "cache"}  # the last three where they are one


def test_the_home_is_never_among_what_is_allowed(tmp_path: Path) -> None:
    """Wherever it lies: below the cache, above it, or as the same folder."""
    for home, cache in (("a", "b"), ("a/home", "a"), ("a", "a/cache"), ("a", "a")):
        settings = Settings.load({"EGAO_HOME": str(tmp_path / home), "EGAO_CACHE": str(tmp_path / cache)})
        for name in ("home", "cache", "a/other", "a/home", "a/cache", "a/weights"):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
        secret = (tmp_path / home).resolve()
        for path, rights in allowed(settings):
            assert not secret.is_relative_to(path), (home, cache, path)
            assert path.parent != secret or path.name in {
                "directions",
                "generators",
                "compiled.pub",
                "weights",
                "compiled",
                "cache",
            }
            assert not rights & landlock.WRITE_FILE or str(path).startswith("/dev/")
    assert sorted(one.name for one in _without(tmp_path / "a", tmp_path / "a" / "home")) == ["cache", "other", "weights"]


async def test_a_worker_without_its_wall_says_so(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with taken_over(home, wall="off") as ours:
        await asyncio.sleep(0)
        assert ours.stats().workers[0].state == "ready"
    assert "not walled in, by EGAO_WALL" in caplog.text
