"""Events that require erasing: a deleted message or channel with a photo, a ban, a server that removed the bot."""

from __future__ import annotations

from typing import Any

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests import recovery
from bot.transport.identity import owner_of


class EraseCog(commands.Cog):
    """The handlers of these events: they erase at once, and end the work on what is erased."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Erase what came from a deleted message. The event is raw, because the bot remembers no messages."""
        await self.bot.erasure.until_done("message deleted", lambda: self.bot.erasure.messages(payload.message_id))

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Erase what came from a photo that an edit removed from its message."""
        data: Any = payload.data
        if "attachments" not in data or data.get("author", {}).get("bot"):
            return
        files = frozenset(int(one["id"]) for one in data["attachments"])
        await self.bot.erasure.until_done("photo taken out", lambda: self.bot.erasure.edited(payload.message_id, files))

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Erase what came from messages deleted together, as by a moderator's purge."""
        await self.bot.erasure.until_done("messages deleted", lambda: self.bot.erasure.messages(*sorted(payload.message_ids)))

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Erase what came from a deleted channel: its messages are gone too, and Discord sends no events for them."""
        threads = [thread.id for thread in getattr(channel, "threads", ())]
        await self.bot.erasure.until_done("channel deleted", lambda: self.bot.erasure.channels(channel.id, *threads))
        await self.bot.chores.do("looking for threads that are gone", lambda: self._threads(channel.guild))

    async def _threads(self, guild: discord.Guild) -> None:
        await recovery.reconcile_channels(self.bot, self.bot.store, self.bot.erasure, guild)

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Erase what came from a deleted thread or forum post."""
        await self.bot.erasure.until_done("thread deleted", lambda: self.bot.erasure.channels(payload.thread_id))

    @commands.Cog.listener()
    async def on_member_ban(self, guild: discord.Guild, user: discord.User | discord.Member) -> None:
        """Erase what was kept of a banned member in this server."""
        await self.bot.erasure.until_done("ban", lambda: self.bot.erasure.member_here(owner_of(guild.id, user.id)))

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Erase everything of a server that removed the bot. (An outage is another event.)"""
        await self.bot.erasure.until_done("server left", lambda: self.bot.erasure.server(guild.id))


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(EraseCog(bot))
