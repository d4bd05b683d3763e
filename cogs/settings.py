"""What the controls in the panel of `/egao settings` do. Each change applies at once."""

from __future__ import annotations

import unicodedata
from typing import Any

import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.access import require_admin
from bot.ui.components import Form, Outdated, Press, custom_id, whole
from bot.ui.settings_panel import LIMITS, QUEUE, REFUSED, USUAL, WHOSE, offered, panel
from core.errors import BadServerSetting
from core.store import GuildSettings

FORMS = {"limits": ("admin.limits.title", LIMITS), "queue": ("admin.queue.title", QUEUE)}


class SettingsCog(commands.Cog):
    """The handlers of the controls. Each checks again that an admin uses it."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        bot.presses.on("set", self.set)
        bot.presses.on("setform", self.open_form)
        bot.presses.on("setnumbers", self.set_numbers)

    async def set(self, press: Press) -> None:
        """Change a setting by a select or a switch, `set:<name>`."""
        name = press.arguments[0] if press.arguments else ""
        await self._change(press, **self._chosen(name, press.chosen, press.arguments[1:]))

    async def open_form(self, press: Press) -> None:
        """Open a form with the present settings. Raises AdminsOnly, ServerOnly, Outdated."""
        require_admin(press.interaction)
        asker = await self.bot.asker(press.interaction)
        say, settings = asker.say, asker.settings
        title, names = FORMS[_form(press)]
        form = Form(say(title), custom_id("setnumbers", _form(press)))
        for name, label in names.items():
            low, high = GuildSettings.bounds(name)
            hint = say("admin.range", low=low, high=high)
            form.field(name, say(label), hint=hint, default=f"{getattr(settings, name):g}", max_length=8)
        await press.interaction.response.send_modal(form)

    async def set_numbers(self, press: Press) -> None:
        """Change all settings of the form, or none if one is invalid. Raises BadServerSetting, AdminsOnly, Outdated."""
        say = await self.bot.speaker(press.interaction)
        names = FORMS[_form(press)][1]
        changes = {name: unicodedata.normalize("NFKC", value).strip() for name, value in press.values.items() if name in names}
        try:
            await self._change(press, **changes)
        except BadServerSetting as error:
            name = str(error.facts["name"])
            low, high = GuildSettings.bounds(name)
            reason = say("admin.range", low=low, high=high)
            value = discord.utils.escape_markdown(str(error.facts["value"])[:20])
            raise BadServerSetting(name=say(names[name]), value=value, reason=reason) from None

    def _chosen(self, name: str, chosen: list[str], more: tuple[str, ...]) -> dict[str, Any]:
        ids = [number for number in map(whole, chosen) if number is not None]
        if name in {"channels", "roles", "reportchannel"} and len(ids) != len(chosen):
            raise Outdated
        match name:
            case "channels" | "roles":
                return {name: tuple(ids)}
            case "reportchannel":
                return {"report_channel": ids[0] if ids else None}
            case "whose" if chosen and chosen[0] in WHOSE:
                return {"whose_photos": chosen[0]}
            case "language" if chosen and chosen[0] in offered():
                return {"language": chosen[0]}
            case "generator" if chosen and chosen[0] in (USUAL, *self.bot.parts.generators.names):
                return {"generator": "" if chosen[0] == USUAL else chosen[0]}
            case "auto" if more:
                return {"auto_replies": more[0] == "on"}
            case "spoiler" if more:
                return {"spoiler": more[0] == "on"}
            case "refused" if more and more[0] in REFUSED:
                return {"refused_face": more[0]}
        raise Outdated

    async def _change(self, press: Press, **changes: Any) -> None:
        guild_id = require_admin(press.interaction)
        settings = await self.bot.store.run(self.bot.store.guilds.set, guild_id, **changes)
        say = await self.bot.speaker(press.interaction)
        generators = self.bot.parts.generators.names
        page = panel(say, settings, content=self.bot.content, saved=True, generators=generators)
        await press.interaction.response.edit_message(view=page.view)


def _form(press: Press) -> str:
    name = press.arguments[0] if press.arguments else ""
    if name not in FORMS:
        raise Outdated
    return name


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(SettingsCog(bot))
