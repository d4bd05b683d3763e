"""`/faces`: the member's kept faces in this place, to choose, rename and erase. Only they see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.client import EgaoBot
from bot.text.command_names import DOES
from bot.text.speaker import Speaker
from bot.transport.error_replies import answer, told
from bot.transport.identity import actor_of
from bot.ui.components import Form, Press, PressItem, button, custom_id, row
from bot.ui.pages import Attached, Page, notice, page_of, pager, suffix
from core.store import Owner, StoredFace

PER_PAGE = 6
NAME = 40  # characters
Interaction = discord.Interaction[EgaoBot]


class FacesCog(commands.Cog):
    """The list of faces, and the view of one face, in one message."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        for verb, handler in (
            ("facelist", self.turn), ("facepick", self.open), ("faceuse", self.use), ("facename", self.ask_name),
            ("facenamed", self.rename), ("facedelete", self.delete),
        ):  # fmt: skip
            bot.presses.on(verb, handler)

    @app_commands.command(name="faces", description=DOES["faces"])
    @told
    async def faces(self, interaction: Interaction) -> None:
        """Show the first part of the list."""
        say = await self.bot.speaker(interaction)
        await answer(interaction, await self._list(say, _owner(interaction), 0))

    async def turn(self, press: Press) -> None:
        """Show another part of the list, or return to it from a face."""
        say = await self.bot.speaker(press.interaction)
        await _replace(press.interaction, await self._list(say, _owner(press.interaction), press.numbers(1)[0]))

    async def open(self, press: Press) -> None:
        """Show the face chosen in the list."""
        say = await self.bot.speaker(press.interaction)
        await _replace(press.interaction, await self._one(say, _owner(press.interaction), press.choice() or 0))

    async def use(self, press: Press) -> None:
        """Make this face the one that `/smile` uses."""
        say, owner = await self.bot.speaker(press.interaction), _owner(press.interaction)
        face = await self.bot.store.run(self.bot.store.faces.pick, owner, press.numbers(1)[0])
        text = say("mine.faces.picked", name=await self._name(say, owner, face))
        await _replace(press.interaction, await self._list(say, owner, 0, text))

    async def ask_name(self, press: Press) -> None:
        """Open a form that asks for the face's name."""
        say, (number,) = await self.bot.speaker(press.interaction), press.numbers(1)
        face = await self.bot.store.run(self.bot.store.faces.get, _owner(press.interaction), number)
        form = Form(say("modal.rename.title"), custom_id("facenamed", number)).field(
            "name", say("modal.rename.label"), max_length=NAME, required=False, default=face.name or ""
        )
        await press.interaction.response.send_modal(form)

    async def rename(self, press: Press) -> None:
        """Give the face the typed name; an empty one removes the name."""
        say, owner, (number,) = await self.bot.speaker(press.interaction), _owner(press.interaction), press.numbers(1)
        name = " ".join(press.values.get("name", "").split())[:NAME] or None
        await self.bot.store.run(self.bot.store.faces.rename, owner, number, name)
        face = await self.bot.store.run(self.bot.store.faces.get, owner, number)
        text = say("mine.faces.renamed", name=await self._name(say, owner, face))
        await _replace(press.interaction, await self._list(say, owner, 0, text))

    async def delete(self, press: Press) -> None:
        """Erase the face, and say so."""
        say, owner, (number,) = await self.bot.speaker(press.interaction), _owner(press.interaction), press.numbers(1)
        face = await self.bot.store.run(self.bot.store.faces.get, owner, number)
        text = say("mine.faces.deleted", name=await self._name(say, owner, face))
        await self.bot.store.run(self.bot.store.faces.delete, owner, number)
        await _replace(press.interaction, await self._list(say, owner, 0, text))

    async def _list(self, say: Speaker, owner: Owner, number: int, text: str = "") -> Page:
        faces = await self.bot.store.run(self.bot.store.faces.of, owner)
        title = say("mine.faces.title" if owner.guild_id is not None else "mine.faces.title.direct")
        if not faces:
            return notice("\n".join(filter(None, (text, title, say("mine.faces.none")))))
        pages = math.ceil(len(faces) / PER_PAGE)
        number = max(0, min(number, pages - 1))
        shown = list(enumerate(faces, 1))[number * PER_PAGE : (number + 1) * PER_PAGE]
        pictures = [await self._picture(owner, face) for _, face in shown]
        items: list[ui.Item[Any]] = [ui.TextDisplay("\n".join(filter(None, (text, title))))]
        items += [_section(say, n, face, part) for (n, face), part in zip(shown, pictures, strict=True)]
        items.append(row(PressItem(_select(say, shown))))
        if pages > 1:
            items.append(row(*pager(say, "facelist", number=number, pages=pages)))
        return page_of(items, pictures)

    async def _one(self, say: Speaker, owner: Owner, number: int) -> Page:
        face = await self.bot.store.run(self.bot.store.faces.get, owner, number)
        part = await self._picture(owner, face)
        text = say("mine.faces.manage", name=await self._name(say, owner, face), until=_until(face))
        thumbnail: ui.Thumbnail[Any] = ui.Thumbnail(f"attachment://{part.name}", description=say("alt.original"))
        buttons = row(
            button(say("button.face.use"), "faceuse", number, style=discord.ButtonStyle.primary),
            button(say("button.face.rename"), "facename", number),
            button(say("button.face.delete"), "facedelete", number, style=discord.ButtonStyle.danger),
            button(say("button.face.back"), "facelist", 0),
        )
        return page_of([ui.Section(ui.TextDisplay(text), accessory=thumbnail), buttons], [part])

    async def _picture(self, owner: Owner, face: StoredFace) -> Attached:
        data = await self.bot.store.run(self.bot.store.faces.thumbnail, owner, face.id)
        return Attached(f"face-{face.id}.{suffix(data)}", data)

    async def _name(self, say: Speaker, owner: Owner, face: StoredFace) -> str:
        faces = await self.bot.store.run(self.bot.store.faces.of, owner)
        number = next((n for n, one in enumerate(faces, 1) if one.id == face.id), 1)
        return _shown_name(say, number, face)


def _shown_name(say: Speaker, number: int, face: StoredFace) -> str:
    return discord.utils.escape_markdown(face.name) if face.name else say("face.unnamed", n=number)


def _section(say: Speaker, number: int, face: StoredFace, part: Attached) -> ui.Item[Any]:
    text = say("mine.faces.line", n=number, name=_shown_name(say, number, face), until=_until(face))
    if number == 1:
        text += f"\n-# {say('mine.faces.latest')}"
    picture: ui.Thumbnail[Any] = ui.Thumbnail(f"attachment://{part.name}", description=_shown_name(say, number, face))
    return ui.Section(ui.TextDisplay(text), accessory=picture)


def _select(say: Speaker, shown: Sequence[tuple[int, StoredFace]]) -> ui.Select[Any]:
    select: ui.Select[Any] = ui.Select(custom_id=custom_id("facepick"), placeholder=say("mine.faces.select"))
    for number, face in shown:
        select.add_option(label=face.name or say("face.unnamed", n=number), value=str(face.id))
    return select


def _until(face: StoredFace) -> str:
    return f"<t:{int(face.expires or 0)}:f>"


def _owner(interaction: Interaction) -> Owner:
    return actor_of(interaction)


async def _replace(interaction: Interaction, page: Page) -> None:
    await interaction.response.edit_message(view=page.view, attachments=page.files())


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(FacesCog(bot))
