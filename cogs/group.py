"""The select and the buttons under an answer with several faces: everybody's strength, or the strength of one.

They name a group (see core.store.groups), its requester, and the face that they are for. As under a single result, none of
that is taken on trust; the strengths that are shown are read from the store, or from the request that has just shown them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import check_strength, clamp_strength, require_own_message
from bot.requests.ask import Ask, Kind
from bot.requests.group import shown
from bot.text.refusals import Refused
from bot.text.speaker import Speaker
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import answer
from bot.transport.identity import actor_of
from bot.ui.components import Outdated, Press, button, custom_id, row, whole
from bot.ui.exact import exact_form, exact_text, typed_strength
from bot.ui.group_pages import EVERYBODY, GroupIds, aimed_at, shown_faces
from bot.ui.pages import STEP, notice
from core.errors import NoSuchStoredFace, NotYours, StrengthOverLimit
from core.expressions import NEUTRAL, Strength
from core.store import GuildSettings, Owner
from core.store.groups import Member


@dataclass(frozen=True)
class Pressed:
    """A press under an answer with several faces, by the person who asked for it."""

    press: Press
    say: Speaker
    owner: Owner
    group_id: int
    members: list[Member]  # the faces that are kept still, with the strengths that are shown
    aim: int  # the face that the press is for; EVERYBODY
    expression: str
    settings: GuildSettings

    @property
    def interaction(self) -> discord.Interaction[EgaoBot]:
        return self.press.interaction

    @property
    def ids(self) -> GroupIds:
        return self.group_id, self.owner.member_id or 0, self.aim, self.expression

    @property
    def aimed(self) -> list[Member]:
        """The faces that the press is for."""
        return [one for one in self.members if self.aim in (EVERYBODY, one.face.id)]


class GroupCog(commands.Cog):
    """Whose strength, less, more, neutral, original, exact, animate, full size, delete."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        for verb, handler in (
            ("gface", self.choose), ("gminus", self.minus), ("gplus", self.plus), ("gneutral", self.neutral),
            ("goriginal", self.original), ("gexact", self.exact), ("gexactly", self.exactly),
            ("ganimate", self.animate), ("gdownload", self.download), ("gdelete", self.delete), ("gerase", self.erase),
        ):  # fmt: skip
            bot.presses.on(verb, handler)

    async def choose(self, press: Press) -> None:
        """Aim the buttons at the face that was chosen, or at everybody; the picture is not changed.

        Raises NotYours, NoSuchStoredFace, Outdated.
        """
        chosen = whole(press.chosen[0]) if press.chosen else None
        if chosen is None:
            raise Outdated
        own = await self._own(press, chosen)
        assert own.interaction.message is not None
        message = own.interaction.message
        await own.interaction.response.edit_message(view=aimed_at(message, own.aim), attachments=message.attachments)

    async def minus(self, press: Press) -> None:
        """Draw it again with the faces a step weaker."""
        await self._step(press, -STEP)

    async def plus(self, press: Press) -> None:
        """Draw it again with the faces a step stronger."""
        await self._step(press, STEP)

    async def neutral(self, press: Press) -> None:
        """Draw it with the faces without the expression."""
        await self._set(await self._own(press), NEUTRAL)

    async def original(self, press: Press) -> None:
        """Show the faces as they are in the photo."""
        await self._set(await self._own(press), 0.0)

    async def exact(self, press: Press) -> None:
        """Show the form that asks for an exact strength of the faces that the press is for; `exactly` gets the answer.

        Raises NotYours, NoSuchStoredFace, Outdated.
        """
        own = await self._own(press)
        now, high = clamp_strength(own.aimed[0].strength, own.settings), own.settings.strength_max
        await own.interaction.response.send_modal(exact_form(own.say, custom_id("gexactly", *own.ids), now, high))

    async def exactly(self, press: Press) -> None:
        """Draw the faces at the number that was typed or chosen. Raises Refused for no number, StrengthOverLimit."""
        own = await self._own(press)
        text = exact_text(press)
        strength = typed_strength(text)
        if strength is None:
            raise Refused("modal.exact.bad", value=discord.utils.escape_markdown(text[:20]))
        await self._set(own, check_strength(strength, own.settings))

    async def animate(self, press: Press) -> None:
        """Send an animation as a further message: everybody moves, or the chosen face alone."""
        await self._beside(await self._own(press), "animate", limited=True)

    async def download(self, press: Press) -> None:
        """Send the picture as it is shown in full size, so that only the member sees it."""
        await self._beside(await self._own(press), "download", limited=False)

    async def delete(self, press: Press) -> None:
        """Delete the message, also when no face is kept any more. Offers to erase the faces too. Raises NotYours."""
        group_id, member_id = press.numbers(2)
        if press.interaction.user.id != member_id:
            raise NotYours
        await require_own_message(self.bot.store, press.interaction)
        say, owner = await self.bot.speaker(press.interaction), actor_of(press.interaction)
        await press.interaction.response.defer()
        await press.interaction.delete_original_response()
        try:
            members = await self.bot.store.run(self.bot.store.groups.of, owner, group_id)
        except NoSuchStoredFace:
            await answer(press.interaction, notice(say("result.deleted.gone")))
            return
        until = int(min(one.face.expires or 0 for one in members))
        erase = button(say("button.erase.faces"), "gerase", group_id, style=discord.ButtonStyle.danger)
        await answer(press.interaction, notice(say("group.deleted", until=f"<t:{until}:f>"), row(erase)))

    async def erase(self, press: Press) -> None:
        """Erase the faces too, those that belong to whoever presses."""
        say = await self.bot.speaker(press.interaction)
        owner = actor_of(press.interaction)
        await self.bot.store.run(self.bot.store.groups.erase, owner, press.numbers(1)[0])
        await press.interaction.response.edit_message(view=notice(say("group.erased")).view)

    async def _own(self, press: Press, aim: int | None = None) -> Pressed:
        """Return what a press is about, if it is the requester's. Raises NotYours, NoSuchStoredFace, Outdated."""
        group_id, member_id, aimed = press.numbers(3)
        _, expression, asker = await self.bot.presser(press, member_id)
        owner = actor_of(press.interaction)
        kept = await self.bot.store.run(self.bot.store.groups.of, owner, group_id)
        now = shown(self.bot.service.runs.values(), group_id)  # noting it may take longer than a press can wait
        members = [one._replace(strength=now.get(one.face.id, one.strength)) for one in kept]
        own = Pressed(press, asker.say, owner, group_id, members, aimed if aim is None else aim, expression, asker.settings)
        if not own.aimed:  # the face was erased since
            raise NoSuchStoredFace(face=own.aim)
        return own

    async def _step(self, press: Press, change: float) -> None:
        """Draw each face that the press is for at its strength plus `change`. Raises StrengthOverLimit if none can."""
        own = await self._own(press)
        stepped = {one.face.id: clamp_strength(one.strength + change, own.settings) for one in own.aimed}
        if all(stepped[one.face.id] == one.strength for one in own.aimed):
            raise StrengthOverLimit(low=-own.settings.strength_max, high=own.settings.strength_max)
        await self._redraw(own, stepped)

    async def _set(self, own: Pressed, strength: Strength) -> None:
        await self._redraw(own, {one.face.id: strength for one in own.aimed})

    async def _beside(self, own: Pressed, kind: Kind, *, limited: bool) -> None:
        assert own.interaction.message is not None
        private = (kind == "download" and own.owner.guild_id is not None) or own.interaction.message.flags.ephemeral
        ask = self._ask(own, kind, private, {one.face.id: one.strength for one in own.members})
        await self.bot.consent.request(InteractionCaller(own.interaction, own.say, private, "think"), ask, limited=limited)

    async def _redraw(self, own: Pressed, changes: Mapping[int, Strength]) -> None:
        """Have the picture drawn with these changes; the other faces stay as strong as they are."""
        assert own.interaction.message is not None
        private = own.interaction.message.flags.ephemeral
        ask = self._ask(own, "regroup", private, {one.face.id: changes.get(one.face.id, one.strength) for one in own.members})
        await self.bot.consent.request(InteractionCaller(own.interaction, own.say, private, "update"), ask)

    def _ask(self, own: Pressed, kind: Kind, private: bool, kept: Mapping[int, Strength]) -> Ask:
        """Ask for something with the faces of the answer that are kept still, each at a strength of its own."""
        assert own.interaction.message is not None
        erased = shown_faces(own.interaction.message) - kept.keys()  # named too: the answer tells how many there are
        return Ask(
            kind,
            own.say.language,
            own.interaction.filesize_limit,
            private,
            expression=own.expression,
            keep=kind == "regroup",
            group=own.group_id,
            strengths=(*kept.items(), *((face_id, 0.0) for face_id in sorted(erased))),
            aim=own.aim,
        )


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(GroupCog(bot))
