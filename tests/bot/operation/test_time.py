"""Deadlines and restarts: three seconds, fifteen minutes, a stop in the middle of a job, the same event twice."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.requests import recovery
from bot.requests.ask import Ask
from bot.requests.run import Run
from bot.requests.service import ANSWERING
from bot.transport import retry
from bot.transport.answer import Answer
from bot.transport.photo_source import PhotoRef
from bot.ui.pages import Page
from core.errors import StillBusy, StoreBusy
from tests.bot.kit import HeldExecutor, World, labels, last_in, pictures, running, text
from tests.bot.workbench import photo, strength_in

QUARTER = 15 * 60.0


def hold(world: World) -> asyncio.Event:
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    return executor.gate


async def test_every_command_is_answered_at_once_though_its_work_takes_long(world: World) -> None:
    hold(world)
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()))
    assert answer.acknowledged
    assert labels(answer.response) == ["Cancel"], "something is seen while the work has not even begun"


async def test_after_fifteen_minutes_the_answer_still_arrives_in_the_same_message(world: World) -> None:
    gate = hold(world)
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    await world.env.advance_time(QUARTER + 1)
    gate.set()
    await world.env.settle()
    assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(2.0, abs=0.06)
    assert len(world.channel.history()) == 1


async def test_a_token_that_dies_early_is_got_round(world: World) -> None:
    gate = hold(world)
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    world.env.inject_error("PATCH", "/webhooks/*", status=401, code=50027, message="Invalid Webhook Token", times=None)
    gate.set()
    await world.env.settle()
    assert "AI-edited" in text(answer.response)


async def test_a_private_answer_that_came_too_late_goes_to_direct_messages(world: World) -> None:
    gate = hold(world)
    await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()), show="private")
    await world.env.advance_time(QUARTER + 1)
    gate.set()
    await world.env.settle()
    assert strength_in(pictures(world, world.ann.user.dm_channel.last_message)["edited.jpg"]) == pytest.approx(2.0, abs=0.06)
    assert not [one for one in world.channel.history() if "AI-edited" in text(one)]


async def test_with_direct_messages_closed_the_channel_says_how_to_see_it(world: World) -> None:
    gate = hold(world)
    await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()), show="private")
    await world.env.advance_time(QUARTER + 1)
    dm = world.ann.user.dm_channel.id
    world.env.inject_error("POST", f"/channels/{dm}/messages", status=403, code=50007, times=None)
    gate.set()
    await world.env.settle()
    assert "Run `/smile` to see it" in text(world.channel.last_message)
    assert not last_in(world.channel).attachments


async def test_a_stop_in_the_middle_is_made_good_at_the_next_start(world: World) -> None:
    hold(world)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    command = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("b.png", photo(n=1)))
    world.parts.executor.gate = None  # type: ignore[attr-defined]
    await world.restart()
    await world.env.settle()
    assert "AI-edited" in text(world.channel.history()[1])
    assert "AI-edited" in text(command.response)
    assert len(world.channel.history()) == 3
    assert not world.store.jobs.of(world.owner(world.ann))


async def test_a_projection_goes_on_from_where_it_was(world: World) -> None:
    await world.kept_face(world.ann)
    ask = Ask("photo", "en", 10**7, photo=await _posted(world), strength=1.0)
    job = world.store.jobs.create(world.owner(world.ann), "photo", ask.dump(), channel_id=world.channel.id)
    assert job is not None
    assert world.store.jobs.claim(job.id) is not None
    world.store.jobs.checkpoint(job.id, b"3")
    world.store.jobs.requeue(job.id)
    await world.restart()
    await world.env.settle()
    newest = world.faces(world.ann)[0]
    assert b'"from": 3' in world.store.faces.latent(world.owner(world.ann), newest.id)
    assert "AI-edited" in text(world.channel.last_message), "with no message noted, the answer is posted"


async def test_a_stop_while_the_answer_is_being_confirmed_does_not_take_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord shows the answer and is slow to say so; the bot is stopped. The next start may not show "working" over it."""
    shown, show = asyncio.Event(), Answer.show

    async def unconfirmed(answer: Answer, page: Page, *, final: bool = True) -> None:
        await show(answer, page, final=final)
        if final:
            shown.set()
            await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Answer, "show", unconfirmed)
        sending = asyncio.create_task(world.ann.send(world.channel, attachments=[("me.png", photo(steps=3))]))
        await shown.wait()
        (run,) = world.bot.service.runs.values()
        await world.bot.service.close()
        await sending
    job = world.store.jobs.get(run.job_id)
    assert job is not None
    assert job.state == "queued"
    assert job.checkpoint == ANSWERING
    assert "AI-edited" in text(world.channel.last_message)


