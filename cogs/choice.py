"""The choice of a face in a photo with several, and the Cancel button of requests."""

from __future__ import annotations

from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import require_own_message
from bot.text.refusals import Refused
from bot.transport.callers import InteractionCaller
from bot.transport.identity import actor_of
from bot.ui.components import Outdated, Press
from core.errors import NotYours, StillBusy
from core.executor.kinds.together import MOST


class ChoiceCog(commands.Cog):
    """The handlers of both. Their custom_ids name a job; the store tells whose it is."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("pick", self.pick)
        bot.presses.on("pickpage", self.turn)
        bot.presses.on("cancel", self.cancel)

    async def pick(self, press: Press) -> None:
        """Continue with the chosen face, or with all.

        Raises NotYours, StillBusy, Outdated, Refused if the choice is closed, and as `Service.chosen` does.
        """
        (job_id,) = press.numbers(1)
        say = await self.bot.speaker(press.interaction)
        await self._check_owner(press, job_id)
        await self.bot.service.settled(job_id)
        found = self.bot.service.choosing.get(job_id)
        if job_id in self.bot.service.runs:  # taken up again after a restart: it asks once more in a moment
            raise StillBusy
        if found is None:
            raise Refused("faces.expired")
        parent = found[0]
        chosen = press.chosen[0] if press.chosen else ""
        one = press.choice()
        numbers = parent.faces[:MOST] if chosen == "all" else (one,) if one in parent.faces else ()
        if not numbers:
            raise Outdated
        caller = InteractionCaller(press.interaction, say, parent.ask.private, "replace")
        if not await self.bot.service.chosen(caller, parent, numbers):
            raise Refused("faces.expired")

    async def turn(self, press: Press) -> None:
        """Show another ten of the faces to choose from. Raises NotYours, PhotoError, Refused if the choice is closed."""
        job_id, number = press.numbers(2)
        await self._check_owner(press, job_id)
        await self.bot.service.settled(job_id)
        if job_id not in self.bot.service.choosing:
            raise Refused("faces.expired")
        await press.interaction.response.defer()  # after a restart the photo is looked at again
        page = await self.bot.service.choice_page(job_id, number)
        await press.interaction.edit_original_response(view=page.view, attachments=page.files())

    async def cancel(self, press: Press) -> None:
        """Cancel the request, and say so in its message. Raises NotYours, Refused if there is nothing to cancel."""
        (job_id,) = press.numbers(1)
        await self._check_owner(press, job_id)
        await press.interaction.response.defer()
        owner = actor_of(press.interaction)
        if await self.bot.service.cancel(owner, job_id) is None:
            raise Refused("work.gone")

    async def _check_owner(self, press: Press, job_id: int) -> None:
        """Check that the request, if it is there still, and the message are of whoever pressed. Raises NotYours."""
        job = await self.bot.store.run(self.bot.store.jobs.get, job_id)
        if job is not None and job.owner != actor_of(press.interaction):
            raise NotYours
        await require_own_message(self.bot.store, press.interaction)


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(ChoiceCog(bot))
