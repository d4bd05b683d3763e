"""The Report button: anyone who sees a picture can say that it should not be there, and the admins learn of it."""

from __future__ import annotations

import logging

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.layouts import notice
from bot.locale import speaker
from bot.presses import Form, Press, custom_id
from bot.replies import answer

log = logging.getLogger(__name__)
LONGEST = 500  # characters of a reason


class ReportCog(commands.Cog):
    """Kept for `/egao status`, and posted in the channel that the admins chose for it."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("report", self.report)
        bot.presses.on("reported", self.reported)

    async def report(self, press: Press) -> None:
        """Ask what is wrong."""
        say = await self.bot.speaker(press.interaction)
        if press.interaction.guild_id is None:
            await answer(press.interaction, notice(say("report.direct")))
            return
        form = Form(say("report.title"), custom_id("reported", *press.numbers(2))).field(
            "reason", say("report.label"), hint=say("report.hint"), style=discord.TextStyle.paragraph, max_length=LONGEST
        )
        await press.interaction.response.send_modal(form)

    async def reported(self, press: Press) -> None:
        """Keep it and pass it on."""
        interaction, store = press.interaction, self.bot.store
        say = await self.bot.speaker(interaction)
        message, reason = interaction.message, press.values.get("reason", "")[:LONGEST]
        settings = await store.run(store.guilds.get, interaction.guild_id)
        await store.run(
            store.reports.add, interaction.guild_id, interaction.user.id,
            channel_id=interaction.channel_id, message_id=message.id if message is not None else None, reason=reason,
        )  # fmt: skip
        passed_on = False
        if settings.report_channel is not None:
            admins = speaker(settings.language, interaction.guild_locale)
            quoted = discord.utils.escape_markdown(reason).replace("\n", "\n> ")
            link = message.jump_url if message is not None else "?"
            text = admins("report.notice", reporter=f"<@{interaction.user.id}>", link=link, reason=quoted)
            passed_on = await self._post(settings.report_channel, text)
        await answer(interaction, notice(say("report.thanks" if passed_on else "report.nowhere")))

    async def _post(self, channel_id: int, text: str) -> bool:
        try:
            await self.bot.get_partial_messageable(channel_id).send(view=notice(text).view)
        except discord.HTTPException as error:
            log.warning("a report could not be posted in channel %d: %d", channel_id, error.status)
            return False
        return True


async def setup(bot: EgaoBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(ReportCog(bot))
