"""The part of the client that lower layers use."""

from __future__ import annotations

from typing import Any

import discord
from discord.ext import commands

from bot.text.speaker import Speaker
from bot.ui.components import Press


class BotBase(commands.Bot):
    """discord.py's bot with two methods that handlers call; EgaoBot implements them."""

    async def speaker(self, interaction: discord.Interaction[Any]) -> Speaker:
        """Choose the language to answer in; `EgaoBot.speaker` says how."""
        raise NotImplementedError

    async def pressed(self, press: Press) -> None:
        """Handle a press of a button, select or form."""
        raise NotImplementedError
