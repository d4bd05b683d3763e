"""Events by which data must go: a deleted message that held a photo, a ban, a server that is left."""

from __future__ import annotations

import logging

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.gate import owner_of
from core.errors import EgaoError
from core.store import Erased

log = logging.getLogger(__name__)


class EraseCog(commands.Cog):
    """Erases at once, and ends the work that is under way on it."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Raw: messages are not remembered by the bot."""
        await self._messages([payload.message_id])

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """As by a moderator's purge."""
        await self._messages(sorted(payload.message_ids))

    @commands.Cog.listener()
    async def on_member_ban(self, guild: discord.Guild, user: discord.User | discord.Member) -> None:
        """What was kept of the member in this server."""
        store = self.bot.store
        await self._done("ban", await store.run(store.forget, owner_of(guild.id, user.id)))

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed (an outage is another event)."""
        store = self.bot.store
        await self._done("server left", await store.run(store.forget_guild, guild.id))

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Noted, so that being removed while the bot is off is noticed at the next start."""
        await self.bot.store.run(self.bot.store.guilds.set, guild.id)

    async def _messages(self, ids: list[int]) -> None:
        store = self.bot.store
        try:
            await self._done("message deleted", await store.run(store.forget_source_message, *ids))
        except EgaoError as error:  # retention erases it in the end; the operator has to know now
            log.error("faces of deleted messages could not be erased: %s", error)

    async def _done(self, why: str, erased: Erased) -> None:
        if erased.faces or erased.jobs:
            log.info("%s: %d faces and %d requests erased", why, erased.faces, erased.jobs)
        await self.bot.service.erased(erased.job_ids)


async def setup(bot: EgaoBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(EraseCog(bot))
