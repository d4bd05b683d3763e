"""Events by which data must go: a deleted message or channel that held a photo, a ban, a server that is left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.transport.identity import owner_of
from core.errors import EgaoError
from core.store import Erased

log = logging.getLogger(__name__)
RETRIES: Final = (1, 5, 30, 60, 300, 900, 3600)  # seconds until the store is asked again


class EraseCog(commands.Cog):
    """Erases at once, and ends the work that is under way on it."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Raw: messages are not remembered by the bot."""
        await self._erase("message deleted", self.bot.store.forget_source_message, payload.message_id)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """As by a moderator's purge."""
        await self._erase("messages deleted", self.bot.store.forget_source_message, *sorted(payload.message_ids))

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """The messages go with it, and Discord tells of none of them."""
        threads = [thread.id for thread in getattr(channel, "threads", ())]
        await self._erase("channel deleted", self.bot.store.forget_channel, channel.id, *threads)

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """The same of a thread or a forum's post."""
        await self._erase("thread deleted", self.bot.store.forget_channel, payload.thread_id)

    @commands.Cog.listener()
    async def on_member_ban(self, guild: discord.Guild, user: discord.User | discord.Member) -> None:
        """What was kept of the member in this server."""
        await self._erase("ban", self.bot.store.forget, owner_of(guild.id, user.id))

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed (an outage is another event)."""
        await self._erase("server left", self.bot.store.forget_guild, guild.id)

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Noted, so that being removed while the bot is off is noticed at the next start."""
        await self.bot.store.run(self.bot.store.guilds.set, guild.id)

    async def _erase(self, why: str, erase: Callable[..., Erased], *of: Any) -> None:
        """Erase and end the work on it. Discord tells of it once, so a store that fails is asked until it does it."""
        for pause in (*RETRIES, None):
            try:
                erased = await self.bot.store.run(erase, *of)
                break
            except EgaoError as error:  # in the end retention erases it; the operator has to know now
                log.error("%s: could not be erased%s: %s", why, "" if pause is None else " yet", error.code)
                if pause is None:
                    return
            await asyncio.sleep(pause)
        if erased.faces or erased.jobs:
            log.info("%s: %d faces and %d requests erased", why, erased.faces, erased.jobs)
        await self.bot.service.erased(erased.job_ids)


async def setup(bot: EgaoBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(EraseCog(bot))
