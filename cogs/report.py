"""The Report button: anyone can report a picture that should not be there; the admins are told and close the report."""

from __future__ import annotations

import logging
from typing import Final

import aiohttp
import discord
from discord import ui
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import require_admin
from bot.text.refusals import Refused
from bot.text.speaker import Speaker, speaker
from bot.transport.error_replies import answer
from bot.transport.identity import actor_of, home_of
from bot.transport.retry import insist
from bot.ui.components import Form, Press, button, custom_id, row
from bot.ui.pages import Page, link_to, notice

log = logging.getLogger(__name__)
LONGEST: Final = 500  # characters of a reason
REASONS: Final = ("me", "other", "young", "explicit", "else")  # keys of the catalogues
POST_AGAIN: Final = (0.5,)  # seconds: whoever reports is answered within three; the report is kept in any case


class ReportCog(commands.Cog):
    """The handlers of reports. They are kept for `/egao status`, and posted in the channel that the admins chose for them."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("report", self.report)
        bot.presses.on("reported", self.reported)
        bot.presses.on("handled", self.handled)

    async def report(self, press: Press) -> None:
        """Open a form that asks for the reason. Raises Refused in a direct message, which has no admins."""
        say = await self.bot.speaker(press.interaction)
        if home_of(press.interaction) is None:
            raise Refused("report.direct")
        why: ui.RadioGroup[Form] = ui.RadioGroup(custom_id="why")
        for reason in REASONS:
            why.add_option(label=say(f"report.why.{reason}"), value=reason)
        form = Form(say("report.title"), custom_id("reported", *press.numbers(2))).part(say("report.why"), why)
        words = {"style": discord.TextStyle.paragraph, "max_length": LONGEST, "required": False}
        await press.interaction.response.send_modal(form.field("reason", say("report.label"), hint=say("report.hint"), **words))

    async def reported(self, press: Press) -> None:
        """Keep a report and post it; each member can report a picture once."""
        interaction, store = press.interaction, self.bot.store
        asker = await self.bot.asker(interaction)
        say, settings = asker.say, asker.settings
        admins = speaker(settings.language, interaction.guild_locale)
        message, reason = interaction.message, _reason(admins, press)
        message_id = message.id if message is not None else None
        made = await store.run(store.reports.by, actor_of(interaction))
        passed_on = settings.report_channel is not None
        if all(one.message_id != message_id for one in made):
            number = await store.run(
                store.reports.add, interaction.guild_id, interaction.user.id,
                channel_id=interaction.channel_id, message_id=message_id, reason=reason,
            )  # fmt: skip
            if settings.report_channel is not None:
                quoted = discord.utils.escape_markdown(reason).replace("\n", "\n> ")
                link = message.jump_url if message is not None else "?"
                text = admins("report.notice", reporter=f"<@{interaction.user.id}>", link=link, reason=quoted)
                done = row(button(admins("report.done"), "handled", number))
                passed_on = await self._post(interaction.guild, settings.report_channel, notice(text, done), number)
        await answer(interaction, notice(say("report.thanks" if passed_on else "report.nowhere")))

    async def handled(self, press: Press) -> None:
        """Close and erase a report; its notice then says which admin did so. Raises AdminsOnly."""
        guild_id = require_admin(press.interaction)
        (number,) = press.numbers(1)
        store = self.bot.store
        closed = await store.run(store.reports.close, guild_id, number)
        settings = await store.run(store.guilds.get, guild_id)
        say = speaker(settings.language, press.interaction.guild_locale)
        text = say("report.handled.gone")
        if closed is not None:
            text = say("report.handled", admin=f"<@{press.interaction.user.id}>", link=link_to(closed))
        await press.interaction.response.edit_message(view=notice(text).view)

    async def _post(self, guild: discord.Guild | None, channel_id: int, page: Page, number: int) -> bool:
        """Post a report in a channel of the same server. False if that fails."""
        known = guild.get_channel_or_thread(channel_id) if guild is not None else None
        if known is None:
            log.warning("report %d: the channel for reports is not in its server", number)
            return False
        channel = self.bot.get_partial_messageable(channel_id)
        try:
            await insist(lambda: channel.send(view=page.view, nonce=f"report{number}"), f"report {number}", POST_AGAIN)
        except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
            log.warning("report %d could not be posted: %s", number, getattr(error, "status", type(error).__name__))
            return False
        return True


def _reason(say: Speaker, press: Press) -> str:
    """Put what was chosen and what was written into one line for the admins; forms of earlier versions have words alone."""
    why, words = press.values.get("why", ""), press.values.get("reason", "")[:LONGEST].strip()
    chosen = say(f"report.why.{why}") if why in REASONS else ""
    return ": ".join(filter(None, (chosen, words)))


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(ReportCog(bot))
