"""Reads the languages' catalogues: gettext's .po files in data/languages, one for each, named as Discord names the language.

    translation("pt-BR").get("work.drawing", "Drawing…")            # "Desenhando…"
    translation("fr").get("faces", Plural("count", "{count} face", "{count} faces"), 2)
    best("auto", "es-419", "en")                                    # "es-419": the first that says anything decides

An entry is found by its key (msgctxt) and its English (msgid) together: where the English has changed since, or nobody
has looked at a machine's guess (fuzzy), it counts as missing, and English is said. A variant has what differs alone:
"es-419" falls to "es", and that to English, which is no file: it stands in the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Any, Final, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from core.errors import EgaoError
from core.errors.base import fill

ENGLISH: Final = "en"
AUTO: Final = "auto"  # says nothing: each member's own
SUFFIX: Final = ".po"
_PLACES: Final = 6  # digits that a number without a format has behind its sign at most


class Plural(NamedTuple):
    """A sentence that English writes in two ways, by a number; other languages have as many as they need."""

    by: str  # the fact that counts
    one: str
    other: str


Sentence = str | Plural


class Number:
    """A number as its language writes it, inside a sentence.

    `{n}` as it is, `{n:.1f}` with so many digits behind the sign, `{n:x100}` times a hundred: where English counts in
    millions, Japanese, Korean and Chinese count in ten thousands.
    """

    def __init__(self, value: float, language: str) -> None:
        self.value, self.language = value, language

    def __str__(self) -> str:
        return f"{self}"

    def __format__(self, form: str) -> str:
        if form.startswith("x"):
            return str(round(self.value * int(form[1:])))
        if not form and isinstance(self.value, int):
            return str(self.value)  # no dots or blanks among its digits: none of ours is long
        pattern = "0." + "0" * int(form[1:-1]) if form else "0." + "#" * _PLACES
        value = self.value if form else float(f"{self.value:g}")
        return format_decimal(value, format=pattern, locale=_locale(self.language))


class Translation:
    """What one language says."""

    def __init__(self, language: str, said: NullTranslations) -> None:
        self.language, self._said = language, said

    def get(self, key: str, english: Sentence, count: float = 1) -> str:
        """Translate a sentence, in the form that goes with `count`; in English where it has none."""
        if isinstance(english, str):
            return self._said.pgettext(key, english)
        whole = int(count) if float(count).is_integer() else 2  # gettext counts whole things; of parts there are several
        return self._said.npgettext(key, english.one, english.other, whole)

    def signed(self, value: float, most: int = 2) -> str:
        """Write a number with its sign, 0 without: +1.5, −0.75."""
        pattern = "0.0" + "#" * (most - 1)
        return format_decimal(round(value, most), format=f"+{pattern};−{pattern}", locale=_locale(self.language))


def names() -> tuple[str, ...]:
    """List the languages that there are, English first, the others by the alphabet."""
    return _names_in(str(folder()))


@cache
def _names_in(place: str) -> tuple[str, ...]:
    """List those of the folder at this place. It is read once, since every sentence asks for them."""
    found = [one.name.removesuffix(SUFFIX) for one in folder().iterdir() if one.name.endswith(SUFFIX)]
    return (ENGLISH, *sorted(found))


def read_all() -> None:
    """Read every catalogue and what each language calls itself: some tenths of a second, after which nobody waits for a file."""
    for language in names():
        translation(language)
        called(language)


def called(language: str) -> str:
    """Name a language in its own words: "English", "português (Brasil)"."""
    return _locale(language).get_display_name() or language


def best(*candidates: str | None) -> str:
    """Choose a language by the first candidate that says anything; English where nothing of it is known."""
    wanted = next((one for one in candidates if one and one != AUTO), ENGLISH)
    return known(wanted) or ENGLISH


def known(language: str) -> str | None:
    """Find which of the languages that there are is meant by a name such as "en-GB" or "es-MX"; None for others."""
    return next((one for one in chain(language) if one in names()), None)


def chain(language: str) -> tuple[str, ...]:
    """List a language and those that it is a variant of: "es-MX", "es-419", "es"."""
    between = get_global("parent_exceptions").get(language.replace("-", "_"), "root").replace("_", "-")
    return tuple(dict.fromkeys((language, *(() if between == "root" else (between,)), language.split("-")[0])))


@cache
def translation(language: str) -> Translation:
    """Read what a language says, and what it falls to; of one without a file it is English that is said."""
    said = NullTranslations()
    for one in reversed(chain(language)):
        file = folder() / f"{one}{SUFFIX}"
        if one in names() and one != ENGLISH:
            own = _compiled(file)
            own.add_fallback(said)
            said = own
    return Translation(language, said)


def filled(language: str, key: str, english: Sentence, facts: Mapping[str, Any]) -> str:
    """Say a sentence with its facts. Raises KeyError for a fact that is missing."""
    count = facts[english.by] if isinstance(english, Plural) else 1
    said = translation(language).get(key, english, count)
    return fill(said, {name: Number(one, language) if isinstance(one, int | float) else one for name, one in facts.items()})


def told(error: EgaoError, language: str, english: Sentence = "", **more: Any) -> str:
    """Say an error's sentence. `english`: another one for it, with `more` facts; a fact that is a phrase is translated too."""
    said = translation(language)
    facts = {name: said.get("reason", one) if isinstance(one, str) and one else one for name, one in error.facts.items()}
    return filled(language, f"error.{error.code}", english or error.sentence, {**facts, **more})


def folder() -> Traversable:
    """Return where the catalogues lie."""
    return files("data") / "languages"


def _compiled(file: Traversable) -> Translations:
    with file.open("rb") as source:
        catalogue = read_po(source)
    compiled = BytesIO()
    write_mo(compiled, catalogue)  # leaves out what is fuzzy or empty
    compiled.seek(0)
    return Translations(compiled)


@cache
def _locale(language: str) -> Locale:
    """Find how a language writes numbers; English where nobody knows."""
    for one in chain(language):
        try:
            return Locale.parse(one, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale(ENGLISH)
