"""A picture that is no good is never shown: the member is told why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.kit import World, pictures, running, text
from tests.bot.workbench import photo


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        made.consent(made.ann)
        await made.ann.send(made.channel, attachments=[("me.png", photo(fail="NotWhole", at="render"))])
        yield made


async def test_the_good_pictures_are_shown_with_the_reason_for_the_other(world: World) -> None:
    answer = world.channel.last_message
    assert set(pictures(world, answer)) == {"original.jpg", "neutral.jpg"}
    assert "At strength +1 the mouth" in text(answer)


async def test_where_none_is_good_the_reason_is_the_answer(world: World) -> None:
    answer = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert "At strength +2 the mouth" in text(answer.response)
    assert not any(name.startswith("edited") for name in pictures(world, answer.response))
