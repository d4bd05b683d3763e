"""Notes a server that the bot joins, and tells its admins once what they can set."""

from __future__ import annotations

import logging

import aiohttp
import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.text.speaker import speaker
from bot.ui.pages import notice

log = logging.getLogger(__name__)


class WelcomeCog(commands.Cog):
    """The handler of joining a server. It greets in the server's system channel or, if it may not write there, the owner."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Note the server, then greet it.

        Noted servers are not greeted again, and are erased if they remove the bot while it is off.
        """
        if await self.bot.store.run(self.bot.store.guilds.note, guild.id):
            await self._greet(guild)

    async def _greet(self, guild: discord.Guild) -> None:
        """Try once to greet. `/help` tells admins the same, so a failure is not repeated."""
        say = speaker(guild.preferred_locale)
        page = notice(say("welcome", server=discord.utils.escape_markdown(guild.name)))
        try:
            place = self._channel(guild) or await self.bot.create_dm(discord.Object(guild.owner_id or 0))
            await place.send(view=page.view)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.info("server %d joined; its admins could not be greeted (%s)", guild.id, type(error).__name__)
        else:
            log.info("server %d joined, its admins greeted", guild.id)

    def _channel(self, guild: discord.Guild) -> discord.TextChannel | None:
        """Return the server's system channel if there is one and the bot may write there, else None."""
        channel = guild.system_channel
        if channel is None:
            return None
        may = channel.permissions_for(guild.me)
        return channel if may.view_channel and may.send_messages else None


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(WelcomeCog(bot))
