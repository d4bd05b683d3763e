"""Measures how one hostile member slows others on other servers: their waits for a picture and for a photo, with and without.

The attacker keeps as many requests in progress as a server may have by default, each with a file that no cache knows: of
every kind of work the costliest (`Kind.worst`), on sheets of very many faces and the largest close-up that is accepted.
Requests go directly to the executor, so that neither cooldown nor quota nor the limit of seconds applies: only its scheduling
protects the others.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from PIL import Image

from core.errors import EgaoError, QueueFull
from core.executor import Executor, FindFaces, FoundFace, Project, Projected, Render
from core.executor.kinds import Material, Request, kinds
from core.expressions import NEUTRAL, Strength
from core.learned import Learned
from core.settings import Settings

AT_ONCE: Final = 8  # requests of one server, by default
CLOSE_UP: Final = 7000  # pixels a side: 49 million, just under the limit
SHEET: Final = 3000  # pixels a side
HEADS: Final = 20  # in a row of it: 400 in all
PAUSE: Final = 2.0  # seconds between two pictures of the member who draws, and between two photos, each of another member


class _Owner(NamedTuple):
    guild_id: int
    member_id: int


ATTACKER, DRAWING, BEFORE = _Owner(1, 666), _Owner(2, 1), _Owner(4, 3)  # BEFORE owns the kept face
SENDING: Final = 3  # the server that photos come from
_MEMBERS: Final = itertools.count(1000)  # who sends one, each time somebody who had nothing before


@dataclass
class Waits:
    """The seconds that the two others waited for each answer, and how often they were refused."""

    smile: list[float] = field(default_factory=list)
    photo: list[float] = field(default_factory=list)
    refused: int = 0


async def bench_hostile(
    settings: Settings, photo: Path, seconds: float, say: Callable[[str], None], workbench: str = "core.workbench:create"
) -> dict[str, Any]:
    """Measure the two others' waits for `seconds` without an attacker and as long with one, as data for JSON."""
    data = await asyncio.to_thread(photo.read_bytes)
    async with Executor(settings, workbench) as executor:
        say("a kept face")
        (face, *_) = (await executor.submit(FindFaces(data), BEFORE)).faces
        kept = await executor.submit(Project(data, face.index, learned=face.learned), BEFORE)
        await executor.submit(_smile(data, face, kept), BEFORE)
        say("quiet")
        quiet = await _others(executor, data, face, kept, seconds)
        say("a close-up that the attacker keeps")
        attack = await _Attack.of(executor, data, face, kept)
        say("hostile")
        attackers = [asyncio.create_task(attack.run(number)) for number in range(AT_ONCE)]
        try:
            hostile = await _others(executor, data, face, kept, seconds)
        finally:
            for task in attackers:
                task.cancel()
            await asyncio.gather(*attackers, return_exceptions=True)
    told = {"quiet": _told(quiet), "hostile": _told(hostile), "attack": dict(attack.asked)}
    ratios = {name: told["hostile"][name]["median"] / told["quiet"][name]["median"] for name in ("smile", "photo")}
    return {**told, "ratios": ratios, "seconds": seconds}


def _told(waits: Waits) -> dict[str, Any]:
    def spread(times: list[float]) -> dict[str, float]:
        return {"count": len(times), "median": statistics.median(times), "mean": statistics.fmean(times), "longest": max(times)}

    return {"smile": spread(waits.smile), "photo": spread(waits.photo), "refused": waits.refused}


async def _others(executor: Executor, data: bytes, face: FoundFace, kept: Projected, seconds: float) -> Waits:
    """Let one member draw a kept face and others send photos, with pauses, for `seconds`."""
    waits, end = Waits(), time.monotonic() + seconds

    async def go_on(times: list[float], work: Callable[[], Awaitable[object]]) -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                await work()
            except QueueFull:
                waits.refused += 1
            times.append(time.monotonic() - began)
            await asyncio.sleep(PAUSE)

    newcomers = zip(_MEMBERS, fresh(data), strict=True)

    async def send() -> None:
        member, photo = next(newcomers)
        await _send(executor, photo, _Owner(SENDING, member))

    await asyncio.gather(go_on(waits.smile, lambda: executor.submit(_smile(data, face, kept), DRAWING)), go_on(waits.photo, send))
    return waits


