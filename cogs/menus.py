"""Context menus, also on phones: Apps > Make it smile (and so on) and Make it neutral, on a message or on one's own avatar."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.ask import USUAL, ask_about
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import guarded
from bot.transport.photo_source import avatar_of, photos_in
from core.errors import NotYourAvatar
from core.expressions import NEUTRAL, Strength, load, names

Interaction = discord.Interaction[EgaoBot]
Callback = Callable[[Interaction, discord.Message], Coroutine[Any, Any, None]]
OfMember = Callable[[Interaction, discord.Member | discord.User], Coroutine[Any, Any, None]]
ENTRIES = 5  # of one kind, that discord.py takes


class MenuCog(commands.Cog):
    """The context menus. For discord.py they can't be methods, so they are made and added here."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        shown = names()[: ENTRIES - 1]  # the default one first; the others have their commands
        self.menus = [
            *(app_commands.ContextMenu(name=load(name).said("en").menu, callback=self._entry(USUAL, name)) for name in shown),
            app_commands.ContextMenu(name="Make it neutral", callback=self._entry(NEUTRAL)),
            *(app_commands.ContextMenu(name=load(name).said("en").menu, callback=self._of_avatar(USUAL, name)) for name in shown),
            app_commands.ContextMenu(name="Make it neutral", callback=self._of_avatar(NEUTRAL)),
        ]

    async def cog_load(self) -> None:
        for menu in self.menus:
            self.bot.tree.add_command(menu)

    def _entry(self, strength: Strength, expression: str = "") -> Callback:
        """Make the callback that draws the photo of a message at a strength; "" is the default expression."""

        async def chosen(interaction: Interaction, message: discord.Message) -> None:
            await guarded(interaction, self._edit(interaction, message, strength, expression))

        return chosen

    def _of_avatar(self, strength: Strength, expression: str = "") -> OfMember:
        """Make what draws one's own avatar; the entry stands in the menu of a member."""

        async def chosen(interaction: Interaction, member: discord.Member | discord.User) -> None:
            await guarded(interaction, self._edit(interaction, member, strength, expression))

        return chosen

    async def _edit(
        self, interaction: Interaction, what: discord.Message | discord.Member | discord.User, strength: Strength, expression: str
    ) -> None:
        asker = await self.bot.asker(interaction)
        say, private = asker.say, asker.wants_private()
        about: dict[str, Any] = {"strength": strength, "expression": expression}
        if isinstance(what, discord.Message):
            photos = await photos_in(self.bot, what, away=asker.away)
        elif what.id == interaction.user.id:
            photos = [avatar_of(what)]
        else:
            raise NotYourAvatar
        ask = ask_about(photos, say.language, interaction.filesize_limit, private, **about)
        caller = InteractionCaller(interaction, say, private, "say")
        await self.bot.consent.request(caller, ask, limited=True)


async def setup(bot: EgaoBot) -> None:
    """Add the cog; discord.py calls this when it loads the file."""
    await bot.add_cog(MenuCog(bot))
