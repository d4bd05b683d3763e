"""Every language says every sentence, with its facts, in all its plurals, and within what Discord takes."""

from __future__ import annotations

import ast
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import discord
import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from discord import app_commands
from discord.app_commands import TranslationContext, TranslationContextLocation

from bot.text import english, gather
from bot.text.privacy import privacy
from bot.text.speaker import Speaker
from core import languages
from core.errors import EgaoError
from core.expressions import default
from core.languages import ENGLISH, Plural, Sentence, chain, names, translation
from core.store import GuildSettings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "data" / "languages"
OTHERS = [name for name in names() if name != ENGLISH]
SAID = list(gather.english())
MESSAGE, PAGE, ALT = 2000, 4000, 1024  # characters of one message, of all texts of a layout, of a picture's description
# Discord's limits by what a sentence is given to: a call and its argument, by place or by name.
LIMITS: dict[tuple[str, int | str], int] = {
    ("button", 0): 80, ("Form", 0): 45, ("field", 1): 45, ("field", "hint"): 100, ("Label", "text"): 45,
    ("part", 0): 45, ("part", 2): 100, ("Label", "description"): 100,
    ("add_option", "label"): 100, ("add_option", "description"): 100, ("Modal", "title"): 45,
    ("SelectOption", "label"): 100, ("RadioGroupOption", "label"): 100, ("CheckboxGroupOption", "label"): 100,
    ("Select", "placeholder"): 150, ("ChannelSelect", "placeholder"): 150, ("RoleSelect", "placeholder"): 150,
}  # fmt: skip
# The longest that goes into a sentence: a number of many digits, the longest name, a link to a message.
LONG = {
    "member": f"<@{'9' * 20}>", "admin": f"<@{'9' * 20}>", "reporter": f"<@{'9' * 20}>", "reference": "I" + "9" * 20,
    "link": "https://discord.com/channels/" + "/".join(["9" * 20] * 3), "server": "W" * 100, "reason": "W" * 600,
    "name": "W" * 32, "value": "W" * 20, "known": "W" * 300, "path": "W" * 200, "file": "W" * 200, "until": f"<t:{'9' * 12}:R>",
    "commands": "W" * 400, "others": "W" * 600, "checks": "W" * 700, "does": "W" * 100,
}  # fmt: skip
NUMBER = 9999


def po(language: str) -> Catalog:
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language.replace("-", "_"))


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def source(sentence: Sentence) -> str | tuple[str, str]:
    return sentence if isinstance(sentence, str) else (sentence.one, sentence.other)


def forms(language: str, key: str, sentence: Sentence) -> list[str]:
    """All forms of a sentence in the language or, where it is a variant without its own, in what it falls to."""
    for one in chain(language):
        found = po_of(one).get(source(sentence), context=key) if one in OTHERS else None
        if found is not None and found.string and not found.fuzzy:
            return [found.string] if isinstance(found.string, str) else list(found.string)
    return []


def po_of(language: str, read: dict[str, Catalog] = {}) -> Catalog:  # noqa: B006 - each is read once
    if language not in read:
        read[language] = po(language)
    return read[language]


def told(language: str) -> list[tuple[str, Sentence]]:
    """All that a catalogue has to say: not what an expression's own file says in the language."""
    return [(key, one) for key, one in SAID if not any(gather.of_expressions(key, part) for part in chain(language))]


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated(language: str) -> None:
    missing = [(key, source(one)) for key, one in told(language) if not all(forms(language, key, one) or [""])]
    assert missing == [], "`make languages` writes them into the file, empty or fuzzy"


@pytest.mark.parametrize("language", OTHERS)
def test_facts_are_those_of_the_english_sentence(language: str) -> None:
    for key, sentence in told(language):
        english_ones = placeholders(sentence if isinstance(sentence, str) else sentence.other)
        for number, form in enumerate(forms(language, key, sentence)):
            left_out = english_ones - placeholders(form)
            assert placeholders(form) <= english_ones, (key, form)
            may = {sentence.by} if isinstance(sentence, Plural) and number == 0 else set()  # "one face" needs no number
            assert left_out <= may, (key, form)


