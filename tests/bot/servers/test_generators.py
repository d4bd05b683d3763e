"""A face generator for each server: kept faces go along when it changes, and their members are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.requests.generators import Generators
from tests.bot.kit import GENERATOR, World, last_in, parts_of, pictures, response_of, running, text
from tests.bot.workbench import mark_in, photo, strength_in, strengths_in

OTHER = "b" * 64
ALL = {"usual": GENERATOR, "other": OTHER}
NEWS = "Another face generator draws here now"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, generators=Generators(GENERATOR, ALL, frozenset(ALL.values()), "usual")) as made:
        yield made


def projected(world: World) -> int:
    return world.parts.executor.stats().kinds["Project"].done


def lose_photos(world: World) -> None:
    """Every photo that was posted or fetched is gone, though nobody deleted its message."""
    world.photos.dead.update(world.photos.fetched)
    world.photos.dead.update(one.url for message in world.channel.history() for one in message.attachments)


async def test_admins_choose_among_those_that_are_here(world: World) -> None:
    answer = await world.boss.slash(world.channel, "egao settings")
    panel = response_of(answer)
    assert "usual, as egao's operator chose" in str(parts_of(panel))
    await world.boss.select(panel, ["other"], custom_id="egao:set:generator")
    assert world.store.guilds.get(world.guild.id).generator == "other"
    chosen = [one["value"] for part in parts_of(panel) for one in part.get("options", ()) if one.get("default")]
    assert "other" in chosen
    await world.boss.select(panel, ["-"], custom_id="egao:set:generator")
    assert world.store.guilds.get(world.guild.id).generator == ""


async def test_one_generator_alone_is_no_choice(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        answer = await world.boss.slash(world.channel, "egao settings")
        assert "generator" not in str(parts_of(response_of(answer)))


async def test_a_new_photo_is_for_the_servers_generator_and_a_direct_message_for_the_usual(world: World) -> None:
    world.set(generator="other")
    await world.kept_face(world.ann)
    assert [one.generator for one in world.faces(world.ann)] == [OTHER]
    assert strength_in(pictures(world, last_in(world.channel))["edited.jpg"]) == pytest.approx(1.0, abs=0.06)
    await world.dm(world.ann, "me.png", photo())
    kept = world.store.faces.of(replace(world.owner(world.ann), guild_id=None))
    assert [one.generator for one in kept] == [GENERATOR]


async def test_a_kept_face_is_projected_anew_from_its_photo_and_its_member_is_told(world: World) -> None:
    result = await world.kept_face(world.ann, mark="me")
    (before,) = world.faces(world.ann)
    world.store.faces.rename(world.owner(world.ann), before.id, "me")
    world.set(generator="other")
    await world.ann.click(result, label="+ More")
    result = last_in(world.channel)
    assert NEWS in text(result)
    assert "from its photo" in text(result)
    assert strength_in(pictures(world, result)["edited.jpg"]) == pytest.approx(1.2, abs=0.06)
    (after,) = world.faces(world.ann)
    assert (after.id, after.generator, after.name, after.expires) == (before.id, OTHER, "me", before.expires)
    assert projected(world) == 2
    await world.ann.click(result, label="+ More")
    assert NEWS not in text(last_in(world.channel)), "it is said once"
    assert projected(world) == 2


@pytest.mark.parametrize("label", ["Animate", "Full size"])
async def test_other_answers_tell_it_too(world: World, label: str) -> None:
    result = await world.kept_face(world.ann)
    world.set(generator="other")
    answer = await world.ann.click(result, label=label)
    assert NEWS in text(answer.response)


async def test_without_the_photo_it_is_projected_from_what_the_earlier_generator_drew(world: World) -> None:
    result = await world.kept_face(world.ann, mark="me")
    world.set(generator="other")
    lose_photos(world)
    await world.ann.click(result, label="+ More")
    result = last_in(world.channel)
    assert "from what the earlier generator drew" in text(result)
    assert mark_in(pictures(world, result)["edited.jpg"]) == "/0", "the drawn picture has no mark of the photo"
    assert [one.generator for one in world.faces(world.ann)] == [OTHER]
    await world.ann.click(result, label="+ More")
    assert "drew" not in text(last_in(world.channel))


async def test_without_photo_and_generator_a_sentence_says_so_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running(tmp_path, generators=Generators(GENERATOR, ALL, frozenset({OTHER}), "usual")) as world:
        result = await world.kept_face(world.ann)
        world.set(generator="other")
        lose_photos(world)
        told = await world.ann.click(result, label="+ More")
        shown = text(told.response) if told.response is not None else text(last_in(world.channel))
        assert "can't be carried over" in shown
        assert [one.generator for one in world.faces(world.ann)] == [GENERATOR]
        world.set(generator="")
        answer = await world.ann.slash(world.channel, "smile", strength=2.0)
        assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(2.0, abs=0.06)


async def test_a_choice_that_is_not_here_any_more_is_the_usual_one(world: World) -> None:
    world.set(generator="gone")
    await world.kept_face(world.ann)
    assert [one.generator for one in world.faces(world.ann)] == [GENERATOR]
    answer = await world.boss.slash(world.channel, "egao settings")
    assert "usual, as egao's operator chose" in str(parts_of(response_of(answer)))


async def test_a_photo_given_again_since_spares_the_old_result_its_projection(world: World) -> None:
    result = await world.kept_face(world.ann)
    world.set(generator="other")
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert sorted(one.generator for one in world.faces(world.ann)) == [GENERATOR, OTHER]
    assert projected(world) == 2
    await world.ann.click(result, label="+ More")
    assert projected(world) == 2


async def test_a_group_goes_along_with_every_strength(world: World) -> None:
    world.consent(world.ann)
    world.open()
    await world.ann.send(world.channel, attachments=[("us.png", photo(3))])
    await world.ann.select(last_in(world.channel), ["all"])
    world.set(generator="other")
    await world.ann.click(last_in(world.channel), label="+ More")
    result = last_in(world.channel)
    assert text(result).count(NEWS) == 1
    assert strengths_in(pictures(world, result)["edited.jpg"]) == pytest.approx([1.2] * 3, abs=0.06)
    assert {one.generator for one in world.faces(world.ann)} == {OTHER}
    assert projected(world) == 6
