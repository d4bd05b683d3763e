"""The form that asks for an exact strength: one of many to choose, or a number to type."""

from __future__ import annotations

import math
from typing import Any, Final

import discord
from discord import ui

from bot.text.speaker import Speaker
from bot.ui.components import Form, Press

CHOICES: Final = 25  # that Discord lets a select have: at the usual limit of 3, every quarter


def exact_form(say: Speaker, identity: str, now: float, high: float) -> Form:
    """Make the form; `now` is the strength that is shown, which is chosen to begin with, and `high` the server's limit."""
    values = [round(2 * high * n / (CHOICES - 1) - high, 2) for n in range(CHOICES)]
    nearest = min(range(CHOICES), key=lambda n: abs(values[n] - now))
    values[nearest] = now
    options = [discord.SelectOption(label=say.strength(one), value=f"{one:g}", default=one == now) for one in values]
    select: ui.Select[Any] = ui.Select(custom_id="chosen", options=options, required=False)
    form = Form(say("modal.exact.title"), identity)
    form.part(say("modal.exact.label", low=say.strength(-high), high=say.strength(high)), select, say("modal.exact.hint"))
    return form.field("strength", say("modal.exact.typed"), required=False, max_length=8, placeholder=say.strength(now))


def exact_text(press: Press) -> str:
    """Read what such a form asks for: the number that was typed, else the one that was chosen."""
    return press.values.get("strength", "").strip() or press.values.get("chosen", "")


def typed_strength(text: str) -> float | None:
    """Read a typed strength; commas, full-width digits and typographic minus signs are understood too. None for no number."""
    plain = text.replace("−", "-").replace(",", ".").replace("．", ".").replace("＋", "+").replace("－", "-")
    try:
        strength = float(plain)
    except ValueError:
        return None
    return None if math.isnan(strength) else strength