def _smile(data: bytes, face: FoundFace, kept: Projected) -> Render:
    """Make the request of `/smile` on a kept face."""
    return Render(kept.latent, (1.0,), size=2048, kind="jpeg", photo=data, face=face.index, learned=kept.learned)


async def _send(executor: Executor, data: bytes, owner: _Owner) -> None:
    """Submit the three requests of a new photo, one after the other."""
    (face, *_) = (await executor.submit(FindFaces(data), owner)).faces
    kept = await executor.submit(Project(data, face.index, learned=face.learned), owner)
    strengths: tuple[Strength, ...] = (0.0, NEUTRAL, 1.0)
    await executor.submit(
        Render(kept.latent, strengths, size=2048, kind="jpeg", photo=data, face=face.index, learned=kept.learned), owner
    )


class _Attack:
    """All kinds of requests that one member can send, repeated without end."""

    def __init__(self, executor: Executor, close_up: bytes, crowd: bytes, kept: Projected, learned: Learned) -> None:
        """Keep the pictures to send. `learned` is what was learned of the `kept` face in the close-up, as the bot keeps it."""
        self._executor, self._kept, self._learned = executor, kept, learned
        self._close_up, self._crowd = fresh(close_up), fresh(crowd)
        self.asked: dict[str, int] = {}  # counts of requests by kind, and of their failures

    @classmethod
    async def of(cls, executor: Executor, photo: bytes, face: FoundFace, kept: Projected) -> Self:
        """Prepare an attack with pictures made from a face of the photo."""
        head = _head(photo, face)
        close_up = _jpeg(head.resize((CLOSE_UP, CLOSE_UP), Image.Resampling.BICUBIC))
        (there, *_) = (await executor.submit(FindFaces(close_up), BEFORE)).faces
        request = Render(kept.latent, (1.0,), size=2048, kind="jpeg", photo=close_up, face=there.index, learned=there.learned)
        learned = (await executor.submit(request, BEFORE)).learned
        return cls(executor, close_up, _jpeg(_crowd(head)), kept, learned)

    async def run(self, number: int) -> None:
        """Send requests one after the other without end; this is one of AT_ONCE, the `number` th from 0."""
        for request in self._requests(number):
            name = type(request).__name__
            self._note(name)
            try:
                await self._executor.submit(request, ATTACKER)
            except QueueFull:
                self._note(f"{name} refused")
                await asyncio.sleep(0.1)
            except EgaoError as error:
                self._note(f"{name} {error.code}")

    def _note(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1

    def _requests(self, number: int) -> Iterator[Request]:
        """Yield the costliest requests of every kind of work, over and over, each with files that were never sent.

        Each `number` begins elsewhere, so that together they soon ask for all of them.
        """
        every = list(kinds())
        first = number * len(every) // AT_ONCE
        for kind in itertools.cycle([*every[first:], *every[:first]]):
            material = Material(self._kept.latent, self._learned, next(self._close_up), crowd=next(self._crowd))
            yield from kind.worst(material)


def _head(photo: bytes, face: FoundFace) -> Image.Image:
    """Cut a square with the face and some surroundings out of the photo."""
    x0, y0, x1, y1 = face.box
    side, x, y = 0.75 * max(x1 - x0, y1 - y0), (x0 + x1) / 2, (y0 + y1) / 2
    with Image.open(io.BytesIO(photo)) as image:
        return image.convert("RGB").crop((round(x - side), round(y - side), round(x + side), round(y + side)))


def _crowd(head: Image.Image) -> Image.Image:
    sheet, cell = Image.new("RGB", (SHEET, SHEET), "grey"), SHEET // HEADS
    small = head.resize((cell, cell), Image.Resampling.LANCZOS)
    for x, y in itertools.product(range(0, SHEET, cell), repeat=2):
        sheet.paste(small, (x, y))
    return sheet


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()


def fresh(data: bytes) -> Iterator[bytes]:
    """Yield the same picture as ever new files: bytes after its end change the digest, but not the picture."""
    return (data + b"%d" % number for number in itertools.count())