def begun(line: str) -> str:
    """What a line begins with, where that means something to Discord."""
    return next((mark for mark in ("### ", "- ", "-# ", "> ", "1. ", "2. ", "3. ") if line.startswith(mark)), "")


@pytest.mark.parametrize("language", OTHERS)
def test_marks_are_those_of_the_english_sentence(language: str) -> None:
    """Headings, list items, commands in backticks: what a member sees or has to type is the same in all."""
    for key, sentence in told(language):
        plain = sentence if isinstance(sentence, str) else sentence.other
        for form in forms(language, key, sentence):
            assert [begun(line) for line in form.split("\n")] == [begun(line) for line in plain.split("\n")], key
            if not key.startswith("help."):
                assert sorted(set(form.split("`")[1::2])) == sorted(set(plain.split("`")[1::2])), key
            assert form.removesuffix("\n") == form.strip(), key


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_translated_that_nobody_says(language: str) -> None:
    known = {(key, source(one)) for key, one in SAID}
    assert [(one.context, one.id) for one in po(language) if one.id and (one.context, one.id) not in known] == []


def test_the_template_is_what_the_code_says(tmp_path: Path) -> None:
    gather.write(tmp_path / "egao.pot", gather.gathered())
    assert (tmp_path / "egao.pot").read_text("utf-8") == (FOLDER / "egao.pot").read_text("utf-8"), "run `make languages`"


def used() -> Iterator[tuple[str, int]]:
    """Keys of what is given to Discord's parts, and how long that part takes words."""
    for folder in ("bot", "cogs"):
        for path in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(call, ast.Call):
                    continue
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                given: list[tuple[int | str, ast.expr]] = [
                    *enumerate(call.args),
                    *((word.arg or "", word.value) for word in call.keywords),
                ]
                for place, value in given:
                    if (name, place) in LIMITS:
                        yield from ((key, LIMITS[name, place]) for key in keys(value))


def keys(value: ast.AST) -> Iterator[str]:
    for part in ast.walk(value):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value in english.TEXT:
            yield part.value


# What reaches a part by a variable, and all that is called as one.
BY_NAME = {
    "button.": 80, "modal.": 100, "modal.exact.label": 45, "modal.exact.title": 45, "modal.rename.": 45, "alt.": ALT,
    "report.why": 100, "report.title": 45, "report.label": 45, "consent.form.title": 45, "consent.form.label": 45,
    "consent.form.hint": 100, "consent.tick.": 100,
}  # fmt: skip
USED = sorted({*used(), *((key, limit) for key in english.TEXT for name, limit in BY_NAME.items() if key.startswith(name))})


def rendered(say: Speaker, key: str) -> str:
    """The sentence with the longest facts."""
    sentence = english.TEXT[key]
    facts = {name: long(say, name) for name in placeholders(sentence if isinstance(sentence, str) else sentence.other)}
    return say(key, **facts)


def long(say: Speaker, name: str) -> object:
    if name in ("eta", "wait", "uptime", "pace"):
        return max((say.duration(seconds) for seconds in (89, 89 * 60, 47 * 3600, 99 * 86400)), key=len)
    if name in ("low", "high", "strength"):
        return say.strength(-2.75)
    if name in ("kind", "state", "worker", "content"):
        return max((say(key) for key in english.TEXT if key.startswith(("kind.", "queue.running", "admin.worker."))), key=len)
    if name == "retention":
        return say.hours(720)
    return LONG.get(name, NUMBER)


def test_the_search_finds_what_is_given_to_discord() -> None:
    found = {key for key, _ in USED}
    assert {"button.minus", "modal.exact.title", "modal.exact.label", "modal.exact.hint", "faces.all", "faces.select"} <= found
    assert len(found) > 40