async def test_a_link_that_ran_out_is_renewed_from_the_message(world: World) -> None:
    ask = Ask("photo", "en", 10**7, photo=await _posted(world), strength=1.0)
    assert ask.photo is not None
    world.photos.dead.add("https://old")
    old = PhotoRef("https://old", 1, ask.photo.attachment_id, ask.photo.channel_id, ask.photo.message_id)
    world.store.jobs.create(
        world.owner(world.ann), "photo", Ask("photo", "en", 10**7, photo=old).dump(), channel_id=world.channel.id
    )
    await world.restart()
    await world.env.settle()
    assert "AI-edited" in text(world.channel.last_message)


async def test_what_failed_before_anyone_was_told_is_told_at_the_next_start(world: World) -> None:
    jobs, owner = world.store.jobs, world.owner(world.ann)
    spent = jobs.create(owner, "photo", Ask("photo", "en", 1).dump(), channel_id=world.channel.id, max_attempts=1)
    faceless = jobs.create(owner, "photo", Ask("photo", "ja", 1).dump(), channel_id=world.channel.id)
    assert spent is not None
    assert faceless is not None
    jobs.finish(spent.id, "failed", error="WorkerDied")
    jobs.finish(faceless.id, "failed", error="NoFace")
    await world.restart()
    assert "stopped in the middle" in text(world.channel.history()[0])
    assert "顔が見つかりませんでした" in text(world.channel.history()[1])
    await world.restart()
    assert len(world.channel.history()) == 2, "once told, never told again"


async def test_what_cannot_be_read_any_more_is_given_back(world: World) -> None:
    owner, settings = world.owner(world.ann), world.store.guilds.get(world.guild.id)
    before = world.store.limits.left(owner, settings).quota
    world.store.jobs.create(owner, "photo", b"of an older version", limits=settings, channel_id=world.channel.id)
    assert world.store.limits.left(owner, settings).quota == before - 1
    await world.restart()
    assert not world.store.jobs.of(owner)
    assert world.store.limits.left(owner, settings).quota == before


async def test_the_same_event_twice_is_one_request(world: World) -> None:
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    message = await world.bot.get_partial_messageable(world.channel.id).fetch_message(sent.id)
    world.bot.dispatch("message", message)
    await world.env.settle()
    assert len(world.channel.history()) == 2


async def test_an_answer_waits_until_discord_takes_it(world: World) -> None:
    gate = hold(world)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    world.env.inject_error("PATCH", f"/channels/{world.channel.id}/messages/*", status=503, times=2)
    gate.set()
    await world.env.settle()
    assert "AI-edited" in text(world.channel.last_message)
    assert not world.store.jobs.of(world.owner(world.ann))


async def test_an_answer_whose_end_cannot_be_noted_stands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, failed = world.store.jobs.finish, iter([True])

    def busy(*about: Any, **more: Any) -> bool:
        if more.get("told") and next(failed, False):
            raise StoreBusy(path="here")
        return finish(*about, **more)

    monkeypatch.setattr(world.store.jobs, "finish", busy)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "AI-edited" in text(world.channel.last_message)
    assert world.store.jobs.of(world.owner(world.ann)), "it is not known yet that it was answered"
    await recovery.take_up(world.bot, world.store, world.bot.service, before=math.inf)
    await asyncio.gather(*[run.task for run in world.bot.service.runs.values() if run.task is not None])
    assert "AI-edited" in text(world.channel.last_message)
    assert len(world.channel.history()) == 2
    assert not world.store.jobs.of(world.owner(world.ann))


