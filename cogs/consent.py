"""The two buttons of the question for consent, and the form with two ticks."""

from __future__ import annotations

from typing import Final

from discord import ui
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import require_own_message
from bot.text.privacy import CONSENT_VERSION
from bot.text.refusals import Refused
from bot.ui.components import Form, Outdated, Press, custom_id
from bot.ui.pages import notice

TICKS: Final = ("adult", "allowed")  # what has to be ticked, each by itself


class ConsentCog(commands.Cog):
    """The handlers of both buttons. Only the member who was asked may answer."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("agree", self.agree)
        bot.presses.on("agreed", self.agreed)
        bot.presses.on("decline", self.decline)

    async def agree(self, press: Press) -> None:
        """Ask for the two ticks; nothing is noted before. Buttons of earlier versions lead here too."""
        say = await self.bot.speaker(press.interaction)
        await self._check_asked(press)
        self._check_version(press)
        ticks: ui.CheckboxGroup[Form] = ui.CheckboxGroup(custom_id="ticked", min_values=len(TICKS), max_values=len(TICKS))
        for tick in TICKS:
            ticks.add_option(label=say(f"consent.tick.{tick}"), value=tick)
        form = Form(say("consent.form.title"), custom_id("agreed", *press.arguments[:4]))
        await press.interaction.response.send_modal(form.part(say("consent.form.label"), ticks, say("consent.form.hint")))

    async def agreed(self, press: Press) -> None:
        """Note the consent to the version that was read, and go on. Raises Refused unless both are ticked, NotYours, Outdated.

        Raises as `Service.accept` does, too. The ticks are checked here whatever a client let through.
        """
        say = await self.bot.speaker(press.interaction)
        await self._check_asked(press)
        self._check_version(press)
        if not set(TICKS) <= set(press.values.get("ticked", "").split()):
            raise Refused("consent.form.both")
        await self.bot.consent.agreed(press.interaction, say, press.numbers(3)[2], *press.arguments[3:4])

    async def decline(self, press: Press) -> None:
        """Acknowledge a refusal, which is not stored."""
        say = await self.bot.speaker(press.interaction)
        await self._check_asked(press)
        page = notice(say("consent.declined"))
        await press.interaction.response.edit_message(view=page.view, attachments=[])

    @staticmethod
    def _check_version(press: Press) -> None:
        """Raise Outdated where the notice has changed since: it has to be read anew."""
        if press.numbers(3)[0] != CONSENT_VERSION:
            raise Outdated

    async def _check_asked(self, press: Press) -> None:
        """Check that the question is for the member who pressed. Raises Refused, NotYours."""
        if press.interaction.user.id != press.numbers(2)[1]:
            raise Refused("consent.other")
        await require_own_message(self.bot.store, press.interaction)


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(ConsentCog(bot))
