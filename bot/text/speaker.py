"""Which language a person is answered in, and the sentences of that language.

    say = speaker(interaction.locale)
    say("work.queued", place=3, eta=say.duration(40))

Replies come from one catalogue (bot/english.py, bot/japanese.py), errors from `EgaoError.sentence` and their Japanese
counterpart under `EgaoError.code`, command names through `CommandTranslator`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

import discord
from discord import app_commands
from discord.app_commands import TranslationContextTypes, locale_str
from discord.utils import format_dt

from bot.text import english, japanese
from bot.text.command_names import japanese as japanese_commands
from bot.text.command_names import shared
from bot.text.reasons import in_japanese
from core.error import fill
from core.errors import EgaoError
from core.expressions import default, load, named, names

Language = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
_CATALOGUES: Final[Mapping[Language, Mapping[str, str]]] = {"en": english.TEXT, "ja": japanese.TEXT}


def language_of(*candidates: discord.Locale | str | None) -> Language:
    """Choose a language by the first candidate that says anything: Japanese if it is Japanese, else English."""
    for candidate in candidates:
        if candidate and str(candidate) != "auto":
            return "ja" if str(candidate).split("-")[0] == "ja" else "en"
    return "en"


@dataclass(frozen=True)
class Speaker:
    """Says things in one language."""

    language: Language

    def __call__(self, key: str, /, **facts: Any) -> str:
        """Fill `facts` into the sentence `key`; what the default expression is called goes in by itself.

        Raises KeyError for a key that no catalogue has, or a fact that is missing: mistakes in the code.
        """
        usual = {"command": default().said("en").name, "menu": default().said(self.language).menu}
        return _CATALOGUES[self.language][key].format_map({**usual, **facts})

    def error(self, error: EgaoError) -> str:
        """Say what went wrong, in the person's language."""
        facts = {name: self._fact(value) for name, value in error.facts.items()}
        if isinstance(seconds := error.facts.get("seconds"), int | float):  # said as people say a length of time
            facts["wait"] = self.duration(seconds)
        own = japanese.ERRORS if self.language == "ja" else english.ERRORS
        return fill(own.get(error.code, error.sentence), facts)

    def duration(self, seconds: float) -> str:
        """Write a length of time, rounded up to what a waiting person cares about."""
        if seconds < 90:
            return self("seconds", n=max(1, math.ceil(seconds)))
        if seconds < 90 * 60:
            return self("minutes", n=math.ceil(seconds / 60))
        if seconds < 48 * 3600:
            return self("hours", n=math.ceil(seconds / 3600))
        return self("days", n=math.ceil(seconds / 86400))

    def moment(self, when: datetime) -> str:
        """Write a point in time, which Discord shows in the reader's own zone and language."""
        return format_dt(when, "R")

    def strength(self, value: float) -> str:
        """Write a strength as it is shown everywhere: signed, at most two decimals."""
        text = f"{value:+.2f}".rstrip("0")
        text = text + "0" if text.endswith(".") else text
        return "0" if float(text) == 0 else text.replace("-", "−")

    def strength_of(self, expression: str, value: float) -> str:
        """Write a strength with its expression's name, unless it is the default one: "sad +0.5"."""
        known, text = named(expression), self.strength(value)
        return text if known.default else f"{known.said(self.language).name} {text}"

    def commands(self) -> str:
        """Explain the commands of all expressions, a line for each and one for what they share."""
        each = [(load(name).said("en").name, load(name).said(self.language)) for name in names()]
        lines = [self("help.expression", name=name, change=words.change, strength=words.strength) for name, words in each]
        return "\n".join([*lines, self("help.shared", **shared(self.language)._asdict())])

    def _fact(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, float):
            return f"{value:g}"
        return in_japanese(value) if self.language == "ja" and isinstance(value, str) else value


def speaker(*candidates: discord.Locale | str | None) -> Speaker:
    """Make a speaker of the language that the first candidate to say anything asks for."""
    return Speaker(language_of(*candidates))


class CommandTranslator(app_commands.Translator):
    """Gives Discord the Japanese of every name and description that the commands register in English."""

    async def translate(self, string: locale_str, locale: discord.Locale, context: TranslationContextTypes) -> str | None:
        if locale is not discord.Locale.japanese:
            return None
        return japanese_commands().get(string.message)
