"""Buttons and kept faces carry their expression; those of versions that knew one alone go on working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import simcord
from discord import AppCommandType, app_commands

from bot.text.command_names import all_names, shared
from core import expressions
from core.expressions import default, load, varied
from core.expressions.expression import read
from core.learned import KnownScale
from tests.bot.edits.test_result import replace
from tests.bot.kit import HeldExecutor, World, custom_ids, last_in, pictures, running, text
from tests.bot.workbench import photo, strength_in
from tests.core.test_expressions import SURPRISE


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        await made.kept_face(made.ann)
        yield made


@pytest.fixture
async def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The bot as it starts with the default expression alone."""
    one = default()
    monkeypatch.setattr(expressions.expression, "_all", lambda: {one.name: one})
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
def surprise(monkeypatch: pytest.MonkeyPatch) -> str:
    """A second expression, as a second file would add it."""
    made = read("surprise", SURPRISE)
    both = {default().name: default(), made.name: made}
    monkeypatch.setattr(expressions.expression, "_all", lambda: both)
    return made.name


def asked(world: World) -> Any:
    assert isinstance(world.parts.executor, HeldExecutor)
    return world.parts.executor.asked


async def press_as(world: World, label: str, change: tuple[str, str]) -> Any:
    """Press a button whose custom_id reads otherwise than it was posted."""
    message = last_in(world.channel)
    old = custom_ids(message)[label]
    assert change[0] in old, old
    new = old.replace(*change)
    replace(world.env.backend.get_message(world.channel.id, message.id).components, old, new)
    return await world.ann.click(last_in(world.channel), custom_id=new)


async def test_every_button_names_the_expression(world: World) -> None:
    found = custom_ids(last_in(world.channel))
    assert all(identity.endswith(f":{default().name}") for identity in found.values()), found


@pytest.mark.parametrize("label", ["+ More", "Neutral", "Full size", "Animate"])
async def test_a_button_of_a_version_that_knew_one_alone_works(world: World, label: str) -> None:
    await press_as(world, label, (f":{default().name}", ""))
    assert asked(world).expression == default().name
    assert custom_ids(last_in(world.channel))["Delete"].endswith(f":{default().name}")


async def test_another_expression_goes_with_the_request_and_the_answer(world: World, surprise: str) -> None:
    await press_as(world, "+ More", (f":{default().name}", f":{surprise}"))
    assert asked(world).expression == surprise
    message = last_in(world.channel)
    assert strength_in(pictures(world, message)["edited.jpg"]) == pytest.approx(1.25, abs=0.06)
    assert f"Strength {load(surprise).said('en').name} +1.25" in text(message)
    assert all(identity.endswith(f":{surprise}") for identity in custom_ids(message).values())


async def test_each_expression_has_a_neutral_of_its_own(world: World, surprise: str) -> None:
    (face,) = world.faces(world.ann)
    own = KnownScale(surprise, "moved", (-1.0, 0.0, 1.0), (0.0, 0.2, 0.9), 0.5, 0.5)
    world.store.faces.note(world.owner(world.ann), face.id, face.learned.with_scale(own))
    await press_as(world, "Neutral", (f":{default().name}", f":{surprise}"))
    assert asked(world).strengths == (0.5,)


async def test_an_expression_that_there_is_none_of_is_told(world: World) -> None:
    answer = await press_as(world, "+ More", (f":{default().name}", ":grin"))
    assert "can't be used any more" in text(answer.response)


async def test_commands_and_menus_are_called_as_the_default_expression_says(alone: World) -> None:
    words = default().said("en")
    registered = [*alone.bot.tree.get_commands(), *alone.bot.tree.get_commands(type=AppCommandType.message)]
    assert {words.name, words.menu} <= {one.name for one in registered}
    said = {one.name: one.description for one in registered if isinstance(one, app_commands.Command)}
    assert (said[words.name], said["neutral"], said["animate"]) == (words.change, words.remove, words.sweep)
    for english, other in zip(words.all(), default().said("ja").all(), strict=True):
        assert all_names("ja")[english] == other


@pytest.mark.parametrize("command", ["neutral", "animate"])
async def test_where_there_is_one_alone_nobody_is_asked_which(alone: World, command: str) -> None:
    made = alone.bot.tree.get_command(command)
    assert isinstance(made, app_commands.Command)
    assert "expression" not in {one.name for one in made.parameters}


