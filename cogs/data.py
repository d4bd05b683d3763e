"""`/forget` and `/export`: erase or get the member's data."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.rate_limit import RateLimit
from bot.text.command_names import DOES
from bot.transport.error_replies import answer, told
from bot.transport.identity import is_away
from bot.ui.components import Outdated, Press, button, row
from bot.ui.pages import Attached, Page, file_page, notice
from core.errors import ExportedLately

Interaction = discord.Interaction[EgaoBot]
FOLLOWUPS: Final = 5  # messages after the answer that Discord takes of an app that is a guest where it is used
EXPORT_SECONDS: Final = 600.0  # between two exports of a member: data changes slowly, and each export reads all of it
PART_BYTES: Final = 8 * 2**20  # of one file: Discord takes 10 MiB, and the message around it needs some


class DataCog(commands.Cog):
    """The commands about a member's data, on all servers and in direct messages together."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        self._lately = RateLimit(1, EXPORT_SECONDS)
        self._at_once = asyncio.Semaphore(2)  # exports under way, with two parts in memory each
        bot.presses.on("forgetall", self.forget_all)
        bot.presses.on("forgetnot", self.keep)

    @app_commands.command(name="forget", description=DOES["forget"])
    @told
    async def forget(self, interaction: Interaction) -> None:
        """Ask for confirmation to erase everything about the member: it can't be undone."""
        say = await self.bot.speaker(interaction)
        sure = button(say("forget.confirm"), "forgetall", interaction.user.id, style=discord.ButtonStyle.danger)
        await answer(interaction, notice(say("forget.ask"), row(sure, button(say("forget.cancel"), "forgetnot"))))

    async def forget_all(self, press: Press) -> None:
        """Erase everything about the member and end their requests, then say so. Raises Outdated for somebody else's button."""
        if press.numbers(1)[0] != press.interaction.user.id:
            raise Outdated
        say = await self.bot.speaker(press.interaction)
        with contextlib.suppress(discord.HTTPException):  # whether or not Discord takes the answer, it is erased
            await press.interaction.response.defer()
        await self.bot.erasure.member(press.interaction.user.id)
        page = notice(say("forget.done"))
        await press.interaction.edit_original_response(view=page.view)

    async def keep(self, press: Press) -> None:
        """Change nothing: the member pressed cancel."""
        say = await self.bot.speaker(press.interaction)
        page = notice(say("forget.kept"))
        await press.interaction.response.edit_message(view=page.view)

    @app_commands.command(name="export", description=DOES["export"])
    @told
    async def export(self, interaction: Interaction) -> None:
        """Send the member all their data as one or more zips that only they see. Raises ExportedLately."""
        say, store = await self.bot.speaker(interaction), self.bot.store
        if wait := self._lately.wait(interaction.user.id):
            raise ExportedLately(seconds=math.ceil(wait))
        await interaction.response.defer(ephemeral=True, thinking=True)
        async with self._at_once:
            parts, number = store.export_member(interaction.user.id, min(interaction.filesize_limit, PART_BYTES)), 1
            data = await store.run(next, parts, None)
            if data is None:
                await _show(interaction, notice(say("export.none")), first=True)
            while data is not None:
                more = await store.run(next, parts, None)  # before, to say whether another one comes
                text = say("export.ready" if number == 1 else "export.last", number=number) if more is None else None
                if more is not None and number > FOLLOWUPS and is_away(interaction):
                    text, more = say("export.away", number=number), None
                name = "egao-export.zip" if number == 1 else f"egao-export-{number}.zip"
                page = file_page(text or say("export.part", number=number), Attached(name, data))
                await _show(interaction, page, first=number == 1)
                data, number = more, number + 1


async def _show(interaction: Interaction, page: Page, *, first: bool) -> None:
    """Show the first page in place of "thinking", later ones as further messages."""
    if first:
        await interaction.edit_original_response(view=page.view, attachments=page.files())
    else:
        await interaction.followup.send(view=page.view, files=page.files(), ephemeral=True)


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(DataCog(bot))
