"""English and Japanese: the catalogue is whole, the commands are translated, and people are answered in their own."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.text import english
from bot.text.command_names import all_names, own
from bot.text.speaker import Speaker, speaker
from core import errors
from core.faces import load_photo
from core.languages import best
from core.settings import Settings
from tests.bot.kit import World, agree, labels, response_of, running, speaking, text
from tests.bot.workbench import photo

ROOT = Path(__file__).parents[3]
JA = Speaker("ja")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        yield made


SAME = {"egao", "status", "neutral", "photo", "expression", "surprise"}  # in some languages as in English


def is_japanese(words: str) -> bool:
    return any("\u3040" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff" for letter in words)


def test_every_sentence_is_said_somewhere() -> None:
    files = [path for folder in ("bot", "cogs") for path in (ROOT / folder).rglob("*.py")]
    code = "".join(path.read_text("utf-8") for path in files if path.stem != "english")
    put_together = ("result.refitted.", "admin.whose.", "admin.refused.", "report.why.", "consent.tick.")
    unsaid = [key for key in english.TEXT if f'"{key}"' not in code and f"'{key}'" not in code]
    assert all(key.startswith(put_together) for key in unsaid), unsaid


def test_no_reason_is_told_that_has_no_name() -> None:
    """A photo can't be read or fetched for a `Reason`, which each language has; the system's own words are of paths alone."""
    files = [path for folder in ("bot", "core") for path in (ROOT / folder).rglob("*.py")]
    code = "".join(path.read_text("utf-8") for path in files)
    given = re.findall(r"raise (?:UnreadablePhoto|PhotoUnreachable)\(reason=([^)]*)\)", code)
    others = [one for one in given if not re.fullmatch(r"Reason\.[A-Z_]+|_reason\(error", one)]
    assert others == ["reason[0].lower("]


@pytest.mark.parametrize("reason", list(errors.Reason))
def test_every_reason_is_told_in_japanese_too(reason: errors.Reason) -> None:
    said = JA.error(errors.UnreadablePhoto(reason=reason))
    assert is_japanese(said)
    assert reason not in said


@pytest.mark.parametrize("data", [b"nonsense", photo()[:60], photo()[:40] + b"damaged" * 40])
def test_a_damaged_photo_is_told_in_japanese(data: bytes) -> None:
    with pytest.raises(errors.UnreadablePhoto) as caught:
        load_photo(data, Settings.load({}))
    assert str(caught.value.facts["reason"]) not in JA.error(caught.value)


@pytest.mark.parametrize("limits", [{"max_pixels": 4000}, {"max_bytes": 50}])
def test_a_photo_that_is_too_large_is_told_in_japanese(limits: dict[str, int]) -> None:
    with pytest.raises(errors.PhotoTooLarge) as caught:
        load_photo(photo(), Settings.load({}).model_copy(update=limits))
    assert "pixels" not in JA.error(caught.value)


@pytest.mark.parametrize(
    ("seconds", "en", "ja"),
    [(0.2, "1 s", "1秒"), (45, "45 s", "45秒"), (300, "5 min", "5分"), (7300, "3 h", "3時間"), (200_000, "3 d", "3日")],
)
def test_lengths_of_time(seconds: float, en: str, ja: str) -> None:
    assert (Speaker("en").duration(seconds), JA.duration(seconds)) == (en, ja)


@pytest.mark.parametrize(("value", "shown"), [(1.0, "+1.0"), (-0.75, "−0.75"), (0.0, "0"), (-0.001, "0"), (1.5, "+1.5")])
def test_strengths_are_shown_with_their_sign(value: float, shown: str) -> None:
    assert JA.strength(value) == shown


def test_a_wait_is_told_in_the_members_own_words() -> None:
    spent = errors.QuotaSpent(limit=5, wait="3 h 20 min", seconds=12_000)
    assert "4時間" in JA.error(spent)
    assert "30 min" in Speaker("en").error(errors.QueueFull(seconds=1790))
    assert "約30分後" in JA.error(errors.QueueFull(seconds=1790))
    assert "possible in 10 s." in Speaker("en").error(errors.CoolingDown(seconds=10))


@pytest.mark.parametrize(
    ("candidates", "language"),
    [(("auto", "ja"), "ja"), (("en", "ja"), "en"), ((None, "fi"), "en"), ((None, None, "ja"), "ja"), ((), "en")],
)
def test_the_first_that_says_anything_decides(candidates: tuple[str | None, ...], language: str) -> None:
    assert speaker(*candidates).language == language


def names(command: Any) -> Iterator[str]:
    yield command.name
    if not isinstance(command, app_commands.ContextMenu):
        yield command.description
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from names(child)
    elif isinstance(command, app_commands.Command):
        for parameter in command.parameters:
            yield from (parameter.name, parameter.description, *(choice.name for choice in parameter.choices))


async def test_every_name_and_description_of_a_command_has_its_japanese(world: World) -> None:
    commands = [
        *world.bot.tree.get_commands(),
        *world.bot.tree.get_commands(type=discord.AppCommandType.message),
    ]
    used = {str(name) for command in commands for name in names(command)}
    assert used <= all_names("ja").keys()
    assert all_names("ja").keys() <= used, "nothing is translated that is not there"
    registered = world.env.backend.visible_commands(user_id=world.ann.id, channel_id=world.channel.id)
    smile = next(one for one in registered if one["name"] == "smile")
    assert smile["name_localizations"]["ja"] == "笑顔"
    assert all(is_japanese(option["description_localizations"]["ja"]) for option in smile["options"])


def test_what_is_said_of_a_command_stands_in_one_place() -> None:
    described = {one for one in own() if " " in one}
    assert len(described) > 15
    for path in (ROOT / "cogs").glob("*.py"):
        texts = {one.value for one in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(one, ast.Constant)}
        assert not texts & described, path.name


LOCALES = ["de", "es-419", "es-ES", "fr", "ja", "ko", "pt-BR", "zh-CN", "zh-TW"]
NAME = re.compile(r"[-_'\w]{1,32}")  # Discord's, and in small letters where a script has them


def inside(parts: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Commands beside each other, then the options of each, and so on."""
    yield parts
    for part in parts:
        if part.get("options"):
            yield from inside(part["options"])


