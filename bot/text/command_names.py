"""Names the commands, their parameters and choices in other languages, by the English that the code registers.

What is said of an expression stands in its own file (core.expressions).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from discord.app_commands import Choice, ContextMenu, TranslationContextTypes
from discord.app_commands import TranslationContextLocation as Place

from core.expressions import default, load, names, options
from core.languages import ENGLISH, translation

# Who sees a result: the choices of an option `show`
SHOW: Final = [Choice(name="everyone", value="public"), Choice(name="only me", value="private")]
CONTEXT: Final = "command"  # the key of all of them in the catalogues
# What each command does, by its name; of those that draw an expression: the expression's own file, and `SEVERAL`.
DOES: Final = {
    "faces": "Your kept faces: choose, rename, erase",
    "queue": "Your requests that are waiting or being worked on",
    "privacy": "How egao treats your photos and data",
    "forget": "Erase everything egao keeps about you",
    "export": "Get a copy of everything egao keeps about you",
    "help": "What egao can do and how",
    "visibility": "Choose who sees the results of your commands",
    "egao": "Set up and look after egao on this server",
    "settings": "See and change egao's settings on this server",
    "status": "Queue, rates, failures and disk",
    "block": "Keep a member from using egao here",
    "unblock": "Let a blocked member use egao again",
    "purge": "Erase kept faces of this server or of one member",
}
# What each option means, by its name; `strength` says it in the expression's own file, `expression` in `SEVERAL`.
OPTIONS: Final = {
    "photo": "A new photo; without one, your latest face is used",
    "face": "Which face: its number in the photo, or one of your kept faces",
    "show": "Who sees the result",
    "teeth": "Hidden: with the lips closed; shown: teeth are seen; as it comes, if you don't say",
    "eyes": "Lids and cheeks rise too, or eyes and brows stay as in the photo; as it comes, if you don't say",
    "member": "The member",
}
ONLY: Final = "Only this member's faces"  # what `member` means to `/egao purge`
REST: Final = "Make it neutral"  # the entry of the menus that takes an expression off
WHICH: Final = "expression"  # the option of an expression; offered only where there are several
ANOTHER: Final = "Another expression…"  # the entry of the menus that asks which, where there are more than find room
ENTRIES: Final = 5  # of a menu, that discord.py takes of one bot


class Shared(NamedTuple):
    """Describes the commands that every expression shares."""

    remove: str  # what `/neutral` does
    sweep: str  # what `/animate` does
    which: str  # what their option of an expression means: see `WHICH`


SEVERAL: Final = Shared(
    "Take an expression off a face",
    "Move a face from neutral to an expression",
    "Which expression; the first, if you don't say",
)
# Discord's rule for the name of a command, a group or an option: letters of any script, and small where they can be.
_NAME: Final = re.compile(r"[-_'\w]{1,32}")
MENU, SAID = 32, 100  # letters that an entry of a menu, and a description or a choice, may have
_NAMES: Final = (Place.command_name, Place.group_name, Place.parameter_name)


def shared(language: str) -> Shared:
    """Describe what works on any expression: in the words of the only one, where there is one alone."""
    words, several = default().said(language), Shared(*(translation(language).get(CONTEXT, one) for one in SEVERAL))
    return several if len(names()) > 1 else Shared(words.remove, words.sweep, several.which)


def own() -> tuple[str, ...]:
    """List the names of all commands, options, choices and entries, and what is said of them, but for the expressions' own."""
    called = ("neutral", "animate", *DOES, "strength", *OPTIONS)
    choices = (*(one.name for one in SHOW), *(one for name in names() for choices in options(name).values() for one in choices))
    return (*called, *choices, REST, *OPTIONS.values(), *DOES.values(), ONLY)


def in_menus() -> tuple[str, ...]:
    """List the expressions that have an entry of their own in the menus, which have room for one that takes them off too.

    Where there are more expressions than entries, the last one is `ANOTHER`.
    """
    room = ENTRIES - 1
    return names() if len(names()) <= room else names()[: room - 1]


def all_names(language: str) -> dict[str, str]:
    """Collect what is registered, by its English."""
    said = translation(language)
    pairs = [*zip(shared(ENGLISH)[:2], shared(language)[:2], strict=True)]
    if len(names()) > 1:
        pairs += [(WHICH, said.get(CONTEXT, WHICH)), (SEVERAL.which, said.get(CONTEXT, SEVERAL.which))]
    if in_menus() != names():
        pairs.append((ANOTHER, said.get(CONTEXT, ANOTHER)))
    for name in names():
        plain, its = load(name).said(ENGLISH), load(name).said(language)
        pairs += [(plain.name, its.name), (plain.change, its.change), (plain.strength, its.strength)]
        pairs += [(plain.menu, its.menu)] if name in in_menus() else []
    return {**{english: said.get(CONTEXT, english) for english in own()}, **dict(pairs)}


def translated(english: str, language: str) -> str | None:
    """Name it in another language; None where that has no other words than English for it."""
    said = None if language == ENGLISH else all_names(language).get(english)
    return None if said == english else said


def fits(said: str, context: TranslationContextTypes) -> bool:
    """Tell whether Discord takes it there: it refuses all commands of a bot for one name that is against its rules."""
    if isinstance(context.data, ContextMenu):
        return 1 <= len(said) <= MENU
    if context.location in _NAMES:
        return said == said.lower() and _NAME.fullmatch(said) is not None
    return 1 <= len(said) <= SAID
