"""A face is shown in its own photo, which is read again from Discord each time and kept nowhere."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.learned import Learned
from tests.bot.kit import HeldExecutor, Message, World, last_in, pictures, running, text
from tests.bot.workbench import NEUTRAL, photo, strength_in

WIDE = photo(2)  # two faces: 128 pixels wide; a face alone is a square


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        made.consent(made.ann)
        await made.ann.send(made.channel, attachments=[("us.png", WIDE)])
        await made.ann.select(last_in(made.channel), ["1"])
        yield made


def holding(folder: Path, marker: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and marker in path.read_bytes()]


def sizes(world: World, message: Message) -> dict[str, tuple[int, int]]:
    found = {}
    for name, data in pictures(world, message).items():
        with Image.open(io.BytesIO(data)) as image:
            found[name] = image.size
    return found


async def test_every_picture_is_the_whole_photo(world: World) -> None:
    wide = (128, 64)
    assert sizes(world, world.channel.last_message) == dict.fromkeys(("original.jpg", "neutral.jpg", "edited.jpg"), wide)
    await world.ann.click(last_in(world.channel), label="+ More")
    assert sizes(world, world.channel.last_message)["edited.jpg"] == wide
    answer = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert sizes(world, answer.response) == dict.fromkeys(("original.jpg", "edited.jpg"), wide)


@pytest.mark.parametrize("press", ["+ More", "Animate", "Full size"])
async def test_what_was_measured_of_the_face_goes_with_every_request(world: World, press: str) -> None:
    await world.ann.click(world.channel.history()[1], label=press)
    assert isinstance(world.parts.executor, HeldExecutor)
    asked = world.parts.executor.asked
    assert (asked.photo, asked.face, asked.learned.neutral("smile")) == (WIDE, 1, NEUTRAL)
    assert asked.learned.found == "seen 1, drawn", "at the first look, and by its projection"


async def test_a_face_that_was_kept_without_its_place_is_looked_for_once(world: World) -> None:
    (face,) = world.faces(world.ann)
    owner, known = world.owner(world.ann), face.learned
    world.store.faces.note(owner, face.id, replace(known, found=""))
    await world.ann.slash(world.channel, "smile", strength=2.0)
    assert world.faces(world.ann)[0].learned == replace(known, found="looked for")
    await world.ann.slash(world.channel, "smile", strength=1.0)
    assert isinstance(world.parts.executor, HeldExecutor)
    assert world.parts.executor.asked.learned.found == "looked for"


async def test_all_that_is_learned_of_a_face_in_one_go_is_kept(world: World) -> None:
    """Also where its neutral is beyond the limit, so that it is drawn a second time."""
    (face,) = world.faces(world.ann)
    world.store.faces.note(world.owner(world.ann), face.id, Learned())
    world.set(strength_max=0.5)
    await world.ann.slash(world.channel, "neutral")
    (after,) = world.faces(world.ann)
    assert (after.source, after.learned.found, after.learned.neutral("smile")) == (face.source, "looked for", NEUTRAL)


async def test_the_photo_is_fetched_again_and_written_nowhere(world: World, tmp_path: Path) -> None:
    before = len(world.photos.fetched)
    await world.ann.slash(world.channel, "smile", strength=2.0)
    assert len(world.photos.fetched) == before + 1
    marker = WIDE[40:80]  # of its compressed pixels
    assert not await asyncio.to_thread(holding, tmp_path, marker)


async def test_a_photo_that_came_with_a_command_is_found_again_by_its_link(world: World) -> None:
    await world.ann.slash(world.other_channel, "smile", strength=1.0, photo=("me.png", photo(2, n=5)), face="1")
    answer = await world.ann.slash(world.other_channel, "smile", strength=2.0)
    assert sizes(world, answer.response)["edited.jpg"] == (128, 64)


async def test_without_the_photo_the_face_alone_is_shown_and_that_is_said(world: World) -> None:
    world.photos.dead.update(world.photos.fetched)
    posted = next(one for one in world.channel.history() if one.attachments and one.author.id == world.ann.id)
    for attachment in posted.attachments:
        world.photos.dead.add(attachment.url)
    answer = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert sizes(world, answer.response)["edited.jpg"] == (64, 64)
    assert "photo is not there any more" in text(answer.response)
    assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(2.0, abs=0.06)


async def test_another_picture_under_the_same_link_is_not_taken_for_the_photo(world: World) -> None:
    world.photos.changed = photo(3)
    answer = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert sizes(world, answer.response)["edited.jpg"] == (64, 64)