@pytest.mark.parametrize("locale", LOCALES)
async def test_discord_takes_every_name_in_every_language(world: World, locale: str) -> None:
    registered = world.env.backend.visible_commands(user_id=world.boss.id, channel_id=world.channel.id)
    commands = [one for one in registered if one.get("type", 1) == 1]
    told = 0
    for siblings in inside(commands):
        names = [part["name_localizations"].get(locale, part["name"]) for part in siblings]
        assert len(set(names)) == len(names), names
        for part, name in zip(siblings, names, strict=True):
            assert name != part["name"] or name in SAME, name
            assert NAME.fullmatch(name), name
            assert name == name.lower(), name
            assert 1 <= len(part["description_localizations"][locale]) <= 100
            for choice in part.get("choices", []):
                own = choice["name_localizations"].get(locale, choice["name"])
                assert 1 <= len(own) <= 100
                assert own != choice["name"] or own in SAME, own
            told += 1
    assert told > 25
    said = all_names(best(locale))
    menus = [said[one.name] for one in world.bot.tree.get_commands(type=discord.AppCommandType.message)]
    assert len(set(menus)) == len(menus) >= 2
    assert all(1 <= len(name) <= 32 for name in menus)


async def test_people_are_answered_in_the_language_of_their_discord(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with speaking(monkeypatch, {world.ann.id: "ja"}):
        question = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()))
        assert labels(question.response) == ["同意する", "同意しない"]
        await agree(world.ann, response_of(question), label="同意する")
        assert "AIで編集した画像です" in text(question.response)
        assert "笑顔" in text((await world.ann.slash(world.channel, "help")).response)
        english_help = await world.ben.slash(world.channel, "help")
        assert not is_japanese(text(english_help.response))
        await world.ann.send(world.channel, attachments=[("me.png", photo(0))])
        assert "顔が見つかりませんでした" in text(world.channel.last_message), "as they read the notice"


async def test_the_admins_can_set_one_language_for_all(world: World) -> None:
    world.set(language="ja")
    assert is_japanese(text((await world.ben.slash(world.channel, "help")).response))
    await world.ben.send(world.channel, attachments=[("me.png", photo())])
    assert "同意する" in labels(world.channel.last_message)


def called(command: dict[str, Any], member: Any, before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each command by its whole name, with something for every option that has to be given."""
    given = {6: member, 10: 1.0}  # Discord's numbers of a member and of a number
    options, name = command.get("options", []), f"{before} {command['name']}".strip()
    if any(one["type"] <= 2 for one in options):  # subcommands
        for one in options:
            yield from called(one, member, name)
        return
    wanted = [one for one in options if one.get("required")]
    yield name, {one["name"]: one["choices"][0]["value"] if one.get("choices") else given[one["type"]] for one in wanted}


async def test_every_command_answers_a_japanese_member_in_japanese(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.consent(world.boss)
    registered = world.env.backend.visible_commands(user_id=world.boss.id, channel_id=world.channel.id)
    calls = dict(one for command in registered if command.get("type", 1) == 1 for one in called(command, world.ben))
    assert len(calls) >= 15
    with speaking(monkeypatch, {world.boss.id: "ja"}):
        for name, options in calls.items():
            answer = await world.boss.slash(world.channel, name, **options)
            if answer.modal is not None:  # a form, for want of a photo
                assert is_japanese(answer.modal["title"]), name
                continue
            assert answer.ephemeral, name
            assert is_japanese(text(answer.response)), name
