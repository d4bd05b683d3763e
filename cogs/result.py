"""The buttons below a result. Their custom_ids name a face, its member and a strength, which are all checked.

The person who pressed must be the named member, the owner of the answer in that message and the owner of the face; the
strength is limited by the server's present limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import check_strength, clamp_strength, require_own_message
from bot.requests.ask import Ask, Kind
from bot.text.refusals import Refused
from bot.text.speaker import Speaker
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import answer
from bot.transport.identity import actor_of
from bot.ui.components import Press, button, custom_id, row
from bot.ui.exact import exact_form, exact_text, typed_strength
from bot.ui.pages import STEP, Ids, notice
from core.errors import NoSuchStoredFace, NotYours, StrengthOverLimit
from core.expressions import NEUTRAL, Strength
from core.store import GuildSettings, Owner


@dataclass(frozen=True)
class Pressed:
    """A press below a result, by the member who asked for it."""

    press: Press
    say: Speaker
    owner: Owner
    face_id: int
    expression: str
    strength: float  # that the message shows
    settings: GuildSettings
    private: bool  # the result is shown only to them

    @property
    def interaction(self) -> discord.Interaction[EgaoBot]:
        return self.press.interaction

    @property
    def ids(self) -> Ids:
        return self.face_id, self.owner.member_id or 0, round(self.strength * 100), self.expression


class ResultCog(commands.Cog):
    """The handlers of the buttons: less, more, neutral, original, exact, animate, full size, delete."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        for verb, handler in (
            ("minus", self.minus), ("plus", self.plus), ("neutral", self.neutral), ("original", self.original),
            ("exact", self.exact), ("exactly", self.exactly), ("animate", self.animate), ("download", self.download),
            ("delete", self.delete), ("eraseface", self.erase_face),
        ):  # fmt: skip
            bot.presses.on(verb, handler)

    async def minus(self, press: Press) -> None:
        """Draw the face again, 0.25 weaker."""
        await self._step(press, -STEP)

    async def plus(self, press: Press) -> None:
        """Draw the face again, 0.25 stronger."""
        await self._step(press, STEP)

    async def neutral(self, press: Press) -> None:
        """Draw the face without the expression."""
        await self._redraw(await self._own(press), NEUTRAL)

    async def original(self, press: Press) -> None:
        """Show the original photo."""
        await self._redraw(await self._own(press), 0.0)

    async def exact(self, press: Press) -> None:
        """Show the form that asks for an exact strength; `exactly` gets the answer.

        Raises NotYours, NoSuchStoredFace, Outdated.
        """
        own = await self._own(press)
        form = exact_form(own.say, custom_id("exactly", *own.ids), own.strength, own.settings.strength_max)
        await own.interaction.response.send_modal(form)

    async def exactly(self, press: Press) -> None:
        """Draw at the number that was typed or chosen. Raises Refused for no number, StrengthOverLimit."""
        own = await self._own(press)
        text = exact_text(press)
        strength = typed_strength(text)
        if strength is None:
            raise Refused("modal.exact.bad", value=discord.utils.escape_markdown(text[:20]))
        await self._redraw(own, check_strength(strength, own.settings))

    async def animate(self, press: Press) -> None:
        """Send an animation as a further message."""
        await self._beside(await self._own(press), "animate", limited=True)

    async def download(self, press: Press) -> None:
        """Send the shown strength in full size, so that only the member sees it."""
        await self._beside(await self._own(press), "download", limited=False)

    async def delete(self, press: Press) -> None:
        """Delete the message, even if its face is no longer kept. Offers to erase the face too. Raises NotYours."""
        _, member_id, _ = press.numbers(3)
        if press.interaction.user.id != member_id:
            raise NotYours
        await require_own_message(self.bot.store, press.interaction)
        say = await self.bot.speaker(press.interaction)
        owner = actor_of(press.interaction)
        await press.interaction.response.defer()
        await press.interaction.delete_original_response()
        try:
            face = await self.bot.store.run(self.bot.store.faces.get, owner, press.numbers(1)[0])
        except NoSuchStoredFace:
            await answer(press.interaction, notice(say("result.deleted.gone")))
            return
        erase = button(say("button.erase.face"), "eraseface", face.id, style=discord.ButtonStyle.danger)
        text = say("result.deleted", until=f"<t:{int(face.expires or 0)}:f>")
        await answer(press.interaction, notice(text, row(erase)))

    async def erase_face(self, press: Press) -> None:
        """Erase the face, if it belongs to the person who pressed."""
        say = await self.bot.speaker(press.interaction)
        owner = actor_of(press.interaction)
        await self.bot.store.run(self.bot.store.faces.delete, owner, press.numbers(1)[0])
        page = notice(say("result.face.erased"))
        await press.interaction.response.edit_message(view=page.view)

    async def _own(self, press: Press) -> Pressed:
        """Return the checked content of a press. Raises NotYours, NoSuchStoredFace, Outdated."""
        face_id, member_id, hundredths = press.numbers(3)
        message, expression, asker = await self.bot.presser(press, member_id)
        owner = actor_of(press.interaction)
        await self.bot.store.run(self.bot.store.faces.get, owner, face_id)
        strength, private = clamp_strength(hundredths / 100, asker.settings), message.flags.ephemeral
        return Pressed(press, asker.say, owner, face_id, expression, strength, asker.settings, private)

    async def _step(self, press: Press, change: float) -> None:
        """Draw at the shown strength plus `change`. Raises StrengthOverLimit at the limit."""
        own = await self._own(press)
        strength = clamp_strength(own.strength + change, own.settings)
        if strength == own.strength:
            raise StrengthOverLimit(low=-own.settings.strength_max, high=own.settings.strength_max)
        await self._redraw(own, strength)

    async def _redraw(self, own: Pressed, strength: Strength) -> None:
        limit = own.interaction.filesize_limit
        ask = Ask(
            "edit",
            own.say.language,
            limit,
            own.private,
            face_id=own.face_id,
            strength=strength,
            expression=own.expression,
            keep=True,
        )
        caller = InteractionCaller(own.interaction, own.say, own.private, "update")
        await self.bot.consent.request(caller, ask)

    async def _beside(self, own: Pressed, kind: Kind, *, limited: bool) -> None:
        private = (kind == "download" and own.owner.guild_id is not None) or own.private
        limit = own.interaction.filesize_limit
        ask = Ask(kind, own.say.language, limit, private, face_id=own.face_id, strength=own.strength, expression=own.expression)
        caller = InteractionCaller(own.interaction, own.say, private, "think")
        await self.bot.consent.request(caller, ask, limited=limited)


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(ResultCog(bot))
