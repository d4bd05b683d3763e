"""The two buttons of the question for consent."""

from __future__ import annotations

from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import require_own_message
from bot.text.privacy import CONSENT_VERSION
from bot.text.speaker import Speaker
from bot.transport.error_replies import answer
from bot.ui.components import Outdated, Press
from bot.ui.pages import notice


class ConsentCog(commands.Cog):
    """The handlers of both buttons. Only the member who was asked may answer."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("agree", self.agree)
        bot.presses.on("decline", self.decline)

    async def agree(self, press: Press) -> None:
        """Note the consent to the version of the notice that was read, and continue."""
        say = await self.bot.speaker(press.interaction)
        version, _, message_id = press.numbers(3)
        if not await self._asked(press, say):
            return
        if version != CONSENT_VERSION:  # the notice has changed since: it has to be read anew
            raise Outdated
        await self.bot.consent.agreed(press.interaction, say, message_id, *press.arguments[3:4])

    async def decline(self, press: Press) -> None:
        """Acknowledge a refusal, which is not stored."""
        say = await self.bot.speaker(press.interaction)
        if await self._asked(press, say):
            page = notice(say("consent.declined"))
            await press.interaction.response.edit_message(view=page.view, attachments=[])

    async def _asked(self, press: Press, say: Speaker) -> bool:
        if press.interaction.user.id == press.numbers(2)[1]:
            await require_own_message(self.bot.store, press.interaction)
            return True
        await answer(press.interaction, notice(say("consent.other")))
        return False


async def setup(bot: EgaoBot) -> None:
    """Add the cog; discord.py calls this when it loads the file."""
    await bot.add_cog(ConsentCog(bot))