async def test_a_request_that_is_cancelled_as_its_answer_arrives_is_not_told_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, owner = world.store.jobs.finish, world.owner(world.ann)

    def late(job: int, *about: Any, **more: Any) -> bool:
        world.store.jobs.cancel(owner, job)
        return finish(job, *about, **more)

    monkeypatch.setattr(world.store.jobs, "finish", late)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "AI-edited" in text(world.channel.last_message)
    assert not world.store.jobs.recover().untold


async def test_an_answer_that_is_given_again_does_not_take_back_a_later_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first press was answered but could not be noted, so it will be answered again: until then no other is taken."""
    result = await world.kept_face(world.ann)
    finish, failed = world.store.jobs.finish, iter([True])

    def busy(*about: Any, **more: Any) -> bool:
        if more.get("told") and next(failed, False):
            raise StoreBusy(path="here")
        return finish(*about, **more)

    monkeypatch.setattr(world.store.jobs, "finish", busy)
    await world.ann.click(result, label="+ More")
    assert "1.25" in text(world.channel.last_message)
    refused = await world.ann.click(last_in(world.channel), label="− Less")
    assert "still being drawn" in text(refused.response)
    await recovery.take_up(world.bot, world.store, world.bot.service, before=math.inf)
    await asyncio.gather(*[run.task for run in world.bot.service.runs.values() if run.task is not None])
    assert "1.25" in text(world.channel.last_message)
    await world.ann.click(last_in(world.channel), label="− Less")
    assert "+1.0" in text(world.channel.last_message)


async def test_an_answer_that_may_stand_already_is_not_put_over_a_later_one(world: World) -> None:
    """It was posted and Discord's word of that was lost: which message it is isn't known, so it may be the one pressed."""
    results = [await world.kept_face(member) for member in (world.ann, world.ben)]
    service = world.bot.service
    ask = Ask("photo", "en", 1 << 20)
    lost = Answer(world.bot, ask.say, world.ann.user.id, world.channel.id, unsure=True)
    service.runs[0] = Run(0, world.owner(world.ann), ask, lost, world.store.guilds.get(world.guild.id))
    refused = await world.ann.click(results[0], label="+ More")
    assert "still being drawn" in text(refused.response)
    others = await world.ben.click(results[1], label="+ More")
    assert "1.25" in text(others.response), "nobody else waits for it"
    lost.message_id = 1
    pressed = await world.ann.click(results[0], label="+ More")
    assert "1.25" in text(pressed.response)
    del service.runs[0]


async def test_of_two_presses_at_once_one_is_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes while the first is being noted: neither may overwrite what the other shows."""
    result = await world.kept_face(world.ann)
    service, loop = world.bot.service, asyncio.get_running_loop()
    accept, create, asked, told = service.accept, world.store.jobs.create, [], []

    async def heard(caller: Any, ask: Ask, **more: Any) -> None:
        asked.append((caller, ask))
        await accept(caller, ask, **more)

    def slow(*about: Any, **more: Any) -> Any:
        caller, ask = asked[0]
        second = accept(replace(caller, event="another press"), replace(ask, strength=0.75))
        told.append(asyncio.run_coroutine_threadsafe(second, loop).exception(20))
        return create(*about, **more)

    monkeypatch.setattr(service, "accept", heard)
    monkeypatch.setattr(world.store.jobs, "create", slow)
    await world.ann.click(result, label="+ More")
    assert [type(one) for one in told] == [StillBusy]
    assert "1.25" in text(world.channel.last_message)


