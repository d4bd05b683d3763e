"""Context menus, also on phones, on a message or on one's own avatar: Apps > what each expression calls it, and Make it neutral.

Discord has room for few entries. Where there are more expressions, the last entry asks in a form which of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.ask import USUAL, ask_about
from bot.text.command_names import ANOTHER, REST, in_menus, translated
from bot.text.speaker import Speaker
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import guarded
from bot.transport.photo_source import avatar_of, photos_in
from bot.ui.components import FORM_SECONDS
from core.errors import NotYourAvatar
from core.expressions import NEUTRAL, Strength, load, named, names
from core.languages import ENGLISH

Interaction = discord.Interaction[EgaoBot]
Pictured = discord.Message | discord.Member | discord.User  # what a menu is opened on
Chosen = Callable[[Interaction, Any], Coroutine[Any, Any, None]]  # with a Pictured
OPTIONS = 25  # of a select


class MenuCog(commands.Cog):
    """The context menus. For discord.py they can't be methods, so they are made and added here."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        entries = [(load(name).said(ENGLISH).menu, self._entry(USUAL, name)) for name in in_menus()]
        if others := names()[len(entries) :]:
            entries.append((ANOTHER, self._which(others[:OPTIONS])))
        entries.append((REST, self._entry(NEUTRAL)))
        self.menus = [app_commands.ContextMenu(name=name, callback=of(chosen)) for of in (_of_message, _of_avatar)
                      for name, chosen in entries]  # fmt: skip

    async def cog_load(self) -> None:
        for menu in self.menus:
            self.bot.tree.add_command(menu)

    def _entry(self, strength: Strength, expression: str = "") -> Chosen:
        """Make the entry that draws what it is opened on at a strength; "" is the default expression."""

        async def chosen(interaction: Interaction, what: Pictured) -> None:
            await guarded(interaction, self._edit(interaction, what, strength, expression))

        return chosen

    def _which(self, others: Sequence[str]) -> Chosen:
        """Make the entry that asks which of the other expressions is to be drawn."""

        async def ask(interaction: Interaction, what: Pictured) -> None:
            say = await self.bot.speaker(interaction)
            form = WhichForm(say, others, lambda answered, name: self._edit(answered, what, USUAL, name))
            await interaction.response.send_modal(form)

        async def chosen(interaction: Interaction, what: Pictured) -> None:
            await guarded(interaction, ask(interaction, what))

        return chosen

    async def _edit(self, interaction: Interaction, what: Pictured, strength: Strength, expression: str) -> None:
        asker = await self.bot.asker(interaction)
        say, private = asker.say, asker.wants_private()
        about: dict[str, Any] = {"strength": strength, "expression": expression}
        if isinstance(what, discord.Message):
            photos = await photos_in(self.bot, self.bot.senders, what, away=asker.away)
        elif what.id == interaction.user.id:
            photos = [avatar_of(what)]
        else:
            raise NotYourAvatar
        ask = ask_about(photos, say.language, interaction.filesize_limit, private, **about)
        caller = InteractionCaller(interaction, say, private, "say")
        await self.bot.consent.request(caller, ask, limited=True)


class WhichForm(discord.ui.Modal):
    """A form with one select: which expression. It is forgotten when the bot ends; whoever had it open is told by Discord."""

    def __init__(
        self, say: Speaker, choices: Sequence[str], draw: Callable[[Interaction, str], Coroutine[Any, Any, None]]
    ) -> None:
        title = translated(ANOTHER, say.language) or ANOTHER
        super().__init__(title=title[:45], timeout=FORM_SECONDS)
        self._draw = draw
        options = [discord.SelectOption(label=load(one).said(say.language).menu, value=one) for one in choices]
        self.choice: discord.ui.Select[Any] = discord.ui.Select(custom_id="which", options=options)
        self.add_item(discord.ui.Label(text=say("modal.which.label"), component=self.choice))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Draw the expression that was chosen."""
        await guarded(interaction, self._draw(interaction, named(next(iter(self.choice.values), "")).name))


def _of_message(chosen: Chosen) -> Any:
    """Make the callback of an entry in the menu of a message: discord.py goes by the annotation."""

    async def callback(interaction: Interaction, message: discord.Message) -> None:
        await chosen(interaction, message)

    return callback


def _of_avatar(chosen: Chosen) -> Any:
    """Make the callback of an entry in the menu of a member, for their avatar."""

    async def callback(interaction: Interaction, member: discord.Member | discord.User) -> None:
        await chosen(interaction, member)

    return callback


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(MenuCog(bot))
