"""An animation: how its progress is told, what comes, and how it goes again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from discord import ui

from core.executor import Progress
from tests.bot.kit import HeldExecutor, World, gallery, labels, last_in, pictures, running, text


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        await made.kept_face(made.ann)
        yield made


async def press(world: World, label: str, person: Any = None) -> Any:
    return await (person or world.ann).click(last_in(world.channel), label=label)


async def test_the_progress_of_an_animation_is_not_that_of_a_search(world: World) -> None:
    assert isinstance(world.parts.executor, HeldExecutor)
    world.parts.executor.gate = asyncio.Event()
    await press(world, "Animate")
    (run,) = world.bot.service.runs.values()
    assert run.follower is not None
    shown = run.follower.draw(Progress(12, 24, 3.0), None).view
    said = "".join(item.content for item in shown.walk_children() if isinstance(item, ui.TextDisplay))
    assert "50%" in said
    assert "Drawing" in said
    assert "Finding" not in said


async def test_animate_posts_a_moving_picture(world: World) -> None:
    answer = await press(world, "Animate")
    assert not answer.ephemeral
    assert list(pictures(world, answer.response)) == ["animated.webp"]
    assert "animation" in gallery(answer.response)[0]["description"]
    command = await world.ann.slash(world.channel, "animate", show="private")
    assert command.ephemeral
    assert list(pictures(world, command.response)) == ["animated.webp"]


async def test_an_animation_can_be_deleted_and_reported_as_every_picture(world: World) -> None:
    await press(world, "Animate")
    moving = last_in(world.channel)
    assert labels(moving) == ["Delete", "Report"]
    assert "Only the person" in text((await press(world, "Delete", world.ben)).response)
    assert (await press(world, "Report", world.ben)).modal is not None
    await press(world, "Delete")
    assert moving.id not in [one.id for one in world.channel.history()]