@pytest.fixture
async def two(surprise: str, tmp_path: Path) -> AsyncIterator[World]:
    """The bot as it starts with two expressions."""
    async with running(tmp_path / "two") as made:
        await made.kept_face(made.ann)
        yield made


async def test_neutral_and_animate_take_any_of_several(two: World, surprise: str) -> None:
    (face,) = two.faces(two.ann)
    own = KnownScale(surprise, "moved", (-1.0, 0.0, 1.0), (0.0, 0.2, 0.9), 0.5, 0.5)
    two.store.faces.note(two.owner(two.ann), face.id, face.learned.with_scale(own))
    await two.ann.slash(two.channel, "neutral", expression=surprise)
    assert (asked(two).expression, asked(two).strengths[-1]) == (surprise, 0.5)
    await two.ann.slash(two.channel, "animate", expression=surprise)
    assert (asked(two).expression, asked(two).start) == (surprise, 0.5)
    await two.ann.slash(two.channel, "neutral")
    assert asked(two).expression in {"", default().name}
    await two.ann.slash(two.channel, "neutral", expression=surprise, photo=("other.png", photo(n=2)))
    assert asked(two).expression == surprise
    assert all(f":{surprise}" in one for one in custom_ids(last_in(two.channel)).values())


async def test_which_one_is_asked_in_the_members_language(two: World, surprise: str) -> None:
    registered = two.env.backend.visible_commands(user_id=two.ann.id, channel_id=two.channel.id)
    neutral = next(one for one in registered if one["name"] == "neutral")
    assert (neutral["description"], neutral["description_localizations"]["ja"]) == (shared("en").remove, shared("ja").remove)
    assert default().said("en").name not in neutral["description"]
    (option,) = (one for one in neutral["options"] if one["name"] == "expression")
    assert [one["value"] for one in option["choices"]] == [default().name, surprise]
    assert option["choices"][0]["name_localizations"]["ja"] == default().said("ja").name


async def test_the_menu_of_a_message_has_each_expression(two: World, surprise: str) -> None:
    message = two.channel.history()[0]
    await two.ann.context_menu(two.channel, load(surprise).said("en").menu, message)
    assert asked(two).expression == surprise
    await two.ann.context_menu(two.channel, default().said("en").menu, message)
    assert asked(two).expression == default().name


def several(monkeypatch: pytest.MonkeyPatch, count: int) -> list[str]:
    """So many expressions beside the default one; their names."""
    others = [
        read(f"e{n}", SURPRISE.replace('"surprise"', f'"e{n}"').replace("Surprise it", f"Make it e{n}")) for n in range(count)
    ]
    known = {one.name: one for one in (default(), *others)}
    monkeypatch.setattr(expressions.expression, "_all", lambda: known)
    return [one.name for one in others]


def entries(world: World, kind: AppCommandType = AppCommandType.message) -> list[str]:
    return [one.name for one in world.bot.tree.get_commands(type=kind)]


async def test_as_many_as_find_room_have_their_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    several(monkeypatch, 3)
    async with running(tmp_path) as world:
        for kind in (AppCommandType.message, AppCommandType.user):
            own = ["Make it e0", "Make it e1", "Make it e2"]
            assert entries(world, kind) == [default().said("en").menu, *own, "Make it neutral"]


async def test_of_more_the_menu_asks_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    several(monkeypatch, 6)
    async with running(tmp_path) as world:
        world.consent(world.ann)
        wanted = [default().said("en").menu, "Make it e0", "Make it e1", "Another expression…", "Make it neutral"]
        assert entries(world) == entries(world, AppCommandType.user) == wanted
        assert set(wanted) <= all_names("ja").keys()
        assert "Make it e5" not in all_names("ja"), "of an entry that is not there"
        sent = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
        form = await world.ann.context_menu(world.other_channel, "Another expression…", sent)
        with pytest.raises(simcord.SetupError):
            await world.ann.submit_modal(form, {"which": ["e1"]})  # has an entry of its own, and is no choice of the form
        form = await world.ann.context_menu(world.other_channel, "Another expression…", sent)
        answer = await world.ann.submit_modal(form, {"which": ["e5"]})
        assert asked(world).expression == "e5"
        assert "Strength e5 +1.0" in text(answer.response)
        form = await world.ann.context_menu(world.other_channel, "Another expression…", world.ben)
        told = await world.ann.submit_modal(form, {"which": ["e5"]})
        assert "only your own avatar" in text(told.response)


