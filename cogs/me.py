"""Help, privacy, the member's requests, and who sees the results of their commands."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.ask import WORDS
from bot.text.command_names import DOES, OPTIONS, SHOW
from bot.text.privacy import privacy
from bot.text.speaker import Speaker
from bot.transport.error_replies import answer, told
from bot.transport.identity import actor_of, home_of
from bot.ui.components import button, row
from bot.ui.pages import notice
from core.expressions import load, names
from core.languages import ENGLISH
from core.store import Job

Interaction = discord.Interaction[EgaoBot]


class MeCog(commands.Cog):
    """These commands. Only the member sees the answers."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot

    @app_commands.command(name="help", description=DOES["help"])
    @told
    async def help(self, interaction: Interaction) -> None:
        """Explain egao, with the limits of this server."""
        asker = await self.bot.asker(interaction)
        say, settings = asker.say, asker.settings
        low, high = say.strength(-settings.strength_max), say.strength(settings.strength_max)
        commands, retention = say.commands(), say.hours(settings.retention_hours)
        text = say("help.text", commands=commands, others=self._others(say), low=low, high=high, retention=retention)
        if home_of(interaction) is not None and interaction.permissions.manage_guild:
            text += "\n" + say("help.admin")
        await answer(interaction, notice(text))

    @app_commands.command(name="privacy", description=DOES["privacy"])
    @told
    async def privacy(self, interaction: Interaction) -> None:
        """Show the whole privacy statement."""
        asker = await self.bot.asker(interaction)
        say, settings = asker.say, asker.settings
        checks = self.bot.settings.gates != "off"
        await answer(
            interaction, notice(privacy(say, settings.retention_hours, checks=checks, asks=bool(self.bot.settings.pluralkit)))
        )

    @app_commands.command(name="queue", description=DOES["queue"])
    @told
    async def queue(self, interaction: Interaction) -> None:
        """List the member's requests, each with its place, its time and a button to cancel it."""
        say = await self.bot.speaker(interaction)
        owner = actor_of(interaction)
        jobs = await self.bot.store.run(self.bot.store.jobs.of, owner)
        waiting = say("queue.all", count=sum(self.bot.executor.stats().waiting.values()))
        if not jobs:
            await answer(interaction, notice(f"{say('queue.none')}\n-# {waiting}"))
            return
        lines = [say("queue.line", kind=say(WORDS[job.kind].name), state=self._state(say, job)) for job in jobs]
        cancels = [button(f"{say('button.cancel')} {n}", "cancel", job.id) for n, job in enumerate(jobs[:5], 1)]
        await answer(interaction, notice("\n".join((say("queue.title"), *lines, f"-# {waiting}")), row(*cancels)))

    @app_commands.command(name="visibility", description=DOES["visibility"])
    @app_commands.describe(show=OPTIONS["show"])
    @app_commands.choices(show=SHOW)
    @told
    async def visibility(self, interaction: Interaction, show: Choice[str]) -> None:
        """Store who sees the results of the member's commands, on all servers; each command's own option takes precedence."""
        say = await self.bot.speaker(interaction)
        public = show.value == "public"
        store = self.bot.store
        await store.run(store.members.set_visibility, interaction.user.id, "public" if public else "private")
        await answer(interaction, notice(say("visibility.public" if public else "visibility.private")))

    def _others(self, say: Speaker) -> str:
        """Explain the commands that have nothing to do with an expression, a line for each, as they are registered."""
        explained = {"neutral", "animate", "help", *(load(name).said(ENGLISH).name for name in names())}
        own = [one for one in self.bot.tree.get_commands() if isinstance(one, app_commands.Command) and one.name not in explained]
        return "\n".join(say("help.command", name=one.name, does=say.description(one.description)) for one in own)

    def _state(self, say: Speaker, job: Job) -> str:
        if job.id in self.bot.service.choosing:
            return say("queue.choosing")
        progress = self.bot.service.place(job.id)
        if progress is not None and progress.place:
            return say("queue.waiting", place=progress.place, eta=say.duration(progress.eta_seconds or 1))
        return say("queue.running")


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(MeCog(bot))