async def test_whoever_sees_an_answer_may_ask_again_at_once(world: World) -> None:
    """The answer is in the channel before it is noted that it is: who is quick is not told that it is still being drawn."""
    result = await world.kept_face(world.ann)
    service, owner = world.bot.service, world.owner(world.ann)
    (face,) = world.store.faces.of(owner)
    ask = Ask("edit", "en", 1 << 20, face_id=face.id)
    elsewhere = Answer(world.bot, ask.say, world.ann.user.id, world.channel.id, message_id=1)
    shown = service.runs[0] = Run(0, owner, ask, elsewhere, world.store.guilds.get(world.guild.id), spent=True)

    async def note() -> None:
        await asyncio.sleep(0.2)
        del service.runs[0]

    shown.task = asyncio.create_task(note())
    pressed = await world.ann.click(result, label="+ More")
    assert "1.25" in text(pressed.response)


async def test_a_choice_that_is_cancelled_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if somebody looks, while it is being told, for what has ended and was not told."""
    monkeypatch.setattr(retry, "RETRIES", (0.5,) * len(retry.RETRIES))
    world.consent(world.ann)
    world.open()
    await world.ann.send(world.channel, attachments=[("two.png", photo(2))])
    question = last_in(world.channel)
    world.env.inject_error("PATCH", f"/channels/{world.channel.id}/messages/*", status=503, times=1)
    pressed = asyncio.create_task(world.ann.click(question, label="Cancel"))
    service = world.bot.service
    while service.choosing:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    assert service.held(), "it is being told"
    await asyncio.gather(*service.ends.telling.values(), pressed)
    assert "Cancelled" in text(world.channel.last_message)


async def test_the_simulated_clock_is_no_clock_for_real_workers(tmp_path: Path) -> None:
    async with running(tmp_path, process=True) as world:
        world.open()
        world.consent(world.ann)
        pid = world.parts.executor.stats().workers[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # a busy machine: the worker is slow to say that it has begun
        threading.Timer(0.5, os.kill, (pid, signal.SIGCONT)).start()
        await world.ann.send(world.channel, attachments=[("me.png", photo())])
        assert "AI-edited" in text(world.channel.last_message)
        assert world.parts.executor.stats().restarts == 0


async def test_a_reply_that_discord_fails_to_take_does_not_lose_the_request(world: World) -> None:
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=500, times=1)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "AI-edited" in text(world.channel.last_message)
    assert len(world.channel.history()) == 2


async def test_a_deleted_reply_ends_the_work_quietly(world: World) -> None:
    gate = hold(world)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    moderators = world.guild.create_role("Moderators", permissions=discord.Permissions(manage_messages=True))
    await world.guild.add_member(world.env.create_user("mod"), roles=[moderators]).delete(last_in(world.channel))
    gate.set()
    await world.env.settle()
    assert len(world.channel.history()) == 1
    assert not world.store.jobs.of(world.owner(world.ann))


async def test_while_stopping_nothing_new_is_promised(world: World) -> None:
    world.bot.service._closing = True
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    assert "restarting" in text(answer.response)
    world.bot.service._closing = False


async def test_a_stop_while_members_are_asked_for_ends_the_asking(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def slow(*about: int) -> None:
        asked.set()
        await closed.wait()
        raise RuntimeError("Session is closed")  # as the library's own says then

    await world.kept_face(world.ann)
    await world.restart()
    monkeypatch.setattr("discord.http.HTTPClient.get_member", lambda _, *about: slow(*about))
    world.bot.dispatch("ready")  # the connection was lost for a while
    await asked.wait()
    await world.bot.close()
    closed.set()
    for _ in range(20):  # turns of the loop, in which it would be logged
        await asyncio.sleep(0)
    assert not world.complaints()


async def _posted(world: World) -> PhotoRef:
    """A photo in a channel where the bot did not look at it."""
    sent: Any = await world.ann.send(world.other_channel, attachments=[("me.png", photo(steps=6, n=9))])
    return PhotoRef(sent.attachments[0].url, 1, sent.attachments[0].id, world.other_channel.id, sent.id)
