"""The bot's part of `egao doctor`: the token, and what Discord tells about it, the intents and the permissions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

import aiohttp
import discord

from bot.app import CONTENT_OFF, REFUSED
from bot.logs import HELP
from core.doctor import Finding
from core.errors import EgaoError
from core.settings import Settings
from core.store import Store, database_file

# Without the first two nothing can be answered; without the others some photos or pictures can't.
NEEDED: Final = ("view_channel", "send_messages", "attach_files", "read_message_history", "send_messages_in_threads")
SECONDS: Final = 30.0  # for all that is asked of Discord


def checks(settings: Settings, online: bool) -> Iterator[Finding]:
    """The token of the settings; with `online`, everything that can be asked with it."""
    if settings.discord_token is None:
        yield Finding("token", "wrong", f"DISCORD_TOKEN is not set: make a bot at {HELP}, copy its token into .env")
    elif online:
        yield from asyncio.run(_ask(settings))
    else:
        yield Finding("token", "ok", "there is one; egao doctor --online asks Discord whether it is good")


async def _ask(settings: Settings) -> list[Finding]:
    """Over HTTP alone, so that a bot that runs keeps its connection."""
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
    """Log in and look around. Raises what discord.py raises."""
    assert settings.discord_token is not None
    await client.login(settings.discord_token.get_secret_value())
    application = await client.application_info()
    yield Finding("token", "ok", f"Discord knows it: application {application.id}")
    flags = application.flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        yield Finding("intents", "ok", "message content is on: photos can be dropped in the channels that admins opened")
    else:
        yield Finding("intents", "note", CONTENT_OFF)
    for guild_id in await asyncio.to_thread(_known_servers, settings):
        yield await _server(client, guild_id)


def _known_servers(settings: Settings) -> list[int]:
    """The servers that the bot has noted; none where there is no store, or one that can't be opened (told elsewhere)."""
    if not database_file(settings).exists():
        return []
    try:
        with Store.open(settings) as store:
            return sorted(store.guilds.all())
    except EgaoError:
        return []


async def _server(client: discord.Client, guild_id: int) -> Finding:
    """The bot's own permissions in one server; single channels may still take some away."""
    assert client.user is not None
    try:
        guild = await client.fetch_guild(guild_id, with_counts=False)
        me = await guild.fetch_member(client.user.id)
    except (discord.NotFound, discord.Forbidden):
        return Finding("server", "note", f"{guild_id}: the bot is not there any more; its next start erases what came from it")
    missing = [name for name in NEEDED if not getattr(me.guild_permissions, name)]
    if missing:
        wish = ", ".join(name.replace("_", " ") for name in missing)
        return Finding(
            "server", "wrong", f"{guild_id}: the bot's role lacks {wish}. An admin can allow it in Server Settings > Roles."
        )
    return Finding("server", "ok", f"{guild_id}: the bot may see, answer and attach")
