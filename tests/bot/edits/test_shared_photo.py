"""A photo crosses to a worker once for a whole request, and no worker holds it when the request has ended, however it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.executor.protocol.messages import Forget, Run, Start, ToWorker
from tests.bot.kit import World, last_in, text
from tests.bot.workbench import photo
from tests.core.executor.kit import listen, requests_in, until

Heard = list[ToWorker]


@pytest.fixture
def heard(world: World) -> Heard:
    """What is sent to the worker from now on."""
    return listen(world.parts.executor)


def crossings(heard: Heard, data: bytes) -> int:
    """How often the photo was sent, in whichever request."""
    return sum(request.photo == data for request, _ in requests_in(heard))


def assert_nothing_is_held(world: World, heard: Heard) -> None:
    """Every number that was given to a photo has been taken back, and the bot's side keeps no photo either."""
    dropped = {number for message in heard if isinstance(message, Forget) for number in message.shared}
    assert dropped, "a photo was shared"
    assert dropped == {number for _, number in requests_in(heard)} - {0}
    assert not any(worker._sent._pieces for worker in world.parts.executor._workers)


async def test_a_new_photo_crosses_once(world: World, heard: Heard) -> None:
    data = photo()
    await world.ann.send(world.channel, attachments=[("me.png", data)])
    assert "AI-edited" in text(last_in(world.channel))
    assert [type(message) for message in heard] == [Start, Start, Run, Forget], "faces, projection, pictures"
    assert crossings(heard, data) == 1
    assert_nothing_is_held(world, heard)


async def test_a_choice_that_stays_open_holds_nothing(world: World, heard: Heard) -> None:
    data = photo(faces=2)
    await world.ann.send(world.channel, attachments=[("us.png", data)])
    assert_nothing_is_held(world, heard)
    await world.ann.select(last_in(world.channel), ["1"])
    assert crossings(heard, data) == 2, "once for the question, once for all that came after the answer"
    assert_nothing_is_held(world, heard)


async def test_a_failure_lets_go_of_it(world: World, heard: Heard) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo(fail="NoFace", at="project"))])
    assert "AI-edited" not in text(last_in(world.channel))
    assert_nothing_is_held(world, heard)


async def test_an_erasure_in_the_middle_of_the_work_lets_go_of_it(world: World, heard: Heard, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    sending = asyncio.create_task(world.ann.send(world.channel, attachments=[("me.png", photo(until=str(go_on)))]))
    await until(lambda: any(isinstance(message, Start) for message in heard))
    assert (await world.bot.erasure.member(world.ann.id)).jobs == 1
    await until(lambda: not world.bot.service.runs)
    assert not go_on.exists(), "the projection was still going on"
    assert_nothing_is_held(world, heard)
    await sending
