"""Buttons and kept faces carry their expression; those of versions that knew one alone go on working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from discord import AppCommandType

from bot.text.command_names import JAPANESE
from core import expressions
from core.expressions import default, load
from core.expressions.expression import read
from core.learned import KnownScale
from tests.bot.edits.test_result import replace
from tests.bot.kit import HeldExecutor, World, custom_ids, last_in, pictures, running, text
from tests.bot.workbench import strength_in
from tests.core.test_expressions import SURPRISE


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        await made.kept_face(made.ann)
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


async def test_commands_and_menus_are_called_as_the_default_expression_says(world: World) -> None:
    words = default().said("en")
    registered = [*world.bot.tree.get_commands(), *world.bot.tree.get_commands(type=AppCommandType.message)]
    assert {words.name, words.menu} <= {one.name for one in registered}
    for english, japanese in zip(words.all(), default().said("ja").all(), strict=True):
        assert JAPANESE[english] == japanese


async def test_each_expression_is_a_command_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = read("surprise", SURPRISE)
    known = {default().name: default(), one.name: one}
    monkeypatch.setattr(expressions.expression, "_all", lambda: known)
    async with running(tmp_path) as world:
        await world.kept_face(world.ann)
        await world.ann.slash(world.channel, one.said("en").name, strength=1.0)
        assert asked(world).expression == one.name
        assert f"Strength {one.said('en').name} +1" in text(last_in(world.channel))
        assert all(identity.endswith(f":{one.name}") for identity in list(custom_ids(last_in(world.channel)).values())[:3])
        await world.ann.slash(world.channel, default().said("en").name, strength=1.0)
        assert asked(world).expression in {"", default().name}
