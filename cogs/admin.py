"""`/egao …`: commands for members who may manage the server. That is checked here too, whatever Discord shows to whom."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import require_admin
from bot.text.command_names import DOES, ONLY, OPTIONS
from bot.text.speaker import Speaker
from bot.transport.error_replies import answer, told
from bot.transport.identity import owner_of
from bot.ui.components import Press, button, row
from bot.ui.pages import Page, link_to, notice
from bot.ui.settings_panel import panel

DAY = 86_400.0
LISTED = 5  # reports shown in the status
Interaction = discord.Interaction[EgaoBot]


class AdminCog(
    commands.GroupCog,
    group_name="egao",
    group_description=DOES["egao"],
):
    """The admin commands. Only the admin sees the answers."""

    def __init__(self, bot: EgaoBot) -> None:
        super().__init__()
        self.bot = bot
        self.started = time.monotonic()
        bot.presses.on("purge", self.purge_confirmed)
        bot.presses.on("purgenot", self.purge_not)
        bot.presses.on("listhandled", self.report_handled)

    @app_commands.command(name="settings", description=DOES["settings"])
    @told
    async def settings(self, interaction: Interaction) -> None:
        """Show the server's settings with controls to change them."""
        require_admin(interaction)
        asker = await self.bot.asker(interaction)
        generators = self.bot.parts.generators.names
        await answer(interaction, panel(asker.say, asker.settings, content=self.bot.content, generators=generators))

    @app_commands.command(name="status", description=DOES["status"])
    @told
    async def status(self, interaction: Interaction) -> None:
        """Show numbers about this server, and those about the whole bot that are no secret."""
        guild_id = require_admin(interaction)
        say = await self.bot.speaker(interaction)
        await answer(interaction, await self._status(say, guild_id))

    async def report_handled(self, press: Press) -> None:
        """Close a report from the list in the status, and show the remaining ones."""
        guild_id = require_admin(press.interaction)
        store = self.bot.store
        await store.run(store.reports.close, guild_id, press.numbers(1)[0])
        page = await self._status(await self.bot.speaker(press.interaction), guild_id)
        await press.interaction.response.edit_message(view=page.view)

    @app_commands.command(name="block", description=DOES["block"])
    @app_commands.describe(member=OPTIONS["member"])
    @told
    async def block(self, interaction: Interaction, member: discord.User) -> None:
        """Block a member on this server, and erase what is kept of them here."""
        guild_id = require_admin(interaction)
        say, store = await self.bot.speaker(interaction), self.bot.store
        await store.run(store.members.block, guild_id, member.id)
        await self.bot.erasure.member_here(owner_of(guild_id, member.id))
        await answer(interaction, notice(say("admin.blocked", member=member.mention)))

    @app_commands.command(name="unblock", description=DOES["unblock"])
    @app_commands.describe(member=OPTIONS["member"])
    @told
    async def unblock(self, interaction: Interaction, member: discord.User) -> None:
        """Lift a member's block; erased data does not come back."""
        guild_id = require_admin(interaction)
        say, store = await self.bot.speaker(interaction), self.bot.store
        was = await store.run(store.members.unblock, guild_id, member.id)
        await answer(interaction, notice(say("admin.unblocked" if was else "admin.unblocked.not", member=member.mention)))

    @app_commands.command(name="purge", description=DOES["purge"])
    @app_commands.describe(member=ONLY)
    @told
    async def purge(self, interaction: Interaction, member: discord.User | None = None) -> None:
        """Ask for confirmation to erase the faces, requests and reports of the server or of one member: it can't be undone."""
        guild_id = require_admin(interaction)
        say, store = await self.bot.speaker(interaction), self.bot.store
        count = await store.run(store.faces.count, guild_id)
        if member is None:
            text = say("admin.purge.ask", faces=count.faces)
        else:
            text = say("admin.purge.ask.member", member=member.mention)
        sure = button(
            say("admin.purge.confirm"), "purge", member.id if member is not None else 0, style=discord.ButtonStyle.danger
        )
        await answer(interaction, notice(text, row(sure, button(say("forget.cancel"), "purgenot"))))

    async def purge_confirmed(self, press: Press) -> None:
        """Erase after confirmation, checking again that an admin pressed the button."""
        guild_id = require_admin(press.interaction)
        (member_id,) = press.numbers(1)
        say = await self.bot.speaker(press.interaction)
        with contextlib.suppress(discord.HTTPException):  # whether or not Discord takes the answer, it is erased
            await press.interaction.response.defer()
        if member_id:
            erased = await self.bot.erasure.member_here(owner_of(guild_id, member_id))
        else:
            erased = await self.bot.erasure.faces_of_server(guild_id)
        page = notice(say("admin.purge.done", faces=erased.faces))
        await press.interaction.edit_original_response(view=page.view)

    async def purge_not(self, press: Press) -> None:
        """Change nothing: the admin pressed cancel."""
        say = await self.bot.speaker(press.interaction)
        await press.interaction.response.edit_message(view=notice(say("admin.purge.kept")).view)

    async def _status(self, say: Speaker, guild_id: int) -> Page:
        store, stats = self.bot.store, self.bot.executor.stats()
        today = await store.run(store.jobs.counts, guild_id, store.now() - DAY)
        kept = await store.run(store.faces.count, guild_id)
        reports = await store.run(store.reports.of, guild_id, LISTED)
        disk = await asyncio.to_thread(shutil.disk_usage, self.bot.settings.home)
        elapsed = sum(tally.elapsed_seconds for tally in stats.kinds.values())
        ready = any(worker.state == "ready" for worker in stats.workers)
        text = say(
            "admin.status",
            waiting=sum(stats.waiting.values()),
            running=stats.running,
            worker=say("admin.worker.up" if ready else "admin.worker.down"),
            done=today["done"],
            failed=today["failed"],
            uptime=say.duration(time.monotonic() - self.started),
            total=stats.done,
            total_failed=stats.failed,
            pace=say.duration(elapsed / stats.done) if stats.done else say("none"),
            faces=kept.faces,
            members=kept.members,
            blocked=len(await store.run(store.members.blocked, guild_id)),
            reports=await store.run(store.reports.count, guild_id),
            disk=disk.free / 2**20,
            content=say("on" if self.bot.content else "off"),
        )
        if not reports:
            return notice(text)
        lines = [
            f"{number}. <@{one.member_id}> {link_to(one)}: " + discord.utils.escape_markdown(one.reason[:100]).replace("\n", " ")
            for number, one in enumerate(reports, 1)
        ]
        done = [button(f"{say('report.done')}: {number}", "listhandled", one.id) for number, one in enumerate(reports, 1)]
        return notice("\n".join((text, say("admin.status.reports"), *lines)), row(*done))


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts. Discord hides the commands from those who may not manage the server."""
    cog = AdminCog(bot)
    assert cog.app_command is not None
    cog.app_command.default_permissions = discord.Permissions(manage_guild=True)
    cog.app_command.guild_only = True
    cog.app_command.allowed_contexts = app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False)
    cog.app_command.allowed_installs = app_commands.AppInstallationType(guild=True, user=False)  # only servers that added it
    await bot.add_cog(cog)
