"""Events by which data must go: a deleted message or channel that held a photo, a ban, a server that is left."""

from __future__ import annotations

from typing import Any

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests import recovery
from bot.transport.identity import owner_of


class EraseCog(commands.Cog):
    """Erases at once, and ends the work that is under way on it."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Raw: messages are not remembered by the bot."""
        await self.bot.erasure.until_done("message deleted", lambda: self.bot.erasure.messages(payload.message_id))

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A photo that was taken out of its message is as good as deleted."""
        data: Any = payload.data
        if "attachments" not in data or data.get("author", {}).get("bot"):
            return
        files = frozenset(int(one["id"]) for one in data["attachments"])
        await self.bot.erasure.until_done("photo taken out", lambda: self.bot.erasure.edited(payload.message_id, files))

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """As by a moderator's purge."""
        await self.bot.erasure.until_done("messages deleted", lambda: self.bot.erasure.messages(*sorted(payload.message_ids)))

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """The messages go with it, also those in archived threads, and Discord tells of none of them."""
        threads = [thread.id for thread in getattr(channel, "threads", ())]
        await self.bot.erasure.until_done("channel deleted", lambda: self.bot.erasure.channels(channel.id, *threads))
        await self.bot.chores.do("looking for threads that are gone", lambda: self._threads(channel.guild))

    async def _threads(self, guild: discord.Guild) -> None:
        await recovery.reconcile_channels(self.bot, self.bot.store, self.bot.erasure, guild)

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """The same of a thread or a forum's post."""
        await self.bot.erasure.until_done("thread deleted", lambda: self.bot.erasure.channels(payload.thread_id))

    @commands.Cog.listener()
    async def on_member_ban(self, guild: discord.Guild, user: discord.User | discord.Member) -> None:
        """What was kept of the member in this server."""
        await self.bot.erasure.until_done("ban", lambda: self.bot.erasure.member_here(owner_of(guild.id, user.id)))

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed (an outage is another event)."""
        await self.bot.erasure.until_done("server left", lambda: self.bot.erasure.server(guild.id))


async def setup(bot: EgaoBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(EraseCog(bot))
