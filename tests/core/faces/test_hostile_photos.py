"""Thousands of files from strangers through the worker's own door: no crash, no hang, no flood, nothing but photos let in."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from core.errors import PhotoError
from core.executor import Executor, FindFaces, Patience
from core.settings import Settings
from tests.core.executor.kit import ANN, pid_of
from tests.core.faces.hostile import BIG, bombs, files, saved, sound
from tests.core.faces.hostile_boxes import box_bombs

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

HANG = 3.0  # times the processor's time that an honest photo takes which is as large as any may be: seconds differ by machine
FLOOD = 500 * 2**20  # bytes that the worker may grow by
LEAST = 2000
WATCH = 0.01  # seconds between two looks at what the worker holds
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"\0\0\0")  # the last: a box of AVIF and HEIC
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Door:
    """A worker with the real face finder, and what it did with the files."""

    executor: Executor
    base: int  # bytes of its own that it held before the first file
    honest: float  # seconds of the processor's time for a photo as large as any may be
    answers: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    mapped: int = 0  # bytes of files that it was seen to map at once, at most

    async def pass_in(self, named: Iterable[tuple[str, bytes]]) -> None:
        """Every file gets a face or a sentence, in time; nothing that is no photo is taken for one."""
        pid = pid_of(self.executor)
        for name, data in named:
            before = spent(pid)
            try:
                with most_of(pid) as most:
                    await self.executor.submit(FindFaces(data), ANN)
            except PhotoError as error:
                answer = error.code
            else:
                answer = "face"
            assert pid_of(self.executor) == pid, f"{name} brought the worker down"
            taken = answer in ("face", "NoFace", "FaceTooSmall", "FaceTurnedAway")
            assert not taken or data.startswith(MAGIC), f"{name} was taken for a photo"
            seconds = spent(pid) - before
            assert seconds < HANG * self.honest, f"{name} took {seconds:.1f} s, an honest photo {self.honest:.1f} s"
            self.slowest = max(self.slowest, (seconds, name))
            self.answers[answer] += 1
            # The system counts the most of all pages, files' too, and lets go of these as it likes: what it had let go by the
            # end would count as grown (509 MiB were once read where 482 were taken).
            self.mapped = max(self.mapped, most["RssFile"], status(pid, "RssFile"))
            grown = max(most["RssAnon"], status(pid, "VmHWM") - self.mapped) - self.base
            assert grown < FLOOD, f"{name}: the worker grew by {grown / 2**20:.0f} MiB"


def status(pid: int, key: str) -> int:
    """Bytes, of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


@contextlib.contextmanager
def most_of(pid: int) -> Iterator[dict[str, int]]:
    """The most bytes of its own and of files that a process was seen to hold in the block."""
    most, over = {"RssAnon": 0, "RssFile": 0}, threading.Event()

    def watch() -> None:
        while not over.wait(WATCH):
            most.update({key: max(known, status(pid, key)) for key, known in most.items()})

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def spent(pid: int) -> float:
    """Seconds of the processor's time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@pytest.fixture(scope="module")
def face(astronaut_path: Path) -> Image.Image:
    """The sample photo, small."""
    with Image.open(astronaut_path) as image:
        return image.convert("RGB").crop((128, 20, 320, 212)).resize((128, 128))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(settings: Settings, face: Image.Image, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    """In `make test` an honest photo has a quarter of the pixels that it may have: the bound is the narrower."""
    full = any("long" in item.keywords for item in request.session.items if item.path == request.path)
    honest = BIG if full else (BIG[0] // 2, BIG[1] // 2)
    one = settings.model_copy(update={"threads": 1})
    patience = Patience(silence=300.0)
    async with Executor(one, "tests.bot.hostile_workbench:create", devices=["cpu"], split=False, patience=patience) as executor:
        for data in sound(face).values():  # the first of each kind loads its decoder
            with contextlib.suppress(PhotoError):
                await executor.submit(FindFaces(data), ANN)
        # Its own alone: of the files that it maps, a machine that is short of memory lets go and brings back what it likes.
        pid = pid_of(executor)
        base, before = status(pid, "RssAnon") + status(pid, "VmSwap"), spent(pid)
        with contextlib.suppress(PhotoError):
            await executor.submit(FindFaces(saved(face.resize(honest), "JPEG")), ANN)
        yield Door(executor, base, spent(pid) - before)
        assert executor.stats().restarts == 0


@pytest.mark.parametrize("every", [200, pytest.param(1, marks=pytest.mark.long)])
async def test_mutated_and_disguised_files(door: Door, face: Image.Image, every: int) -> None:
    door.answers.clear()
    await door.pass_in(itertools.islice(files(face), 0, None, every))
    assert door.answers.total() >= LEAST // every
    assert door.answers["face"] >= 200 // every, "many still show the face"
    assert door.answers["UnreadablePhoto"] >= 1000 // every, door.answers
    assert "EgaoError" not in door.answers


# A few that are quickly refused, for their size, their texts or their boxes; those that are decoded take seconds each.
FEW = ("jpeg of comments", "png of no data", "avif that says 2147483647x2147483647", "heic, boxes in boxes")


@pytest.mark.parametrize("only", [FEW, pytest.param((), marks=pytest.mark.long)], ids=["few", "all"])
async def test_bombs(door: Door, face: Image.Image, only: tuple[str, ...]) -> None:
    chosen = [(name, make) for name, make in [*bombs(face), *box_bombs(face)] if not only or name in only]
    assert len(chosen) == len(only) or not only
    for name, make in chosen:
        await door.pass_in([(name, await asyncio.to_thread(make))])
    await door.pass_in(sound(face).items())  # and it still works
