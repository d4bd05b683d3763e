"""A command for each expression (`/smile`, …), `/neutral` and `/animate`, for a new photo or a kept face."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import check_strength
from bot.requests.ask import USUAL, Ask, Kind, ask_about
from bot.text.command_names import OPTIONS, SHOW, WHICH, shared
from bot.text.refusals import Refused
from bot.transport.asker import Asker
from bot.transport.callers import InteractionCaller
from bot.transport.error_replies import guarded
from bot.transport.identity import actor_of
from bot.transport.photo_source import MOST_PHOTOS, PhotoRef, is_picture
from bot.ui.components import Outdated, Press, whole
from bot.ui.photo_form import photo_form, wish
from core.errors import NoPhoto, NothingStored
from core.expressions import NEUTRAL, Expression, Strength, load, names, names_with_variations, options, varied
from core.store import StoredFace

MOST_FACES = 10_000  # no photo shows more; somebody may type a number of thousands of digits
LISTED = 25  # Discord shows no more choices
Interaction = discord.Interaction[EgaoBot]
Callback = Callable[..., Coroutine[Any, Any, None]]
Command = app_commands.Command[Any, ..., None]


@dataclass(frozen=True)
class Options:
    """The options of these commands."""

    expression: str = ""  # by its name; "" for the default one
    photo: discord.Attachment | None = None
    face: str | None = None  # a number, a name, or what `EditCog.kept_faces` offered
    show: Choice[str] | None = None  # one of SHOW


class EditCog(commands.Cog):
    """The commands. They always edit the original: 1.5 after 1.0 gives 1.5, not 2.5."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("photoask", self.ask_for_photos)
        bot.presses.on("photosent", self.photos_sent)
        self.made = [*(self._command_of(load(name)) for name in names()), self._neutral(), self._animate()]

    async def cog_load(self) -> None:
        for command in self.made:
            self.bot.tree.add_command(command)

    def _command_of(self, expression: Expression) -> Command:
        """Make the command that draws an expression at a strength."""
        words = expression.said("en")

        async def express(
            interaction: Interaction,
            strength: app_commands.Range[float, -3.0, 3.0],
            photo: discord.Attachment | None = None,
            face: str | None = None,
            show: Choice[str] | None = None,
            teeth: str = "",
            eyes: str = "",
        ) -> None:
            shown = varied(expression.name, teeth, eyes).at(strength)
            asked = Options("" if shown.default else shown.name, photo, face, show)
            await guarded(interaction, self._express(interaction, strength, asked))

        return self._command(words.name, words.change, _varying(express, options(expression.name)), strength=words.strength)

    def _neutral(self) -> Command:
        """Make `/neutral`. The worker finds the strength at which a face shows nothing of the expression."""

        async def neutral(
            interaction: Interaction,
            photo: discord.Attachment | None = None,
            face: str | None = None,
            show: Choice[str] | None = None,
            expression: str = "",
        ) -> None:
            await guarded(interaction, self._start(interaction, "edit", NEUTRAL, Options(expression, photo, face, show)))

        return self._command("neutral", shared("en").remove, neutral)

    def _animate(self) -> Command:
        """Make `/animate`, which moves a kept face from neutral to an expression and back."""

        async def animate(
            interaction: Interaction, face: str | None = None, show: Choice[str] | None = None, expression: str = ""
        ) -> None:
            await guarded(interaction, self._start(interaction, "animate", USUAL, Options(expression, None, face, show)))

        return self._command("animate", shared("en").sweep, animate)

    def _command(self, name: str, does: str, callback: Callback, **more: str) -> Command:
        """Make a command of a callback, with the same descriptions of options as all others. `more` describes its own options."""
        callback = _choosing(callback)
        taken = inspect.signature(callback).parameters
        said = {**OPTIONS, WHICH: shared("en").which, **more}
        app_commands.describe(**{option: text for option, text in said.items() if option in taken})(callback)
        app_commands.choices(show=SHOW)(callback)
        command: Command = app_commands.command(name=name, description=does)(callback)
        command.autocomplete("face")(self.kept_faces)
        return command

    async def kept_faces(self, interaction: Interaction, current: str) -> list[Choice[str]]:
        """Complete the option `face` from the member's own kept faces in this place. Nobody else sees their names."""
        say = await self.bot.speaker(interaction)
        faces = await self.bot.store.run(self.bot.store.faces.of, actor_of(interaction))
        named = [(one.name or say("face.unnamed", n=n), one) for n, one in enumerate(faces, 1)]
        found = [(name, one) for name, one in named if current.lower() in name.lower()]
        return [Choice(name=name[:100], value=f"#{one.id}") for name, one in found[:LISTED]]

    async def _express(self, interaction: Interaction, strength: float, options: Options) -> None:
        """Check the strength against the server's limit (Discord only checks a fixed range), then edit."""
        asker = await self.bot.asker(interaction)
        await self._edit(asker, interaction, "edit", check_strength(strength, asker.settings), options)

    async def _start(self, interaction: Interaction, kind: Kind, strength: Strength, options: Options) -> None:
        """Edit at a strength that needs no check against the server's limit."""
        await self._edit(await self.bot.asker(interaction), interaction, kind, strength, options)

    async def _edit(self, asker: Asker, interaction: Interaction, kind: Kind, strength: Strength, options: Options) -> None:
        say, private = asker.say, asker.wants_private(options.show.value if options.show is not None else None)
        limit, photo = interaction.filesize_limit, options.photo
        about: dict[str, Any] = {"strength": strength, "expression": options.expression}
        if photo is not None:
            ask = Ask("photo", say.language, limit, private, PhotoRef.of(photo), face=_numbered(options.face), **about)
            caller = InteractionCaller(interaction, say, private, "say")
            await self.bot.consent.request(caller, ask, limited=True)
            return
        try:
            stored = await self._stored(interaction, options.face)
        except NothingStored:
            if kind != "edit" or options.face is not None:
                raise
            show = "" if options.show is None else options.show.value
            form = photo_form(say, strength, options.expression, show, MOST_PHOTOS)
            await interaction.response.send_modal(form)
            return
        ask = Ask(kind, say.language, limit, private, face_id=stored.id, **about)
        caller = InteractionCaller(interaction, say, private, "think")
        await self.bot.consent.request(caller, ask, limited=kind == "animate")

    async def ask_for_photos(self, press: Press) -> None:
        """Open the form that takes photos. Raises Outdated."""
        say, (strength, expression, show) = await self.bot.speaker(press.interaction), wish(press)
        await press.interaction.response.send_modal(photo_form(say, strength, expression, show or "", MOST_PHOTOS))

    async def photos_sent(self, press: Press) -> None:
        """Edit the photos of a sent form, as whoever opened it wanted. Raises Outdated, StrengthOverLimit, NoPhoto."""
        interaction, (strength, expression, show) = press.interaction, wish(press)
        if expression not in ("", *names_with_variations()):
            raise Outdated
        asker = await self.bot.asker(interaction)
        if not isinstance(strength, str):
            strength = check_strength(strength, asker.settings)
        photos = [PhotoRef.of(one) for one in press.files if is_picture(one)][:MOST_PHOTOS]
        if not photos:
            raise NoPhoto
        private, limit = asker.wants_private(show), interaction.filesize_limit
        ask = ask_about(photos, asker.say.language, limit, private, strength=strength, expression=expression)
        await self.bot.consent.request(InteractionCaller(interaction, asker.say, private, "say"), ask, limited=True)

    async def _stored(self, interaction: Interaction, face: str | None) -> StoredFace:
        """Find the kept face that is meant: a choice of the list, a typed name or number, or (None) the latest.

        Raises NothingStored; Refused if there is none such.
        """
        owner = actor_of(interaction)
        faces = await self.bot.store.run(self.bot.store.faces.of, owner)
        if not faces:
            raise NothingStored
        if face is None:
            return faces[0]
        for number, one in enumerate(faces, 1):
            if face in (f"#{one.id}", str(number)) or face.lower() == (one.name or "").lower():
                return one
        raise Refused("result.erased")  # without what was typed, which nobody else is to see


