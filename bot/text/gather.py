"""Writes data/languages/egao.pot, all that is said in English, and brings each language's file up to it: `make languages`.

What is new is empty there; what has changed in English keeps its old words, marked fuzzy, until somebody has looked at them.
`python -m bot.text.gather fr` begins a file for French.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from bot.text.command_names import ANOTHER, CONTEXT, SEVERAL, WHICH, own
from bot.text.english import ERRORS, TEXT
from core.errors import EgaoError, Reason
from core.expressions import load, names
from core.languages import ENGLISH, SUFFIX, Sentence, chain
from core.languages import names as languages
from core.play.words import CONTEXT as PAGE
from core.play.words import english as page

FOLDER: Final = Path(__file__).parents[2] / "data" / "languages"
TEMPLATE: Final = "egao.pot"
Words = str | tuple[str, ...]
WIDTH: Final = 120  # of a line in the files
HEADER: Final = "# What egao says. Begin another language with: .venv/bin/python -m bot.text.gather LANGUAGE"
_IDLE: Final = re.compile(r'"(Project-Id|Report-Msgid|POT-Creation|PO-Revision|Last-Translator|Language-Team|MIME-V|Generated)')


def errors(root: type[EgaoError] = EgaoError) -> Iterator[type[EgaoError]]:
    """List every error of core."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__.startswith("core."):
            yield from errors(kind)


def english() -> Iterator[tuple[str, Sentence]]:
    """List all that is said: the key and its English."""
    yield from TEXT.items()
    yield from ((f"error.{kind.__name__}", ERRORS.get(kind.__name__, kind.sentence)) for kind in errors())
    yield from (("reason", one.value) for one in Reason)
    yield from ((CONTEXT, one) for one in (*own(), WHICH, *SEVERAL, ANOTHER))
    yield from ((PAGE, one) for one in page())
    for name in names():
        yield from ((f"expression.{name}.{part}", word) for part, word in load(name).words[ENGLISH])


def of_expressions(key: str, language: str) -> bool:
    """Tell whether an expression's own file has the words of this key in the language."""
    part, _, rest = key.partition(".")
    return part == "expression" and language in load(rest.rpartition(".")[0]).words


def gathered(language: str | None = None, said: Catalog | None = None) -> Catalog:
    """Make the catalogue of a language with what it has said; the template without. A variant has no more than it had."""
    made = Catalog(locale=language and language.replace("-", "_"), project="egao", header_comment=HEADER, fuzzy=False)
    variant = language is not None and chain(language)[-1] != language and chain(language)[-1] in languages()
    for key, sentence in english():
        if language is not None and any(of_expressions(key, one) for one in chain(language)):
            continue
        source = sentence if isinstance(sentence, str) else (sentence.one, sentence.other)
        old, changed = _known(said, key, source)
        if variant and not any(old):
            continue
        made.add(source, old, context=key, flags=["fuzzy"] if changed else [])
    return made


def _known(said: Catalog | None, key: str, source: str | tuple[str, str]) -> tuple[Words, bool]:
    """Find what a language has for a sentence, and whether that was of another English."""
    nothing: Words = "" if isinstance(source, str) else ("",) * (said.num_plurals if said is not None else 2)
    if said is None:
        return nothing, False
    found = said.get(source, context=key)
    if found is not None:
        return _words(found) or nothing, found.fuzzy
    for one in said:
        if one.context == key and key not in (CONTEXT, PAGE, "reason") and one.string:
            old = _words(one)
            first = old if isinstance(old, str) else old[0]
            return first if isinstance(nothing, str) else (first,) * len(nothing), True
    return nothing, False


def _words(message: Message) -> Words:
    """Return what a message is translated with: one form, or all of them."""
    return message.string if isinstance(message.string, str) else tuple(message.string or ())


def write(path: Path, made: Catalog) -> None:
    """Write a catalogue, without what would differ each time or names nobody: no dates, no versions."""
    text = BytesIO()
    write_po(text, made, width=WIDTH, no_location=True)
    lines = text.getvalue().decode().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not _IDLE.match(line)), "utf-8")


def main() -> None:
    """Write the template and the languages' files, and those that are begun."""
    write(FOLDER / TEMPLATE, gathered())
    for language in dict.fromkeys((*languages()[1:], *sys.argv[1:])):
        path = FOLDER / f"{language}{SUFFIX}"
        with path.open("rb") if path.exists() else (FOLDER / TEMPLATE).open("rb") as file:
            said = read_po(file, locale=language.replace("-", "_"))
        write(path, gathered(language, said))


if __name__ == "__main__":
    main()
