"""Which language a person is answered in, and the sentences of that language.

    say = speaker(interaction.locale)
    say("work.queued", place=3, eta=say.duration(40))

Sentences have their English in bot/text/english.py, errors theirs in `EgaoError.sentence`; other languages have both in
their catalogue (core.languages), under the key and under "error." with `EgaoError.code`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextTypes, locale_str
from discord.utils import format_dt

from bot.text.command_names import all_names, fits, shared, translated
from bot.text.english import ERRORS, TEXT
from core.errors import EgaoError
from core.expressions import default, load, named, names
from core.languages import ENGLISH, best, filled, read_all, told, translation


@dataclass(frozen=True)
class Speaker:
    """Says things in one language, by its name in core.languages."""

    language: str

    def __call__(self, key: str, /, **facts: Any) -> str:
        """Fill `facts` into the sentence `key`; what the default expression is called goes in by itself.

        Raises KeyError for a key that is in no catalogue, or a fact that is missing: mistakes in the code.
        """
        usual = {"command": default().said(ENGLISH).name, "menu": default().said(self.language).menu}
        said = {name: self.moment(one) if isinstance(one, datetime) else one for name, one in facts.items()}
        return filled(self.language, key, TEXT[key], {**usual, **said})

    def error(self, error: EgaoError) -> str:
        """Say what went wrong, in the person's language."""
        seconds = error.facts.get("seconds")  # said as people say a length of time
        more = {"wait": self.duration(seconds)} if isinstance(seconds, int | float) else {}
        return told(error, self.language, ERRORS.get(error.code, ""), **more)

    def leaves_out(self, what: Sequence[str]) -> str:
        """Say what a result lacks of its photo's file, by the words of `Reason`."""
        said = translation(self.language)
        return self("result.leaves_out", what=", ".join(said.get("reason", one) for one in what))

    def duration(self, seconds: float) -> str:
        """Write a length of time, rounded up to what a waiting person cares about."""
        if seconds < 90:
            return self("seconds", n=max(1, math.ceil(seconds)))
        if seconds < 90 * 60:
            return self("minutes", n=math.ceil(seconds / 60))
        if seconds < 48 * 3600:
            return self("hours", n=math.ceil(seconds / 3600))
        return self("days", n=math.ceil(seconds / 86400))

    def hours(self, count: int) -> str:
        """Write a number of hours in full."""
        return self("hours.written", n=count)

    def moment(self, when: datetime) -> str:
        """Write a point in time, which Discord shows in the reader's own zone and language."""
        return format_dt(when, "R")

    def strength(self, value: float) -> str:
        """Write a strength as it is shown everywhere, in the language's way: signed but for 0, with one or two decimals.

        Such as "+1.0", "−0,75" and "0".
        """
        return "0" if round(value, 2) == 0 else translation(self.language).signed(value)

    def strength_of(self, expression: str, value: float) -> str:
        """Write a strength with its expression's name, unless it is the default one: "sad +0.5"."""
        known, text = named(expression), self.strength(value)
        return text if known.default else f"{known.said(self.language).name} {text}"

    def commands(self) -> str:
        """Explain the commands of all expressions, a line for each and one for what they share."""
        each = [(load(name).said(ENGLISH).name, load(name).said(self.language)) for name in names()]
        lines = [self("help.expression", name=name, change=words.change, strength=words.strength) for name, words in each]
        return "\n".join([*lines, self("help.shared", **shared(self.language)._asdict())])

    def description(self, english: str) -> str:
        """Describe a command in the language, by the English that it registers."""
        return translated(english, self.language) or english


def speaker(*candidates: discord.Locale | str | None) -> Speaker:
    """Make a speaker of the language that the first candidate to say anything asks for."""
    return Speaker(best(*(None if one is None else str(one) for one in candidates)))


class CommandTranslator(app_commands.Translator):
    """Gives Discord every name and description that the commands register in English, in each language that there is."""

    def __init__(self) -> None:
        # By Discord's language: it is asked for each of a few hundred words in each of them, while the bot starts.
        self._said: dict[discord.Locale, dict[str, str]] = {}

    async def load(self) -> None:
        """Read every language on a thread: the event loop, which has the workers' answers to hear, would be held meanwhile."""
        await asyncio.to_thread(self._read_all)

    async def translate(self, string: locale_str, locale: discord.Locale, context: TranslationContextTypes) -> str | None:
        said = self._names(locale).get(string.message)
        return said if said is not None and said != string.message and fits(said, context) else None

    def _read_all(self) -> None:
        read_all()
        for locale in discord.Locale:
            self._names(locale)

    def _names(self, locale: discord.Locale) -> dict[str, str]:
        if locale not in self._said:
            language = best(str(locale))
            self._said[locale] = {} if language == ENGLISH else all_names(language)
        return self._said[locale]
