"""Apps > Make it smile (or whatever the default expression is), Apps > Make it neutral: on any message, for phones too."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.ask import USUAL, Ask
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import guarded
from bot.transport.photo_source import photo_in
from core.expressions import NEUTRAL, Strength, default

Interaction = discord.Interaction[EgaoBot]


class MenuCog(commands.Cog):
    """Context menus can't be methods for discord.py, so they are made and added here."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        self.menus = [
            app_commands.ContextMenu(name=default().said("en").menu, callback=self.make_it),
            app_commands.ContextMenu(name="Make it neutral", callback=self.make_neutral),
        ]

    async def cog_load(self) -> None:
        for menu in self.menus:
            self.bot.tree.add_command(menu)

    async def make_it(self, interaction: Interaction, message: discord.Message) -> None:
        """Draw the default expression at its usual strength on the photo of a message."""
        await guarded(interaction, self._edit(interaction, message, USUAL))

    async def make_neutral(self, interaction: Interaction, message: discord.Message) -> None:
        """Draw the photo of a message without the expression."""
        await guarded(interaction, self._edit(interaction, message, NEUTRAL))

    async def _edit(self, interaction: Interaction, message: discord.Message, strength: Strength) -> None:
        asker = await self.bot.asker(interaction)
        say, private = asker.say, asker.wants_private()
        ask = Ask(
            "photo", say.language, interaction.filesize_limit, private, await photo_in(self.bot, message), strength=strength
        )
        caller = InteractionCaller(interaction, say, private, "say")
        await self.bot.consent.request(caller, ask, limited=True)


async def setup(bot: EgaoBot) -> None:
    """Add the cog; discord.py calls this when it loads the file."""
    await bot.add_cog(MenuCog(bot))
