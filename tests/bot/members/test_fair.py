"""What a member's own doing caused is not given back to them, and nobody can make the bot talk or remember without end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.requests import recovery
from bot.requests.quarantine import REFUSED_SECONDS, Quarantine
from bot.requests.rate_limit import BoundedSet, RateLimit
from bot.requests.run import Run
from bot.transport import retry
from core.errors import JobTimedOut, PhotoStoppedWorker, WorkerDied
from core.executor import Spending
from core.executor.precedence import LATELY
from core.store import Owner
from tests.bot.kit import World, last_in, parts_of, pictures, running, text
from tests.bot.workbench import photo
from tests.core.executor.kit import until


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        made.consent(made.ann, made.ben)
        yield made


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[World]:
    """The world with a worker that can die."""
    async with running(tmp_path, process=True) as made:
        made.open()
        made.consent(made.ann, made.ben)
        yield made


def quota(world: World, person: Any) -> int:
    return world.store.limits.left(world.owner(person), world.store.guilds.get(world.guild.id)).quota


async def test_an_answer_that_discord_refuses_for_good_gives_no_use_back(world: World) -> None:
    """As in a thread that the member closed after posting there."""
    world.set(daily_quota=1)
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=400, code=50083, message="Thread is archived", times=None)
    for n in range(3):
        await world.ann.send(world.channel, attachments=[("me.png", photo(n=n))])
    assert quota(world, world.ann) == 0
    assert world.parts.executor.stats().kinds["Project"].done == 1
    world.env.backend.faults.clear()
    world.complaints()


async def test_a_photo_that_took_a_worker_down_costs_its_use_and_is_left_alone_for_a_while(mortal: World) -> None:
    world = mortal
    world.set(daily_quota=10)
    deadly = photo(fail="crash", at="project")
    await world.ann.send(world.channel, attachments=[("me.png", deadly)])
    assert "stopped in the middle" in text(world.channel.last_message)
    assert quota(world, world.ann) == 9
    restarts = sum(worker.restarts for worker in world.parts.executor.stats().workers)
    await world.ben.send(world.channel, attachments=[("me.png", deadly)])
    assert "this very photo stopped the image worker" in text(world.channel.last_message)
    assert sum(worker.restarts for worker in world.parts.executor.stats().workers) == restarts
    await world.ben.send(world.channel, attachments=[("me.png", photo(n=2))])
    assert "AI-edited" in text(world.channel.last_message)


def test_a_photo_is_refused_for_an_hour_if_the_worker_died_of_it_alone() -> None:
    now = 0.0
    hard = Quarantine(lambda: now)
    assert not hard.note("aa", WorkerDied()), "some other work took it down"
    hard.check("aa")
    assert hard.note("aa", WorkerDied(own=True))
    assert hard.note("bb", JobTimedOut(seconds=120))
    for name in ("aa", "bb"):
        with pytest.raises(PhotoStoppedWorker, match="for 60 minutes"):
            hard.check(name)
    now = REFUSED_SECONDS
    hard.check("aa")


async def test_reports_are_not_posted_in_another_server(world: World) -> None:
    there = world.env.create_guild("Elsewhere").create_text_channel("staff")
    world.set(report_channel=there.id)
    message = await world.kept_face(world.ann)
    form = await world.ben.click(message, label="Report")
    answer = await world.ben.submit_modal(form, {"why": "else", "reason": "hello from another server"})
    assert there.last_message is None
    assert "/egao status" in text(answer.response) or "admins" in text(answer.response)
    assert len(world.store.reports.of(world.guild.id)) == 1, "kept all the same"


async def test_a_blocked_member_is_told_so_a_few_times(world: World) -> None:
    world.store.members.block(world.guild.id, world.ann.id)
    assert world.bot.user is not None
    before = len(world.channel.history())
    for n in range(5):
        await world.ann.send(world.channel, world.bot.user.mention)
        await world.ann.send(world.channel, attachments=[("a.png", photo(n=n))])
    assert len(world.channel.history()) - before - 10 == 3
    await world.ben.send(world.channel, world.bot.user.mention)
    assert "photo" in text(world.channel.last_message), "others are told still"


async def test_threads_are_not_remembered_one_by_one(world: World) -> None:
    channel: Any = world.bot.get_channel(world.channel.id)
    cog: Any = world.bot.get_cog("PhotoCog")
    for n in range(3):
        thread = await channel.create_thread(name=f"t{n}", type=discord.ChannelType.public_thread)
        await world.env.settle()
        handle = next(one for one in world.channel.threads if one.id == thread.id)
        await world.ann.send(handle, attachments=[("me.png", photo(n=n))])
    assert len(cog._known) == 1


def test_what_is_remembered_stays_small() -> None:
    few = BoundedSet[int](3)
    for n in range(10):
        few.add(n)
    assert [n for n in range(10) if n in few] == [7, 8, 9]
    now = 0.0
    sparing = RateLimit(2, 60.0, lambda: now)
    assert [sparing.may("a"), sparing.may("a"), sparing.may("a"), sparing.may("b")] == [True, True, False, True]
    now = 61.0
    assert sparing.may("a")


async def test_the_photo_is_let_go_while_discord_does_not_take_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    original = asyncio.sleep

    async def sleep(seconds: float, *more: Any) -> Any:
        if seconds == 0.125:
            held.extend(run.photo is not None for run in world.bot.service.runs.values() if run.spent)
            world.env.backend.faults.clear()
        return await original(seconds, *more)

    monkeypatch.setattr(retry, "RETRIES", (0.125,) * 9)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=503, times=None)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert held == [False]
    assert "AI-edited" in text(world.channel.last_message)


def had_before(world: World, person: Any, seconds: float) -> None:
    """So much work was done for the person some minutes ago: it counts, but nobody has to be let go first any more."""
    now, spending = time.monotonic(), Spending(lambda: now - 2 * LATELY)
    spending.charge(world.owner(person), seconds)
    for party, entries in spending._spent.items():
        world.parts.executor.spending._spent[party].extendleft(entries)


async def test_who_has_had_much_work_done_waits_whatever_it_was(world: World) -> None:
    """Downloads, other strengths, `/smile` on a kept face: none of them is an edit of the quota."""
    message = await world.kept_face(world.ann)
    others = await world.kept_face(world.ben)
    world.set(work_seconds=30)
    had_before(world, world.ann, 29 - world.parts.executor.spending.of_member(world.ann.id))
    drawn = await world.ann.click(message, label="Full size")
    assert list(pictures(world, drawn.response)) == ["egao.png"]
    had_before(world, world.ann, 1.0)
    done = world.parts.executor.stats().done
    told = [
        await world.ann.click(message, label="Full size"),
        await world.ann.click(message, label="+ More"),
        await world.ann.click(message, label="Animate"),
        await world.ann.slash(world.channel, "smile", strength=2.0),
    ]
    assert all("30 seconds of the image worker's time in the last 10 minutes" in text(one.response) for one in told)
    await world.ann.send(world.channel, attachments=[("again.png", photo(n=5))])
    assert "the most that one member may have" in text(world.channel.last_message)
    assert world.parts.executor.stats().done == done
    free = await world.ben.click(others, label="Full size")
    assert list(pictures(world, free.response)) == ["egao.png"]


async def test_a_server_has_its_share_and_others_theirs(world: World) -> None:
    message = await world.kept_face(world.ann)
    most = world.parts.settings.server_seconds
    world.parts.executor.spending.charge(Owner(world.guild.id, 12345), most)  # by somebody else there
    told = await world.ann.click(message, label="+ More")
    assert f"This server has had {most} seconds" in text(told.response)
    direct = await world.dm(world.ben, "me.png", photo(n=3))
    assert "AI-edited" in text(direct)


async def test_work_that_was_cancelled_is_counted(world: World, tmp_path: Path) -> None:
    endless = photo(until=str(tmp_path / "never"))
    sent = asyncio.create_task(world.ann.send(world.channel, attachments=[("me.png", endless)]))
    run = await one_running(world)
    before = world.parts.executor.spending.of_member(world.ann.id)
    await world.bot.service.cancel(world.owner(world.ann), run.job_id)
    await sent
    await until(lambda: not world.parts.executor.stats().running)
    assert world.parts.executor.spending.of_member(world.ann.id) > before


async def one_running(world: World) -> Run:
    """The one request under way, once its projection has begun."""
    runs = world.bot.service.runs
    await until(lambda: any(run.follower and run.follower.newest and run.follower.newest.steps for run in runs.values()))
    return next(iter(runs.values()))


async def test_every_face_of_a_photo_is_an_edit(world: World) -> None:
    world.set(daily_quota=10, queue_share=20, cooldown_seconds=3600)
    await world.ann.send(world.channel, attachments=[("us.png", photo(10))])
    choice = last_in(world.channel)
    assert "All of them, in one picture (counts as 10 edits)" in str(parts_of(choice))
    await world.ann.select(choice, ["all"])
    assert world.parts.executor.stats().kinds["Project"].done == 10
    assert quota(world, world.ann) == 0
    assert len(world.faces(world.ann)) == 10


async def test_one_face_of_many_is_one_edit_and_more_than_are_left_are_refused(world: World) -> None:
    world.set(daily_quota=3, queue_share=20)
    await world.ann.send(world.channel, attachments=[("us.png", photo(4))])
    choice = last_in(world.channel)
    refused = await world.ann.select(choice, ["all"])
    assert "That would be 4 edits, and you have 3 left of today's 3" in text(refused.response)
    assert "Project" not in world.parts.executor.stats().kinds
    assert quota(world, world.ann) == 2
    await world.ann.select(choice, ["1"])
    assert len(world.faces(world.ann)) == 1
    assert quota(world, world.ann) == 2


@pytest.mark.parametrize("digits", [25, 4100, 5000])
async def test_a_number_of_thousands_of_digits_is_no_face(world: World, digits: int) -> None:
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()), face="9" * digits)
    assert "kept" in text(answer.response)
    kept = await world.ann.slash(world.channel, "smile", strength=1.0, face="9" * digits)
    assert "kept" in text(kept.response)


@pytest.mark.parametrize("what", ["all taken out", "another put there"])
async def test_a_photo_taken_out_of_its_message_is_erased(world: World, what: str) -> None:
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    other = await world.ann.send(world.other_channel, attachments=[("other.png", photo(n=2))])
    assert sent is not None
    assert other is not None
    assert len(world.faces(world.ann)) == 1
    stored = world.env.backend.get_message(world.channel.id, sent.id)
    assert stored is not None
    kept = list(stored.attachments)
    world.env.backend.edit_message(world.channel.id, sent.id, {"content": "still there"})
    world.env._mark_mutation()
    await world.env.settle()
    assert len(world.faces(world.ann)) == 1
    now = [] if what == "all taken out" else [{**kept[0], "id": str(int(kept[0]["id"]) + 1)}]
    world.env.backend.edit_message(world.channel.id, sent.id, {"attachments": now})
    world.env._mark_mutation()
    await world.env.settle()
    assert not world.faces(world.ann)


async def test_faces_of_archived_threads_go_with_their_channel(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PAUSE", 0.0)
    channel: Any = world.bot.get_channel(world.channel.id)
    thread = await channel.create_thread(name="t", type=discord.ChannelType.public_thread)
    await world.env.settle()
    handle = next(one for one in world.channel.threads if one.id == thread.id)
    await world.ann.send(handle, attachments=[("me.png", photo())])
    await world.ben.send(world.channel, attachments=[("me.png", photo(n=2))])
    assert world.faces(world.ann)
    await thread.edit(archived=True)
    await world.env.settle()
    await world.bot.reconcile()
    assert world.faces(world.ann), "archived is not deleted"
    await channel.delete()
    await world.env.settle()
    assert not world.faces(world.ann)