@pytest.mark.parametrize("language", names())
def test_every_label_fits(language: str) -> None:
    say = Speaker(language)
    states = max((say(key) for key in ("on", "off", "admin.refused.photo", "admin.refused.face")), key=len)
    for key, limit in USED:
        text = say(key, state=states) if "{state}" in str(english.TEXT[key]) else rendered(say, key)
        assert 1 <= len(text) <= limit, (key, text)


@pytest.mark.parametrize("language", names())
def test_every_form_of_the_settings_fits(language: str) -> None:
    from cogs.settings import FORMS

    say = Speaker(language)
    for title, fields in FORMS.values():
        assert len(say(title)) <= 45
        for label in fields.values():
            assert len(say(label)) <= 45, label
    assert len(say("admin.range", low=0.5, high=3600)) <= 100


@pytest.mark.parametrize("language", names())
def test_every_message_fits(language: str) -> None:
    say = Speaker(language)
    for key in english.TEXT:
        limit = ALT if key.startswith("alt.") else PAGE if key in ("privacy.text", "help.text", "welcome") else MESSAGE
        assert 1 <= len(rendered(say, key)) <= limit, key
    most = {"low": say.strength(-5), "high": say.strength(5), "retention": say.hours(720)}
    whole = say("help.text", commands=say.commands(), others="W" * 600, **most)
    assert len(whole) + len(say("help.admin")) < PAGE
    assert len(privacy(say, 720, checks=True, asks=True)) <= PAGE
    assert GuildSettings.bounds("retention_hours")[1] == 720


@pytest.mark.parametrize("language", names())
def test_every_error_can_be_told(language: str) -> None:
    say = Speaker(language)
    for kind in gather.errors():
        text = say.error(kind(**{"seconds": NUMBER, **{name: LONG.get(name, NUMBER) for name in placeholders(kind.sentence)}}))
        assert "{" not in text
        assert 1 <= len(text) <= MESSAGE, text


@pytest.mark.parametrize("language", OTHERS)
def test_one_and_several_are_told_apart_where_the_language_does(language: str) -> None:
    said = {n: Speaker(language)("hours.written", n=n).replace(str(n), "#") for n in (1, 2, 5)}
    assert len(set(said.values())) == (1 if po(language).num_plurals == 1 else 2), said


def test_english_counts() -> None:
    say = Speaker(ENGLISH)
    assert [say.hours(n) for n in (1, 2)] == ["1 hour", "2 hours"]
    assert say("faces.choose", count=1).startswith("### 1 face found")


@pytest.mark.parametrize(
    ("language", "strength", "size"),
    [
        ("en", "−1.25", "52.1"),
        ("de", "−1,25", "52,1"),
        ("pt-BR", "−1,25", "52,1"),
        ("ja", "−1.25", "52.1"),
        ("xx", "−1.25", "52.1"),
    ],
)
def test_numbers_are_written_as_the_language_does(language: str, strength: str, size: str) -> None:
    assert Speaker(language).strength(-1.25) == strength
    assert f"{languages.Number(52.06, language):.1f}" == size
    assert str(languages.Number(12_000, language)) == "12000"


def test_a_photos_pixels_are_counted_as_the_language_counts() -> None:
    from core.errors import TooManyPixels

    assert "8160×6144画素、上限は5100万画素" in Speaker("ja").error(TooManyPixels(width=8160, height=6144, limit=51.0))


MADE_UP = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=3; plural=n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2;\n"

msgctxt "work.drawing"
msgid "Drawing…"
msgstr "Rysowanko…"

#, fuzzy
msgctxt "work.received"
msgid "Got it. Reading the photo…"
msgstr "Nikt nie patrzył"

msgctxt "faces.number"
msgid "**Visage {n}**"
msgstr "**Stara {n}**"

msgctxt "hours.written"
msgid "{n} hour"
msgid_plural "{n} hours"
msgstr[0] "{n} godzinka"
msgstr[1] "{n} godzinki"
msgstr[2] "{n} godzinek"