async def test_of_very_many_each_is_a_command_and_the_lists_hold_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Discord shows 25 in a select, and 25 choices of an option."""
    others = several(monkeypatch, 30)
    async with running(tmp_path) as world:
        await world.kept_face(world.ann)
        known = {
            one["name"]: one for one in world.env.backend.visible_commands(user_id=world.ann.id, channel_id=world.channel.id)
        }
        assert set(others) <= known.keys()
        for name in ("neutral", "animate"):
            (option,) = (one for one in known[name]["options"] if one["name"] == "expression")
            assert [one["value"] for one in option["choices"]] == list(expressions.names()[:25])
        form = await world.ann.context_menu(world.channel, "Another expression…", world.channel.history()[0])
        await world.ann.submit_modal(form, {"which": [expressions.names()[3 + 24]]})
        assert asked(world).expression == expressions.names()[3 + 24]
        form = await world.ann.context_menu(world.channel, "Another expression…", world.channel.history()[0])
        last = expressions.names()[-1]
        with pytest.raises(simcord.SetupError):
            await world.ann.submit_modal(form, {"which": [last]})
        await world.ann.slash(world.channel, last, strength=1.0)
        assert asked(world).expression == last


async def test_the_help_explains_each_expression(two: World, surprise: str) -> None:
    said = text((await two.ann.slash(two.channel, "help")).response)
    for name in (default().name, surprise):
        assert f"`/{load(name).said('en').name} strength`" in said
    assert shared("en").sweep in said


async def test_each_expression_is_a_command_of_its_own(surprise: str, tmp_path: Path) -> None:
    one = load(surprise)
    async with running(tmp_path) as world:
        await world.kept_face(world.ann)
        await world.ann.slash(world.channel, one.said("en").name, strength=1.0)
        assert asked(world).expression == one.name
        assert f"Strength {one.said('en').name} +1" in text(last_in(world.channel))
        assert all(identity.endswith(f":{one.name}") for identity in list(custom_ids(last_in(world.channel)).values())[:3])
        await world.ann.slash(world.channel, default().said("en").name, strength=1.0)
        assert asked(world).expression in {"", default().name}


@pytest.mark.parametrize(("strength", "drawn"), [(1.0, "hidden"), (1.0, "shown"), (-1.0, "")])
async def test_an_option_chooses_a_variation_which_is_only_put_on(world: World, strength: float, drawn: str) -> None:
    await world.ann.slash(world.channel, default().name, strength=strength, teeth=drawn or "hidden")
    name = varied(default().name, teeth=drawn).name
    assert asked(world).expression in (name, "" if not drawn else name)
    message = last_in(world.channel)
    assert "### Strength" in text(message)
    if drawn:
        assert f"Strength {default().said('en').name} {strength:+.1f}" in text(message)
        assert all(identity.endswith(f":{name}") for identity in custom_ids(message).values())
        await world.ann.click(message, custom_id=custom_ids(message)["+ More"])
        assert asked(world).expression == name


@pytest.mark.parametrize(
    ("strength", "teeth", "eyes", "drawn"),
    [
        (1.5, "hidden", "still", varied(default().name, "hidden", "still").name),
        (-1.0, "hidden", "still", varied(default().name, eyes="still").name),
    ],
)
async def test_the_eyes_go_with_the_teeth_and_with_every_strength(
    world: World, strength: float, teeth: str, eyes: str, drawn: str
) -> None:
    await world.ann.slash(world.channel, default().name, strength=strength, teeth=teeth, eyes=eyes)
    message = last_in(world.channel)
    assert asked(world).expression == drawn
    assert f"Strength {default().said('en').name} {strength:+.1f}".replace("-", "−") in text(message)
    assert all(identity.endswith(f":{drawn}") for identity in custom_ids(message).values())
    await world.ann.click(message, custom_id=custom_ids(message)["Neutral"])
    assert asked(world).expression == drawn


async def test_the_neutral_that_a_face_is_known_by_holds_for_other_eyes(world: World) -> None:
    (face,) = world.faces(world.ann)
    own = KnownScale(default().name, "moved", (-1.0, 0.0, 1.0), (0.0, 0.2, 0.9), -0.5, -0.75)
    world.store.faces.note(world.owner(world.ann), face.id, face.learned.with_scale(own))
    await press_as(world, "Neutral", (f":{default().name}", f":{varied(default().name, 'shown', 'still').name}"))
    assert asked(world).strengths == (-0.75,)