def _choosing(callback: Callback) -> Callback:
    """Make the `expression` of a callback a choice if there are several expressions, and remove it if there is only one."""
    taken = inspect.signature(callback, eval_str=True)
    if WHICH in taken.parameters and len(names()) > 1:
        choices = [Choice(name=load(name).said("en").name, value=name) for name in names()[:LISTED]]
        return app_commands.choices(**{WHICH: choices})(callback)
    return _without(WHICH, callback)


def _varying(callback: Callback, choices: Mapping[str, Sequence[str]]) -> Callback:
    """Make `teeth` and `eyes` of a callback choices of the expression's options, and remove what it has no choices for."""
    for option in ("teeth", "eyes"):
        if option in choices:
            callback = app_commands.choices(**{option: [Choice(name=one, value=one) for one in choices[option]]})(callback)
        else:
            callback = _without(option, callback)
    return callback


def _without(parameter: str, callback: Callback) -> Callback:
    """Remove a parameter, if the callback has it, from the signature that discord.py goes by."""
    taken = inspect.signature(callback, eval_str=True)
    kept = [one for name, one in taken.parameters.items() if name != parameter]
    callback.__signature__ = taken.replace(parameters=kept)  # type: ignore[attr-defined]
    return callback


def _numbered(face: str | None) -> int | None:
    """Parse which face of a new photo is meant, from 0; None if it is no number. Raises Refused for a huge one."""
    if face is None or not face.isdecimal():
        return None
    number = whole(face)
    if number is None or number > MOST_FACES:
        raise Refused("result.erased")
    return number - 1


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(EditCog(bot))