msgctxt "error.NoFace"
msgid "No face was found in this photo. It must be seen from the front, with eyes, nose and mouth uncovered."
msgstr "Ani jednej buźki."

msgctxt "command"
msgid "help"
msgstr "pomoc"

msgctxt "command"
msgid "queue"
msgstr "Moja Kolejka"

msgctxt "expression.smile.name"
msgid "smile"
msgstr "uśmiech"
"""


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that is one file, and nothing else."""
    for file in FOLDER.glob("*.po"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pl.po").write_text(MADE_UP, "utf-8")
    monkeypatch.setattr(languages, "folder", lambda: tmp_path)
    translation.cache_clear()
    yield "pl"
    translation.cache_clear()


def test_a_language_is_added_by_one_file(made_up: str) -> None:
    from bot.text.speaker import speaker
    from core.errors import NoFace

    say = speaker("auto", "pl")
    assert say.language == made_up in names()
    assert say("work.drawing") == "Rysowanko…"
    assert [say.hours(n) for n in (1, 3, 5, 22)] == ["1 godzinka", "3 godzinki", "5 godzinek", "22 godzinki"]
    assert say.error(NoFace()) == "Ani jednej buźki."
    assert say.strength(1.5) == "+1,5"
    assert default().said(made_up).name == "uśmiech", "the words of an expression too, though its own file has none in it"
    assert made_up not in default().words


def test_what_a_language_lacks_is_said_in_english(made_up: str) -> None:
    """Also what nobody has looked at, and what was translated from another English."""
    say = Speaker(made_up)
    assert say("work.received") == "Got it. Reading the photo…"
    assert say("faces.number", n=2) == "**Face 2**"
    assert default().said(made_up).change == default().said(ENGLISH).change
    assert say.error(EgaoError()) == EgaoError.sentence


def _of_a_command() -> Any:
    """Where the name of a command stands, for a translator."""

    async def nothing(interaction: discord.Interaction) -> None: ...

    command: Any = app_commands.Command(name="help", description="x", callback=nothing)
    return TranslationContext(TranslationContextLocation.command_name, command)


async def test_its_commands_are_offered_to_discord_where_discord_takes_them(made_up: str) -> None:
    from discord.app_commands import locale_str

    from bot.text.speaker import CommandTranslator

    context = _of_a_command()
    ask = CommandTranslator().translate
    assert await ask(locale_str("help"), discord.Locale.polish, context) == "pomoc"
    assert await ask(locale_str("queue"), discord.Locale.polish, context) is None, "capitals and blanks are refused"
    assert await ask(locale_str("help"), discord.Locale.british_english, context) is None


async def test_nothing_is_read_on_the_event_loop_while_commands_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all languages takes tenths of a second, in which the loop would hear neither Discord nor the workers."""
    from bot.text.speaker import CommandTranslator

    there, reading = threading.get_ident(), []
    read = languages._compiled

    def compiled(file: Any) -> Any:
        reading.append(threading.get_ident())
        return read(file)

    monkeypatch.setattr(languages, "_compiled", compiled)
    languages.translation.cache_clear()
    translator = CommandTranslator()
    await translator.load()
    assert reading
    assert there not in reading
    reading.clear()
    for locale in discord.Locale:
        assert await translator.translate(app_commands.locale_str("help"), locale, _of_a_command()) != "help"
    assert not reading


def test_the_admins_can_choose_it(made_up: str) -> None:
    from bot.ui.settings_panel import panel

    view: Any = panel(Speaker(ENGLISH), GuildSettings(), content=True).view
    assert "polski" in str(view.to_components())


@pytest.mark.parametrize(
    ("asked", "language"),
    [("en-GB", "en"), ("en-US", "en"), ("fi", "en"), ("zz", "en"), ("", "en"), ("ja", "ja")],
)
def test_whom_which_language_answers(asked: str, language: str) -> None:
    assert languages.best(asked) == language
