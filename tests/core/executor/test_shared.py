"""A photo crosses to a worker once, is held no longer than it is worked with, and never keeps a request from its answer."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from core.executor import Executor, FindFaces, Project, Render
from core.executor.protocol import shared
from core.executor.protocol.link import BadFrame
from core.executor.protocol.messages import Forget
from core.executor.protocol.shared import Held, Sent
from tests.core.executor.kit import ANN, executor, listen, photos_in, pid_of, until

pytestmark = pytest.mark.usefixtures("both_links")

PHOTO = b"steps 0 " + bytes(100_000)  # what the workbench is to do stands in it


async def ask_for_all(ours: Executor, photo: bytes) -> list[Any]:
    """What one message with a photo asks of the workers, one after the other."""
    found = await ours.submit(FindFaces(photo), ANN)
    projected = await ours.submit(Project(photo, steps=2), ANN)
    rendered = await ours.submit(Render(projected.latent, (1.0,), photo=photo), ANN)
    return [found, projected, rendered]


async def test_a_photo_crosses_once_for_all_that_is_asked_about_it() -> None:
    async with executor() as ours:
        apart = await ask_for_all(ours, PHOTO)
        ours.forget(PHOTO)
        heard = listen(ours)
        together = await ask_for_all(ours, PHOTO)
        assert sorted(photos_in(heard)) == [0, 0, len(PHOTO)]
        assert together == apart, "and the answers are of that photo"


async def test_it_crosses_once_to_each_of_two_workers() -> None:
    async with executor(split=True) as ours:
        heard = listen(ours)
        await ask_for_all(ours, PHOTO)
        assert sorted(photos_in(heard)) == [0, len(PHOTO), len(PHOTO)], "the long work is another worker's"


async def test_what_was_let_go_of_is_sent_again() -> None:
    async with executor() as ours:
        await ours.submit(FindFaces(PHOTO), ANN)
        heard = listen(ours)
        ours.forget(PHOTO)
        ours.forget(PHOTO)  # nothing is held any more: nothing is said
        assert [type(message) for message in heard] == [Forget]
        await ours.submit(FindFaces(PHOTO), ANN)
        assert photos_in(heard) == [len(PHOTO)]


async def test_another_photo_of_the_same_bytes_is_another_photo() -> None:
    async with executor() as ours:
        heard = listen(ours)
        other = bytes(bytearray(PHOTO))
        await ours.submit(FindFaces(PHOTO), ANN)
        await ours.submit(FindFaces(other), ANN)
        ours.forget(other)
        await ours.submit(FindFaces(PHOTO), ANN)
        assert photos_in(heard) == [len(PHOTO), len(PHOTO), 0], "who lets go of theirs takes nobody else's"


async def test_a_new_worker_is_sent_the_photo_anew() -> None:
    async with executor() as ours:
        await ours.submit(FindFaces(PHOTO), ANN)
        old = pid_of(ours)
        os.kill(old, signal.SIGKILL)
        await until(lambda: ours.stats().workers[0].state == "ready" and ours.stats().workers[0].pid != old)
        heard = listen(ours)
        assert (await ours.submit(FindFaces(PHOTO), ANN)).faces
        assert photos_in(heard) == [len(PHOTO)]


async def test_requests_that_come_together_share_it_too() -> None:
    async with executor() as ours:
        heard = listen(ours)
        asked = [ours.submit(Render(b"%d" % n, (1.0,), photo=PHOTO), ANN) for n in range(3)]
        await asyncio.gather(*asked)
        assert sorted(photos_in(heard)) == [0, 0, len(PHOTO)]


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "LARGEST", 1000)
    monkeypatch.setattr(shared, "MOST", 3)
    sent, held = Sent(), Held()
    pieces = [bytes([n]) * 400 for n in range(5)]
    numbers = []
    for piece in pieces[:3]:
        request, number = sent.prepare(FindFaces(piece))
        numbers.append(number)
        assert held.complete(request, number) == FindFaces(piece)
        held.forget(sent.surplus())
    assert sum(map(len, held._pieces.values())) <= 1000
    assert set(held._pieces) == {*numbers[1:]}, "the longest unused goes first"
    assert sent.prepare(FindFaces(pieces[1])) == (FindFaces(b""), numbers[1])
    small = [bytes([n]) for n in range(9)]
    for piece in small:
        held.complete(*sent.prepare(FindFaces(piece)))
        held.forget(sent.surplus())
    assert len(held._pieces) == 3
    large = bytes(1001)
    assert sent.prepare(FindFaces(large)) == (FindFaces(large), 0), "what does not fit is sent each time"
    with pytest.raises(BadFrame):
        held.complete(FindFaces(b""), numbers[0])


def test_requests_without_a_photo_share_nothing() -> None:
    sent = Sent()
    request = Render(b"latent", (1.0,))
    assert sent.prepare(request) == (request, 0)
    assert Held().complete(request, 0) is request


async def test_who_never_lets_go_fills_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MOST", 2)
    async with executor() as ours:
        heard = listen(ours)
        kept = [PHOTO + b"%d" % n for n in range(4)]  # the same objects to the end of the test
        for photo in kept:
            await ours.submit(FindFaces(photo), ANN)
        assert [message.shared for message in heard if isinstance(message, Forget)] == [(1,), (2,)]
        await ours.submit(FindFaces(kept[0]), ANN)
        assert photos_in(heard)[-1] == len(kept[0]), "what went is sent again"
