"""A small real bot on discord.py, for the tests of the fake: every kind of thing that a bot does, once.

`python -m tests.discord.launch tests.discord.example_bot` runs it as a process.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
from typing import Any, Self

import discord
from discord import app_commands, ui
from discord.ext import commands

Asked = discord.Interaction[discord.Client]


def file_of(data: bytes, name: str = "answer.png") -> discord.File:
    return discord.File(io.BytesIO(data), name)


class Again(ui.DynamicItem[ui.Button[Any]], template=r"again:(?P<n>\d+)"):
    """A button whose state is in its custom_id, so that it survives a restart."""

    def __init__(self, n: int) -> None:
        super().__init__(ui.Button(label=f"again {n}", custom_id=f"again:{n}"))
        self.n = n

    @classmethod
    async def from_custom_id(cls, interaction: Asked, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        return cls(int(match["n"]))

    async def callback(self, interaction: Asked) -> None:
        assert interaction.message
        if not interaction.message.flags.components_v2:
            await interaction.response.edit_message(content=f"pressed {self.n}", view=controls(self.n + 1))
            return
        view = ui.LayoutView.from_message(interaction.message, timeout=None)
        for item in view.walk_children():
            if isinstance(item, ui.TextDisplay):
                item.content = f"pressed {self.n}"
        await interaction.response.edit_message(view=view)


class Form(ui.Modal, title="Strength"):
    strength: ui.Label[Any] = ui.Label(text="Strength", component=ui.TextInput(custom_id="strength", default="1.0"))
    photo: ui.Label[Any] = ui.Label(text="Photo", component=ui.FileUpload(custom_id="photo", required=False))

    async def on_submit(self, interaction: Asked) -> None:
        typed, files = self.strength.component, self.photo.component
        assert isinstance(typed, ui.TextInput)
        assert isinstance(files, ui.FileUpload)
        sizes = [len(await file.read()) for file in files.values]
        await interaction.response.edit_message(content=f"form {typed.value} {sizes}")


class Exact(ui.Button[Any]):
    def __init__(self) -> None:
        super().__init__(label="exact", custom_id="exact")

    async def callback(self, interaction: Asked) -> None:
        await interaction.response.send_modal(Form())


class Which(ui.Select[Any]):
    def __init__(self) -> None:
        options = [discord.SelectOption(label=f"face {n}", value=str(n)) for n in (1, 2, 3)]
        super().__init__(custom_id="which", placeholder="which face?", options=options)

    async def callback(self, interaction: Asked) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content=f"chose {self.values[0]}")


def controls(n: int) -> ui.View:
    view = ui.View(timeout=None)
    for item in (Again(n), Exact(), Which()):
        view.add_item(item)
    return view


class ExampleBot(commands.AutoShardedBot):
    """`hold` stops a photo's answer half-way until it is set."""

    def __init__(self, *, message_content: bool = True) -> None:
        intents = discord.Intents.default()
        intents.message_content = message_content
        super().__init__("!", intents=intents, allowed_mentions=discord.AllowedMentions.none())
        self.hold: asyncio.Event | None = None
        self.lost: list[int] = []  # codes of failed answers
        self.seen: list[str] = []
        add_commands(self)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Again)
        self.add_view(controls(0))
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        self.seen.append(message.content)
        if not message.attachments:
            return
        reply = await message.reply("at work ...")
        if self.hold:
            await self.hold.wait()
        data = await message.attachments[0].read()
        await reply.edit(content="done", attachments=[file_of(data)], view=controls(1))

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        self.seen.append(f"left {guild.name}")

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self.seen.append(f"joined {guild.name}")

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        self.seen.append(f"deleted {payload.message_id}")

    async def on_member_ban(self, guild: discord.Guild, user: discord.abc.User) -> None:
        self.seen.append(f"banned {user.id}")


def add_commands(bot: ExampleBot) -> None:
    @bot.tree.command(description="Echo a photo.")
    async def smile(
        interaction: Asked, strength: app_commands.Range[float, 0.0, 2.0], photo: discord.Attachment | None = None
    ) -> None:
        await interaction.response.defer(thinking=True)
        files = [file_of(await photo.read())] if photo else []
        await interaction.edit_original_response(content=f"smile {strength}", attachments=files, view=controls(1))
        await interaction.followup.send(f"limit {interaction.filesize_limit}", ephemeral=True)

    @bot.tree.command(description="Answer too late.")
    async def late(interaction: Asked, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await interaction.response.send_message("late")
        except discord.HTTPException as error:
            bot.lost.append(error.code)

    @bot.tree.command(description="A gallery.")
    async def gallery(interaction: Asked, photo: discord.Attachment) -> None:
        data = await photo.read()
        view = ui.LayoutView(timeout=None)
        names = ("original.png", "neutral.png", "smile.png")
        items = [discord.MediaGalleryItem(f"attachment://{name}", description=name) for name in names]
        view.add_item(ui.Container(ui.TextDisplay("Three of you"), ui.MediaGallery(*items), ui.ActionRow(Again(1))))
        await interaction.response.send_message(view=view, files=[file_of(data, name) for name in names])

    @bot.tree.command(description="Only for you.")
    async def privately(interaction: Asked) -> None:
        await interaction.response.send_message(f"hush, {interaction.user.name} {interaction.locale}", ephemeral=True)

    @bot.tree.context_menu(name="Look")
    async def look(interaction: Asked, message: discord.Message) -> None:
        sizes = [len(await attachment.read()) for attachment in message.attachments]
        await interaction.response.send_message(f"looked at {sizes}")

    admins = discord.Permissions(manage_guild=True)
    group = app_commands.Group(name="egao", description="Admin.", default_permissions=admins)

    @group.command(description="Settings.")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def settings(interaction: Asked, hours: app_commands.Range[int, 1, 720] = 48) -> None:
        await interaction.response.send_message(f"kept {hours}", ephemeral=True)

    @settings.error
    async def refused(interaction: Asked, error: app_commands.AppCommandError) -> None:
        await interaction.response.send_message("for admins", ephemeral=True)

    @settings.autocomplete("hours")  # type: ignore[arg-type]  # its stub knows text options only
    async def hours(interaction: Asked, typed: int) -> list[app_commands.Choice[int]]:
        return [app_commands.Choice(name=f"{n} h", value=n) for n in (24, 48)]

    bot.tree.add_command(group)


async def main() -> None:
    discord.utils.setup_logging()
    async with ExampleBot() as bot:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(bot.close()))
        await bot.start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    asyncio.run(main())
