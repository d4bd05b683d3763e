"""`/forget` and `/export`: a member's data, erased or handed over."""

from __future__ import annotations

import contextlib

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EgaoBot
from bot.transport.download import mebibytes
from bot.transport.error_replies import answer, told
from bot.ui.components import Outdated, Press, button, row
from bot.ui.pages import Attached, file_page, notice

Interaction = discord.Interaction[EgaoBot]


class DataCog(commands.Cog):
    """Everywhere: in every server and in direct messages."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("forgetall", self.forget_all)
        bot.presses.on("forgetnot", self.keep)

    @app_commands.command(name="forget", description="Erase everything egao keeps about you")
    @told
    async def forget(self, interaction: Interaction) -> None:
        """Asks first: it can't be undone."""
        say = await self.bot.speaker(interaction)
        sure = button(say("forget.confirm"), "forgetall", interaction.user.id, style=discord.ButtonStyle.danger)
        await answer(interaction, notice(say("forget.ask"), row(sure, button(say("forget.cancel"), "forgetnot"))))

    async def forget_all(self, press: Press) -> None:
        """Erase, then say so. The work under way ends too."""
        if press.numbers(1)[0] != press.interaction.user.id:
            raise Outdated
        say = await self.bot.speaker(press.interaction)
        with contextlib.suppress(discord.HTTPException):  # whether or not Discord takes the answer, it is erased
            await press.interaction.response.defer()
        await self.bot.erasure.member(press.interaction.user.id)
        page = notice(say("forget.done"))
        await press.interaction.edit_original_response(view=page.view)

    async def keep(self, press: Press) -> None:
        """A change of mind."""
        say = await self.bot.speaker(press.interaction)
        page = notice(say("forget.kept"))
        await press.interaction.response.edit_message(view=page.view)

    @app_commands.command(name="export", description="Get a copy of everything egao keeps about you")
    @told
    async def export(self, interaction: Interaction) -> None:
        """A zip that only the member sees."""
        say = await self.bot.speaker(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        data = await self.bot.store.run(self.bot.store.export_member, interaction.user.id)
        if data is None:
            page = notice(say("export.none"))
        elif len(data) > interaction.filesize_limit:
            page = notice(say("export.large", size=mebibytes(len(data))))
        else:
            page = file_page(say("export.ready"), Attached("egao-export.zip", data))
        await interaction.edit_original_response(view=page.view, attachments=page.files())


async def setup(bot: EgaoBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(DataCog(bot))
