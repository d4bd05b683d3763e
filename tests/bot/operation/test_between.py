"""What happens between a question and its answer, or between being let in and having a row, is not overlooked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.requests import recovery
from bot.requests.ask import Ask
from bot.requests.run import Erased, Follow, Run
from bot.text.speaker import Speaker
from bot.transport.answer import Answer
from core.errors import QueueFull
from core.executor import Progress
from core.store import GuildSettings, Owner
from tests.bot.kit import HeldExecutor, World, agree, labels, last_in, pictures, response_of, running, text
from tests.bot.workbench import mark_in, photo


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        yield made


async def test_a_photo_deleted_before_its_author_agrees_is_not_edited(world: World) -> None:
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    question = last_in(world.channel)
    await world.ann.delete(sent)
    answer = await agree(world.ann, question)
    assert "can't be read any more" in text(answer.response)
    assert not world.photos.fetched, "though its link still worked"
    assert not world.faces(world.ann)


@pytest.mark.parametrize("how", ["forget", "ban", "channel"])
async def test_what_waits_for_a_consent_ends_with_an_erasure(world: World, how: str) -> None:
    await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()))
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert len(world.bot.consent.waiting(world.ann.id)) == 2
    if how == "forget":
        await world.bot.erasure.member(world.ann.id)
    elif how == "ban":
        await world.bot.erasure.member_here(world.owner(world.ann))
    else:
        await world.bot.erasure.channels(world.channel.id)
    left = world.bot.consent.waiting(world.ann.id)
    assert len(left) == (1 if how == "channel" else 0), "a command's photo has no message in a channel"


async def test_agreeing_in_one_server_does_not_start_what_was_asked_in_another(world: World) -> None:
    other = world.env.create_guild("Strict")
    room = other.create_text_channel("room")
    ann = other.add_member(world.ann.user)
    world.store.guilds.set(other.id, whose_photos="own", cooldown_seconds=0)
    first = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo(mark="HERE")))
    await ann.slash(room, "smile", strength=1.0, photo=("me.png", photo(mark="THERE")))
    done = await agree(world.ann, response_of(first))
    assert mark_in(pictures(world, done.response)["edited.jpg"]).startswith("HERE")
    assert not world.store.faces.of(Owner(other.id, world.ann.id))


@pytest.mark.parametrize("how", ["forget", "ban", "deleted"])
async def test_what_is_erased_between_being_let_in_and_the_row_is_not_done(world: World, how: str) -> None:
    world.consent(world.ann)
    let_in = world.bot.service.admit

    async def admit(caller: Any, ask: Ask) -> GuildSettings:
        settings = await let_in(caller, ask)
        if how == "forget":
            await world.bot.erasure.member(world.ann.id)
        elif how == "ban":
            await world.bot.erasure.member_here(world.owner(world.ann))
        else:
            await world.bot.erasure.messages(caller.message.id)
        world.bot.service.admit = let_in  # type: ignore[method-assign]
        return settings

    world.bot.service.admit = admit  # type: ignore[method-assign]
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert not world.faces(world.ann)
    assert not world.photos.fetched
    if how == "forget":
        assert "I agree" in labels(world.channel.last_message), "asked anew"


class Asking:
    """A member who asks, and whose first reply is on its way until `arrive` is set."""

    def __init__(self, world: World, person: Any, arrive: asyncio.Event) -> None:
        self.world, self.person, self.arrive = world, person, arrive
        self.owner, self.once = world.owner(person), f"t{person.id}"
        self.channel_id, self.message_id, self.token, self.private, self.limit = world.channel.id, None, None, False, 10**7
        self.say, self.away = Speaker("en"), False

    async def reply(self, page: Any, nonce: str) -> Answer:
        await self.arrive.wait()
        return Answer(self.world.bot, self.say, self.person.id, self.channel_id, nonce=nonce)


async def test_requests_that_come_together_do_not_share_one_place(world: World) -> None:
    await world.kept_face(world.ann)
    (face,) = world.faces(world.ann)
    world.set(queue_share=1)
    people = [world.guild.add_member(world.env.create_user(f"m{n}")) for n in range(4)]
    world.consent(*people)
    arrive, ask = asyncio.Event(), Ask("edit", "en", 10**7, face_id=face.id, strength=1.0)
    callers: list[Any] = [Asking(world, person, arrive) for person in people]
    asked = [asyncio.create_task(world.bot.service.accept(caller, ask)) for caller in callers]
    refused, still = await asyncio.wait(asked, return_when=asyncio.FIRST_EXCEPTION)
    while len(refused) < 3:
        more, still = await asyncio.wait(still, return_when=asyncio.FIRST_COMPLETED)
        refused |= more
    assert all(isinstance(one.exception(), QueueFull) for one in refused)
    assert len(still) == 1, "one was let in, and its reply is still on its way"
    arrive.set()
    await asyncio.gather(*still)
    await asyncio.gather(*[run.task for run in list(world.bot.service.runs.values()) if run.task is not None])


class Gone:
    """A store whose rows are gone."""

    class jobs:
        @staticmethod
        def checkpoint(job_id: int, blob: bytes) -> bool:
            return False

    async def run(self, function: Any, *of: Any) -> Any:
        return function(*of)


async def test_progress_of_an_erased_request_ends_the_block_that_follows_it() -> None:
    run: Any = Run.__new__(Run)
    run.job_id, run.follower, run.resume, run.saved = 1, None, None, float("-inf")
    store: Any = Gone()

    async def work() -> None:
        async with Follow(run, store) as follow:
            follow(Progress(1, 2, 1.0, checkpoint=b"x"))
            await asyncio.Event().wait()

    with pytest.raises(Erased):
        await work()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling(), "the task itself goes on"


async def test_a_cancellation_from_outside_stays_one() -> None:
    run: Any = Run.__new__(Run)
    run.job_id, run.follower, run.resume, run.saved = 1, None, None, float("-inf")
    entered = asyncio.Event()

    async def work() -> None:
        store: Any = Gone()
        async with Follow(run, store):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_request_that_is_taken_up_twice_at_once_is_worked_on_once(world: World) -> None:
    world.consent(world.ann)
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    executor.gate = None
    service = world.bot.service
    (job,) = service.runs
    await service.close()  # puts it back, as a stop does
    assert not service.held()
    later = world.store.now() + 1
    await asyncio.gather(*(recovery.take_up(world.bot, world.store, service, before=later) for _ in range(3)))
    task = service.runs[job].task
    assert task is not None
    await asyncio.wait([task])
    assert not service.runs
    assert executor.stats().kinds["Project"].done == 1
    assert len(world.faces(world.ann)) == 1
    assert "AI-edited" in text(world.channel.last_message)
