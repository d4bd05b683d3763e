"""The panel of `/egao settings`: the settings of a server, with controls to change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bot.text.speaker import Speaker
from bot.ui.components import PressItem, button, custom_id, row
from bot.ui.pages import Page, page_of
from core import languages
from core.languages import AUTO, called
from core.store import GuildSettings

LIMITS = {
    "strength_max": "admin.strength",
    "cooldown_seconds": "admin.cooldown",
    "daily_quota": "admin.quota",
    "work_seconds": "admin.work",
}
QUEUE = {"queue_share": "admin.share", "longest_wait_seconds": "admin.wait", "retention_hours": "admin.retention"}
WHOSE = ("own", "consented", "any")
REFUSED = ("photo", "face")
USUAL = "-"  # the deployment's own generator: no name begins with a dash
MOST_CHANNELS = MOST_OPTIONS = 25  # a select's limits
TEXT_CHANNELS = [discord.ChannelType.text, discord.ChannelType.news, discord.ChannelType.forum]


def panel(say: Speaker, settings: GuildSettings, *, content: bool, saved: bool = False, generators: Sequence[str] = ()) -> Page:
    """Make the message with the present settings and their controls.

    `generators`: names, the deployment's own first, then those that may be chosen instead; () where there is no choice.
    """
    channels: ui.ChannelSelect[Any] = ui.ChannelSelect(
        custom_id=custom_id("set", "channels"), placeholder=say("admin.channels.pick"), min_values=0,
        max_values=MOST_CHANNELS, channel_types=TEXT_CHANNELS,
        default_values=[discord.Object(one) for one in settings.channels[:MOST_CHANNELS]],
    )  # fmt: skip
    roles: ui.RoleSelect[Any] = ui.RoleSelect(
        custom_id=custom_id("set", "roles"), placeholder=say("admin.roles.pick"), min_values=0, max_values=MOST_CHANNELS,
        default_values=[discord.Object(one) for one in settings.roles[:MOST_CHANNELS]],
    )  # fmt: skip
    reports: ui.ChannelSelect[Any] = ui.ChannelSelect(
        custom_id=custom_id("set", "reportchannel"), placeholder=say("admin.report.pick"), min_values=0, max_values=1,
        channel_types=TEXT_CHANNELS[:2],
        default_values=[discord.Object(settings.report_channel)] if settings.report_channel else [],
    )  # fmt: skip
    auto, spoiler = settings.auto_replies, settings.spoiler
    switches = row(
        button(say("admin.button.auto", state=say("on" if auto else "off")), "set", "auto", "off" if auto else "on"),
        button(say("admin.button.spoiler", state=say("on" if spoiler else "off")), "set", "spoiler", "off" if spoiler else "on"),
        _refused(say, settings),
        button(say("admin.button.limits"), "setform", "limits", style=discord.ButtonStyle.primary),
        button(say("admin.button.queue"), "setform", "queue", style=discord.ButtonStyle.primary),
    )
    selects = (
        channels, roles, _options(say, "whose", WHOSE, settings.whose_photos),
        _languages(say, settings.language), reports,
    )  # fmt: skip
    more = (_generators(say, settings, generators),) if generators else ()
    text = ui.TextDisplay[Any](_text(say, settings, content=content, saved=saved))
    return page_of([text, *(row(PressItem(select)) for select in (*selects, *more)), switches])


def _refused(say: Speaker, settings: GuildSettings) -> Any:
    """Make the switch for what a refused face bars: the photo, or only itself."""
    other = REFUSED[settings.refused_face == "photo"]
    return button(say("admin.button.refused", state=say(f"admin.refused.{settings.refused_face}")), "set", "refused", other)


def _text(say: Speaker, settings: GuildSettings, *, content: bool, saved: bool) -> str:
    switch = {True: say("on"), False: say("off")}
    values = {
        "admin.channels": " ".join(f"<#{one}>" for one in settings.channels) or say("none"),
        "admin.roles": " ".join(f"<@&{one}>" for one in settings.roles) or say("admin.everyone"),
        "admin.auto": switch[settings.auto_replies],
        "admin.whose": say(f"admin.whose.{settings.whose_photos}"),
        "admin.refused": say(f"admin.refused.{settings.refused_face}"),
        "admin.spoiler": switch[settings.spoiler],
        "admin.language": _called(say, settings.language),
        "admin.report": f"<#{settings.report_channel}>" if settings.report_channel else say("none"),
        **{label: f"{getattr(settings, name):g}" for name, label in (LIMITS | QUEUE).items()},
    }
    lines = [say("admin.settings.title"), *(f"- {say(label)}: **{value}**" for label, value in values.items())]
    if not content:
        lines.append(f"-# ⚠ {say('admin.content.off')}")
    if saved:
        lines.append(f"-# ✓ {say('admin.settings.saved')}")
    return "\n".join(lines)


def _options(say: Speaker, name: str, values: tuple[str, ...], current: str) -> ui.Select[Any]:
    select: ui.Select[Any] = ui.Select(custom_id=custom_id("set", name))
    for value in values:
        select.add_option(
            label=f"{say(f'admin.{name}')}: {say(f'admin.{name}.{value}')}"[:100], value=value, default=value == current
        )
    return select


def offered() -> tuple[str, ...]:
    """List what the language can be set to."""
    return (AUTO, *languages.names())


def _languages(say: Speaker, current: str) -> ui.Select[Any]:
    select: ui.Select[Any] = ui.Select(custom_id=custom_id("set", "language"))
    for one in offered()[:MOST_OPTIONS]:
        select.add_option(label=f"{say('admin.language')}: {_called(say, one)}"[:100], value=one, default=one == current)
    return select


def _generators(say: Speaker, settings: GuildSettings, names: Sequence[str]) -> ui.Select[Any]:
    """Make the select of the face generator: the deployment's own, or one by its name."""
    own, *others = names[:MOST_OPTIONS]
    select: ui.Select[Any] = ui.Select(custom_id=custom_id("set", "generator"))
    for value, text in ((USUAL, say("admin.generator.usual", name=own)), *((one, one) for one in others)):
        current = value == (settings.generator if settings.generator in others else USUAL)
        select.add_option(label=f"{say('admin.generator')}: {text}"[:100], value=value, default=current)
    return select


def _called(say: Speaker, language: str) -> str:
    """Name a language in its own words."""
    return say("admin.language.auto") if language == AUTO else called(language)
