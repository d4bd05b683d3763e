"""The form that takes photos: for a command that has none to work on, and below a word about what is missing."""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.text.speaker import Speaker
from bot.ui.components import Form, Press, button, custom_id, row
from bot.ui.pages import Page, notice
from core.expressions import NEUTRAL, Strength


def photo_form(say: Speaker, strength: Strength, expression: str, show: str, most: int) -> Form:
    """Make the form, for `most` photos. What is to be done with them is in its custom_id, which `wish` reads.

    `expression`: by its name, "" for the default one; `show`: "public", "private" or "" for the member's preference.
    """
    form = Form(say("modal.photo.title"), custom_id("photosent", *_said(strength, show, expression)))
    upload: ui.FileUpload[Any] = ui.FileUpload(custom_id="photos", min_values=1, max_values=most)
    return form.part(say("modal.photo.label"), upload, say("modal.photo.hint", most=most))


def _said(strength: Strength, show: str, expression: str) -> tuple[str, str, str]:
    """Write a wish as a custom_id has it; `wish` reads it. A button and its form have the same, or the form counts as forged."""
    return NEUTRAL if isinstance(strength, str) else str(round(strength * 100)), show, expression


def wish(press: Press) -> tuple[Strength, str, str | None]:
    """Read strength, expression and `show` (None for the member's preference) of a button or a sent form. Raises Outdated."""
    amount, show, expression = (press.argument(n, "") for n in range(3))
    strength: Strength = NEUTRAL if amount == NEUTRAL else press.numbers(1)[0] / 100
    return strength, expression, show or None


def with_photo_button(say: Speaker, text: str, strength: Strength) -> Page:
    """Say something, with a button below that opens the form, for this strength of the default expression."""
    ask = button(say("button.photo"), "photoask", *_said(strength, "", ""), style=discord.ButtonStyle.primary)
    return notice(text, row(ask))
