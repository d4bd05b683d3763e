"""A command for each expression (`/smile` for the default one), `/neutral` and `/animate`: on a new photo, or a kept face."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import check_strength
from bot.requests.ask import USUAL, Ask, Kind
from bot.transport.asker import Asker
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import guarded, told
from bot.transport.identity import owner_of
from bot.transport.photo_source import PhotoRef
from bot.ui.components import whole
from core.errors import NoSuchStoredFace, NothingStored
from core.expressions import NEUTRAL, Expression, Strength, default, load, names
from core.store import StoredFace

SHOW = [Choice(name="everyone", value="public"), Choice(name="only me", value="private")]
MOST_FACES = 10_000  # no photo shows more; somebody may type a number of thousands of digits
LISTED = 25  # Discord shows no more choices
Interaction = discord.Interaction[EgaoBot]

PHOTO = "A new photo; without one, your latest face is used"
FACE = "Which face: its number in the photo, or one of your kept faces"
WORDS = default().said("en")  # Discord gets the other languages from the translator
WHO_SEES = "Who sees the result"


class EditCog(commands.Cog):
    """Always from the original: 1.5 after 1.0 is 1.5, not 2.5."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        self.expressing = [self._command_of(load(name)) for name in names()]

    async def cog_load(self) -> None:
        for command in self.expressing:
            self.bot.tree.add_command(command)

    def _command_of(self, expression: Expression) -> app_commands.Command[Any, ..., None]:
        """Make the command that draws an expression at a strength."""
        words = expression.said("en")
        asked = "" if expression.name == default().name else expression.name

        @app_commands.command(name=words.name, description=words.change)
        @app_commands.describe(strength=words.strength, photo=PHOTO, face=FACE, show=WHO_SEES)
        @app_commands.choices(show=SHOW)
        async def express(
            interaction: Interaction,
            strength: app_commands.Range[float, -3.0, 3.0],
            photo: discord.Attachment | None = None,
            face: str | None = None,
            show: Choice[str] | None = None,
        ) -> None:
            await guarded(interaction, self._express(asked, interaction, strength, photo, face, show))

        @express.autocomplete("face")
        async def kept_faces(interaction: Interaction, current: str) -> list[Choice[str]]:
            return await self._kept_faces(interaction, current)

        return express

    @app_commands.command(name="neutral", description=WORDS.remove)
    @app_commands.describe(photo=PHOTO, face=FACE, show=WHO_SEES)
    @app_commands.choices(show=SHOW)
    @told
    async def neutral(
        self,
        interaction: Interaction,
        photo: discord.Attachment | None = None,
        face: str | None = None,
        show: Choice[str] | None = None,
    ) -> None:
        """The strength at which this face shows nothing of the expression is found by the worker."""
        await self._edit(await self.bot.asker(interaction), interaction, "edit", NEUTRAL, photo, face, show)

    @app_commands.command(name="animate", description=WORDS.sweep)
    @app_commands.describe(face=FACE, show=WHO_SEES)
    @app_commands.choices(show=SHOW)
    @told
    async def animate(self, interaction: Interaction, face: str | None = None, show: Choice[str] | None = None) -> None:
        """Animate a kept face from neutral to the default expression and back."""
        await self._edit(await self.bot.asker(interaction), interaction, "animate", USUAL, None, face, show)

    @neutral.autocomplete("face")
    @animate.autocomplete("face")
    async def kept_faces(self, interaction: Interaction, current: str) -> list[Choice[str]]:
        """Complete what is typed of a face's name."""
        return await self._kept_faces(interaction, current)

    async def _kept_faces(self, interaction: Interaction, current: str) -> list[Choice[str]]:
        """List the member's own faces where they are. Names are theirs: nobody else gets them."""
        say = await self.bot.speaker(interaction)
        faces = await self.bot.store.run(self.bot.store.faces.of, owner_of(interaction.guild_id, interaction.user.id))
        named = [(one.name or say("face.unnamed", n=n), one) for n, one in enumerate(faces, 1)]
        found = [(name, one) for name, one in named if current.lower() in name.lower()]
        return [Choice(name=name[:100], value=f"#{one.id}") for name, one in found[:LISTED]]

    async def _express(
        self,
        expression: str,
        interaction: Interaction,
        strength: float,
        photo: discord.Attachment | None,
        face: str | None,
        show: Choice[str] | None,
    ) -> None:
        """Check the strength against the server's own limit, for the range that Discord checks is fixed; then edit."""
        asker = await self.bot.asker(interaction)
        await self._edit(asker, interaction, "edit", check_strength(strength, asker.settings), photo, face, show, expression)

    async def _edit(
        self,
        asker: Asker,
        interaction: Interaction,
        kind: Kind,
        strength: Strength,
        photo: discord.Attachment | None,
        face: str | None,
        show: Choice[str] | None,
        expression: str = "",
    ) -> None:
        say, private = asker.say, asker.wants_private(show.value if show is not None else None)
        limit = interaction.filesize_limit
        if photo is not None:
            number = _numbered(face)
            ask = Ask(
                "photo", say.language, limit, private, PhotoRef.of(photo), face=number, strength=strength, expression=expression
            )
            caller = InteractionCaller(interaction, say, private, "say")
            await self.bot.consent.request(caller, ask, limited=True)
            return
        stored = await self._stored(interaction, face)
        ask = Ask(kind, say.language, limit, private, face_id=stored.id, strength=strength, expression=expression)
        caller = InteractionCaller(interaction, say, private, "think")
        await self.bot.consent.request(caller, ask, limited=kind == "animate")

    async def _stored(self, interaction: Interaction, face: str | None) -> StoredFace:
        """Find the face that is meant by a choice of the list, a typed name or number, or nothing: the latest."""
        owner = owner_of(interaction.guild_id, interaction.user.id)
        faces = await self.bot.store.run(self.bot.store.faces.of, owner)
        if not faces:
            raise NothingStored
        if face is None:
            return faces[0]
        for number, one in enumerate(faces, 1):
            if face in (f"#{one.id}", str(number)) or face.lower() == (one.name or "").lower():
                return one
        raise NoSuchStoredFace(face=face)


def _numbered(face: str | None) -> int | None:
    """Which face of a new photo is meant, from 0; None if that was not said by a number."""
    if face is None or not face.isdecimal():
        return None
    number = whole(face)
    if number is None or number > MOST_FACES:
        raise NoSuchStoredFace(face=f"{face[:8]}…")
    return number - 1


async def setup(bot: EgaoBot) -> None:
    """Add the cog; discord.py calls this when it loads the file."""
    await bot.add_cog(EditCog(bot))
