"""Dropping a photo while the store or Discord fails."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from bot.requests import recovery
from bot.transport.answer import Answer
from bot.transport.callers import MessageCaller
from core.errors import StoreBusy
from tests.bot.kit import World, breaking, text
from tests.bot.workbench import photo


async def test_a_store_that_fails_is_told_of_where_the_bot_was_opened_and_nowhere_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])

    def damaged(_: int | None) -> None:
        raise StoreBusy(path="here")

    monkeypatch.setattr(world.store.guilds, "get", damaged)
    await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    assert len(world.other_channel.history()) == 1, "nobody there asked the bot for anything"
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "its own side" in text(world.channel.last_message)
    assert len(world.complaints()) == 2


async def test_why_not_is_said_until_discord_takes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.members.block(world.guild.id, world.ann.id)
    breaking(world, monkeypatch, times=2)
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=503, times=2)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "can't use egao on this server" in text(world.channel.last_message)
    assert len(world.channel.history()) == 2, "said once"
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=403, code=50013, times=None)
    world.env.inject_error("POST", f"/channels/{world.ann.user.dm_channel.id}/messages", status=503, times=2)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "can't use egao on this server" in text(world.ann.user.dm_channel.last_message)


async def test_who_closes_their_thread_gets_the_answer_in_private(world: World) -> None:
    """Nothing can be edited in a closed thread: no fault of egao's, and nothing to be logged as one."""
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=400, code=50083, message="Thread is archived", times=None)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "AI-edited" in text(world.ann.user.dm_channel.last_message)
    assert len(world.faces(world.ann)) == 1
    assert not world.complaints()


async def test_a_photo_deleted_while_the_first_reply_is_on_its_way_is_owned_up_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = MessageCaller.reply

    async def slow(caller: MessageCaller, *about: Any) -> Answer:
        answer = await reply(caller, *about)
        await world.bot.erasure.messages(caller.message.id)
        return answer

    monkeypatch.setattr(MessageCaller, "reply", slow)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "photo was deleted" in text(world.channel.last_message)
    assert len(world.channel.history()) == 2
    assert not world.faces(world.ann)


async def test_a_reply_that_could_not_be_noted_is_the_one_that_is_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> bool:
        raise StoreBusy(path="here")

    with monkeypatch.context() as locked:
        locked.setattr(world.store.jobs, "claim", busy)
        locked.setattr(world.store.jobs, "finish", busy)
        await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "AI-edited" not in text(world.channel.last_message)
    await recovery.take_up(world.bot, world.store, world.bot.service, before=math.inf)
    await asyncio.gather(*[run.task for run in world.bot.service.runs.values() if run.task is not None])
    assert "AI-edited" in text(world.channel.last_message)
    assert len(world.channel.history()) == 2
