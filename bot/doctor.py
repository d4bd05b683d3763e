"""The bot's checks of `egao doctor`: the token, and what Discord says about it, the intents and the permissions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import aiohttp
import discord

from bot.app import CONTENT_OFF, REFUSED
from bot.ops.invite import NEEDED, invite_link
from bot.ops.logs import HELP
from core.doctor import Finding
from core.errors import EgaoError
from core.settings import Settings
from core.store import Store, database_file

SECONDS: Final = 30.0  # for all that is asked of Discord


def checks(settings: Settings, online: bool) -> Iterator[Finding]:
    """Check the token of the settings; with `online`, also all that Discord says about it."""
    if settings.discord_token is None:
        yield Finding("token", "wrong", f"DISCORD_TOKEN is not set: make a bot at {HELP}, copy its token into .env")
    elif online:
        yield from asyncio.run(_ask(settings))
    else:
        yield Finding("token", "ok", "there is one; egao doctor --online asks Discord whether it is good")


async def _ask(settings: Settings) -> list[Finding]:
    """Ask Discord over HTTP only, so that a running bot keeps its connection."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(SECONDS), discord.Client(intents=discord.Intents.none()) as client:
            async for finding in online_findings(client, settings):
                found.append(finding)
    except discord.LoginFailure:
        found.append(Finding("token", "wrong", f"Discord refused it; {REFUSED}"))
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:  # a timeout is an OSError too
        found.append(Finding("discord", "wrong", f"Discord can't be asked ({type(error).__name__}). Try again in a while."))
    return found


async def online_findings(client: discord.Client, settings: Settings) -> AsyncIterator[Finding]:
    """Log in and yield the findings. Raises what discord.py raises."""
    assert settings.discord_token is not None
    await client.login(settings.discord_token.get_secret_value())
    application = await client.application_info()
    yield Finding("token", "ok", f"Discord knows it: application {application.id}")
    yield Finding("invite", "ok", f"to add the bot to a server: {invite_link(application.id)}")
    flags = application.flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        yield Finding("intents", "ok", "message content is on: photos can be dropped in the channels that admins opened")
    else:
        yield Finding("intents", "note", CONTENT_OFF)
    for guild_id, channels in (await asyncio.to_thread(_known_servers, settings)).items():
        for finding in await _server(client, guild_id, channels):
            yield finding


def _known_servers(settings: Settings) -> dict[int, tuple[int, ...]]:
    """List the ids of the known servers, with the channels in which the bot posts unasked.

    Empty if there is no store, or it can't be opened (which another check reports).
    """
    if not database_file(settings).exists():
        return {}
    try:
        with Store.open(settings) as store:
            known = store.guilds.all()
    except EgaoError:
        return {}
    return {key: (*one.channels, *([one.report_channel] if one.report_channel else ())) for key, one in sorted(known.items())}


async def _server(client: discord.Client, guild_id: int, channels: Sequence[int]) -> list[Finding]:
    """Check the bot's permissions in one server, and in these channels of it."""
    assert client.user is not None
    try:
        guild = await client.fetch_guild(guild_id, with_counts=False)
        me = await guild.fetch_member(client.user.id)
        there = {one.id: one for one in await guild.fetch_channels()} if channels else {}
    except (discord.NotFound, discord.Forbidden):
        text = f"{guild_id}: the bot is not there any more; its next start erases what came from it"
        return [Finding("server", "note", text)]
    if wish := _missing(me.guild_permissions):
        text = f"{guild_id}: the bot's role lacks {wish}. An admin can allow it in Server Settings > Roles."
        return [Finding("server", "wrong", text)]
    found = [Finding("server", "ok", f"{guild_id}: the bot may see, answer and attach")]
    for channel_id in dict.fromkeys(channels):
        where = f"{guild_id}, channel {channel_id}"
        channel = there.get(channel_id)
        if channel is None:
            found.append(Finding("channel", "wrong", f"{where}: it is gone. An admin can choose another in /egao settings."))
        elif wish := _missing(channel.permissions_for(me)):
            text = f"{where}: the bot lacks {wish}. An admin can allow it there in Edit Channel > Permissions."
            found.append(Finding("channel", "wrong", text))
    return found


def _missing(permissions: discord.Permissions) -> str:
    """List the needed permissions that are not granted, in Discord's words; "" if none."""
    return ", ".join(name.replace("_", " ") for name in NEEDED if not getattr(permissions, name))
