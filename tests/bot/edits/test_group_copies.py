"""Copies of an answer with several faces: in full size for its member alone, and moving, as those of a single face."""

from __future__ import annotations

import io
from typing import Any

import discord
import pytest
import simcord
from PIL import Image, ImageSequence

from bot.requests.ask import Ask
from bot.requests.run import Run
from bot.transport.answer import Answer
from core.executor import FullTogether, MoveTogether
from tests.bot.edits.test_group import SAME, all_of, options
from tests.bot.kit import HeldExecutor, World, gallery, labels, last_in, pictures, response_of, text
from tests.bot.workbench import NEUTRAL, photo, strengths_in


def moves(data: bytes) -> list[list[float]]:
    """The strength of each face in each frame; the stand-in's animations do not turn back."""
    with Image.open(io.BytesIO(data)) as moving:
        return [_strengths(frame.convert("RGB")) for frame in ImageSequence.Iterator(moving)]


def _strengths(frame: Image.Image) -> list[float]:
    out = io.BytesIO()
    frame.save(out, "png")
    return strengths_in(out.getvalue())


async def choose(world: World, number: int) -> None:
    """Aim the buttons at the face with this number, from 1."""
    result = last_in(world.channel)
    await world.ann.select(result, [list(options(result))[number]])


async def press(world: World, result: discord.Message, label: str) -> simcord.ResponseMessage:
    return response_of(await world.ann.click(result, label=label))


async def test_full_size_has_everybody_and_is_for_the_member_alone(world: World) -> None:
    result = await all_of(world, photo(7))
    told = await world.ann.click(result, label="Full size")
    assert told.ephemeral
    full = response_of(told)
    assert list(pictures(world, full)) == ["egao.png"]
    assert strengths_in(pictures(world, full)["egao.png"]) == [1.0] * 7
    assert "Full size, strength" in text(full)
    assert "AI-edited" in text(full)
    assert "face 7 +1.0" in gallery(full)[0]["description"]
    assert labels(full) == ["Delete", "Report"]
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    assert isinstance(executor.asked, FullTogether)
    assert executor.asked.size is None, "as large as the photo"


async def test_full_size_is_what_is_shown_each_face_at_its_own_strength(world: World) -> None:
    await all_of(world, photo(3, fail="NotWhole", at="render", only=0))
    await choose(world, 2)
    await world.ann.click(last_in(world.channel), label="+ More")
    full = await press(world, last_in(world.channel), "Full size")
    assert strengths_in(pictures(world, full)["egao.png"]) == pytest.approx([SAME, 1.2, 1.0], abs=0.06)
    assert text(full).startswith("### Full size\n"), "no strength is that of all"


async def test_a_press_before_the_answer_is_noted_goes_on_from_what_is_shown(world: World) -> None:
    """On a machine so busy that noting it takes longer than a press can wait."""
    result = await all_of(world, photo(2))
    bot, owner = world.bot, world.owner(world.ann)
    ids = [one.id for one in world.store.faces.of(owner)]
    group = next(one["group"] for one in world.store.groups.with_face(ids[0]))
    world.store.groups.set(owner, group, [(one, 0.0) for one in ids])  # as it was before the answer
    ask = Ask("group", "en", 1 << 20)
    elsewhere = Answer(bot, ask.say, world.ann.user.id, world.channel.id, message_id=1)
    run = Run(group, owner, ask, elsewhere, world.store.guilds.get(world.guild.id), spent=True, strengths=dict.fromkeys(ids, 1.0))
    bot.service.runs[group] = run
    full = await press(world, result, "Full size")
    del bot.service.runs[group]
    assert strengths_in(pictures(world, full)["egao.png"]) == [1.0, 1.0]


async def test_after_neutral_an_animation_goes_to_the_usual_strength(world: World) -> None:
    result = await all_of(world, photo(2))
    await world.ann.click(result, label="Neutral")
    await world.ann.click(last_in(world.channel), label="Animate")
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    assert isinstance(executor.asked, MoveTogether)
    assert [one.strength for one in executor.asked.faces] == [1.0, 1.0], "from neutral to neutral nothing moves"


async def test_what_full_size_lacks_of_the_photo_is_told(world: World) -> None:
    result = await all_of(world, photo(2, high=True))
    assert "leaves out" not in text(last_in(world.channel)), "a small picture never has it"
    assert "-# The result leaves out: the high dynamic range." in text(await press(world, result, "Full size"))


async def test_of_the_photo_as_it_was_nothing_is_called_an_edit(world: World) -> None:
    result = await all_of(world, photo(2))
    await world.ann.click(result, label="Original")
    full = await press(world, last_in(world.channel), "Full size")
    assert strengths_in(pictures(world, full)["egao.png"]) == [SAME] * 2
    assert "The photo as it was" in text(full)
    assert "AI-edited" not in text(full)


async def test_everybody_moves_from_neutral_to_their_own_strength(world: World) -> None:
    await all_of(world, photo(3))
    await choose(world, 2)
    await world.ann.click(last_in(world.channel), label="+ More")
    await world.ann.select(last_in(world.channel), ["0"])
    moving = await press(world, last_in(world.channel), "Animate")
    assert list(pictures(world, moving)) == ["animated.webp"]
    frames = moves(pictures(world, moving)["animated.webp"])
    assert frames[0] == pytest.approx([NEUTRAL] * 3, abs=0.06)
    assert frames[-1] == pytest.approx([1.0, 1.25, 1.0], abs=0.06)
    assert [one[0] for one in frames] == sorted(one[0] for one in frames)
    assert "each face to its strength" in text(moving)
    assert gallery(moving)[0]["description"].startswith("AI-edited animation")
    assert labels(moving) == ["Delete", "Report"]
    assert len(world.channel.history()) == 3, "a further message"


