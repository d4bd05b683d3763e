"""A server that the bot joins: its admins are greeted once, where they look, in their language; it is noted in any case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from simcord.backend import serializers
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.text.speaker import Speaker
from tests.bot.kit import World, running, text

THREE = ("**Channels**", "**Who, and whose photos:**", "**Reports:**")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        await made.env.settle()
        yield made


async def leave(world: World) -> None:
    world.env.backend.emit("GUILD_DELETE", {"id": str(world.guild.id)})
    await world.env.settle()


async def join(world: World) -> None:
    """The server as it stands adds the bot: Discord tells all of it in one event, which says nothing of an outage."""
    backend = world.env.backend
    payload: Any = serializers.guild_create_payload(backend, backend.get_guild(world.guild.id))
    backend.emit("GUILD_CREATE", {name: value for name, value in payload.items() if name != "unavailable"})
    await world.env.settle()


def said(channel: Any) -> list[str]:
    """What the bot has written there."""
    return [text(message) for message in channel.history()]


async def rejoin(world: World, system: Any = None, **server: Any) -> None:
    """Leave, let the server be otherwise, and be added anew."""
    await leave(world)
    guild = world.env.backend.get_guild(world.guild.id)
    guild.system_channel_id = system.id if system is not None else None
    for name, value in server.items():
        setattr(guild, name, value)
    await join(world)


async def test_the_three_things_to_set_are_told_in_the_system_channel(world: World) -> None:
    await rejoin(world, system=world.other_channel, name="St*d*o")
    (greeting,) = said(world.other_channel)
    assert all(thing in greeting for thing in (*THREE, "`/egao settings`", r"St\*d\*o"))
    assert said(world.channel) == []
    assert world.guild.id in world.store.guilds.all()


async def test_nobody_is_greeted_twice(world: World) -> None:
    await rejoin(world, system=world.other_channel)
    await join(world)  # an outage can look like a new server
    await world.restart()
    assert len(said(world.other_channel)) == 1


async def test_the_owner_is_told_where_the_bot_may_not_write_to_the_server(world: World) -> None:
    owner = world.guild.owner
    await rejoin(world)
    assert len(said(owner.dm_channel)) == 1
    hidden = world.guild.create_text_channel("hidden")
    stored = world.env.backend.get_channel(hidden.id)
    me = world.env.backend.bot_user.id
    for taken in ("view_channel", "send_messages"):
        stored.overwrites = [Overwrite(me, OverwriteType.MEMBER, 0, discord.Permissions(**{taken: True}).value)]
        await rejoin(world, system=hidden)
        assert said(hidden) == []
    assert len(said(owner.dm_channel)) == 3, "each time it is news: what was noted of a server goes when it is left"


async def test_a_closed_door_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner who takes no direct messages: nothing fails, and the server is noted all the same."""
    tried = 0

    async def refuse(*_: object, **__: object) -> None:
        nonlocal tried
        tried += 1
        closed: Any = SimpleNamespace(status=403, reason="Forbidden")
        raise discord.Forbidden(closed, {"code": 50007, "message": "closed"})

    monkeypatch.setattr(world.bot.http, "send_message", refuse)
    await rejoin(world)
    assert tried == 1
    assert world.guild.id in world.store.guilds.all()
    assert world.complaints() == []


async def test_the_language_is_the_servers(world: World) -> None:
    await rejoin(world, system=world.other_channel, preferred_locale="ja")
    (greeting,) = said(world.other_channel)
    assert greeting == Speaker("ja")("welcome", server="Studio")


async def test_what_was_set_before_stays(world: World) -> None:
    world.set(language="ja", channels=(world.channel.id,))
    await join(world)
    assert world.store.guilds.get(world.guild.id).channels == (world.channel.id,)
    assert not world.store.guilds.note(world.guild.id)