async def test_the_chosen_face_moves_alone(world: World) -> None:
    await all_of(world, photo(3))
    await choose(world, 3)
    moving = await press(world, last_in(world.channel), "Animate")
    frames = moves(pictures(world, moving)["animated.webp"])
    assert {tuple(one[:2]) for one in frames} == {(1.0, 1.0)}, "the others are as strong as they are shown"
    assert (frames[0][2], frames[-1][2]) == pytest.approx((NEUTRAL, 1.0), abs=0.06)
    assert "From neutral to" in text(moving)


async def test_faces_shown_as_in_the_photo_move_by_the_usual_amount_or_stay(world: World) -> None:
    await all_of(world, photo(2))
    await choose(world, 1)
    await world.ann.click(last_in(world.channel), label="Original")
    await world.ann.select(last_in(world.channel), ["0"])
    frames = moves(pictures(world, await press(world, last_in(world.channel), "Animate"))["animated.webp"])
    assert {one[0] for one in frames} == {SAME}, "somebody left as they are is left so"
    result = world.channel.history()[1]
    await world.ann.click(result, label="Original")
    frames = moves(pictures(world, await press(world, result, "Animate"))["animated.webp"])
    assert frames[-1] == pytest.approx([1.0, 1.0], abs=0.06), "of nobody edited there is nothing else to see"


async def test_it_never_goes_beyond_what_the_server_allows(world: World) -> None:
    result = await all_of(world, photo(2))
    world.set(strength_max=0.5)
    frames = moves(pictures(world, await press(world, result, "Animate"))["animated.webp"])
    assert frames[0] == pytest.approx([-0.5] * 2, abs=0.06)
    assert frames[-1] == pytest.approx([0.5] * 2, abs=0.06)


async def test_a_crowd_moves_in_fewer_frames_and_a_larger_picture(world: World) -> None:
    await press(world, await all_of(world, photo(27)), "Animate")
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    asked = executor.asked
    assert isinstance(asked, MoveTogether)
    assert (asked.frames, asked.fps, asked.size) == (8, 4, 1024)


async def test_an_animation_is_one_use_and_full_size_none(world: World) -> None:
    world.set(daily_quota=10)
    result = await all_of(world, photo(3))

    def quota() -> int:
        return world.store.limits.left(world.owner(world.ann), world.store.guilds.get(world.guild.id)).quota

    assert quota() == 7
    await press(world, result, "Full size")
    assert quota() == 7
    await press(world, result, "Animate")
    assert quota() == 6


async def test_of_an_album_each_picture_or_that_of_the_chosen_face(world: World) -> None:
    album = [("a.png", photo(1, n=1)), ("SPOILER_b.png", photo(2, n=2))]
    await world.ann.send(world.channel, attachments=album)
    result = last_in(world.channel)
    full = await press(world, result, "Full size")
    assert list(pictures(world, full)) == ["egao-1.png", "egao-2.png"]
    assert [one.get("spoiler", False) for one in gallery(full)] == [False, True]
    await choose(world, 2)
    full = await press(world, last_in(world.channel), "Full size")
    assert {name: strengths_in(one) for name, one in pictures(world, full).items()} == {"egao-2.png": [1.0, 1.0]}
    moving = await press(world, last_in(world.channel), "Animate")
    assert list(pictures(world, moving)) == ["animated-2.webp"]


async def test_a_copy_changes_nothing_of_the_answer(world: World) -> None:
    result = await all_of(world, photo(2))
    await choose(world, 2)
    before = text(last_in(world.channel))
    await press(world, last_in(world.channel), "Animate")
    await world.restart()
    shown = world.channel.history()[1]
    assert shown.id == result.id
    assert text(shown) == before
    await world.ann.click(shown, label="+ More")
    assert strengths_in(pictures(world, world.channel.history()[1])["edited.jpg"]) == pytest.approx([1.0, 1.2], abs=0.06)


async def test_what_was_erased_or_is_not_ones_own_is_told(world: World) -> None:
    result = await all_of(world, photo(2))
    told = await world.ben.click(result, label="Animate")
    assert "Only the person who asked" in text(told.response)
    second = next(one for one in world.faces(world.ann) if one.face == 1)
    world.store.faces.delete(world.owner(world.ann), second.id)
    full = await press(world, result, "Full size")
    assert strengths_in(pictures(world, full)["egao.png"]) == [1.0, SAME]
    assert "not kept any more, and stay as they are in the photo: 1" in text(full)


async def test_a_copy_is_deleted_by_its_member(world: World) -> None:
    await press(world, await all_of(world, photo(2)), "Animate")
    moving = last_in(world.channel)
    told: Any = await world.ben.click(moving, label="Delete")
    assert "Only the person who asked" in text(told.response)
    await world.ann.click(moving, label="Delete")
    assert moving.id not in [one.id for one in world.channel.history()]
    assert len(world.faces(world.ann)) == 2
