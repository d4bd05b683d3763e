"""`/smile`, `/neutral`, the context menus and the choice of a face."""

from __future__ import annotations

import asyncio

import pytest
import simcord

from tests.bot.kit import HeldExecutor, World, labels, last_in, pictures, response_of, select_of, text
from tests.bot.workbench import NEUTRAL, photo, strength_in


async def test_smile_works_on_the_latest_face_without_projecting_again(world: World) -> None:
    await world.kept_face(world.ann)
    for strength in (1.5, -2.0, 1.5):
        answer = await world.ann.slash(world.channel, "smile", strength=strength)
        assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(strength, abs=0.06)
        assert not answer.ephemeral
    assert world.parts.executor.stats().kinds["Project"].done == 1
    answer = await world.ann.slash(world.channel, "neutral")
    assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(NEUTRAL, abs=0.06)


async def test_smile_zero_is_the_photo_as_it_was(world: World) -> None:
    await world.kept_face(world.ann)
    answer = await world.ann.slash(world.channel, "smile", strength=0.0)
    assert list(pictures(world, answer.response)) == ["original.jpg"]


async def test_smile_with_a_photo_starts_from_it(world: World) -> None:
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    shown = pictures(world, answer.response)
    assert list(shown) == ["original.jpg", "edited.jpg"]
    assert strength_in(shown["edited.jpg"]) == pytest.approx(2.0, abs=0.06)
    assert len(world.faces(world.ann)) == 1


async def test_without_a_face_or_a_photo_it_says_what_is_missing(world: World) -> None:
    answer = await world.ann.slash(world.channel, "animate")
    assert answer.ephemeral
    assert "Add a photo" in text(answer.response)


async def test_the_range_is_discords_and_the_limit_the_servers(world: World) -> None:
    with pytest.raises(simcord.OptionError):
        await world.ann.slash(world.channel, "smile", strength=3.5)
    await world.kept_face(world.ann)
    world.set(strength_max=1.0)
    answer = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert "between -1 and 1" in text(answer.response)


async def test_a_face_of_one_server_is_not_reached_from_another_nor_from_a_direct_message(world: World) -> None:
    await world.kept_face(world.ann)
    elsewhere = world.env.create_guild("Elsewhere")
    channel = elsewhere.create_text_channel("talk")
    same = elsewhere.add_member(world.ann.user)
    for options in ({}, {"face": "1"}):
        answers = [
            await same.slash(channel, "smile", strength=1.0, **options),
            await world.ann.user.slash("smile", strength=1.0, **options),
        ]
        for answer in answers:
            if options:
                assert "No face of yours" in text(answer.response)
            else:
                assert answer.modal is not None, "there is nothing here: it asks for a photo"


async def test_who_sees_it_is_the_members_choice(world: World) -> None:
    await world.kept_face(world.ann)
    assert (await world.ann.slash(world.channel, "smile", strength=1.0, show="private")).ephemeral
    await world.ann.slash(world.channel, "visibility", show="private")
    assert (await world.ann.slash(world.channel, "smile", strength=1.0)).ephemeral
    assert not (await world.ann.slash(world.channel, "smile", strength=1.0, show="public")).ephemeral


async def test_buttons_of_a_private_result_stay_private(world: World) -> None:
    await world.kept_face(world.ann)
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, show="private")
    await world.ann.click(response_of(answer), label="+ More")
    assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(1.2, abs=0.06)
    assert (await world.ann.click(response_of(answer), label="Animate")).ephemeral


async def test_faces_are_offered_by_name_and_found_by_it(world: World) -> None:
    await world.kept_face(world.ann, n=1)
    await world.kept_face(world.ann, n=2)
    first = world.faces(world.ann)[1]
    world.store.faces.rename(world.owner(world.ann), first.id, "Holiday")
    choices = await world.ann.autocomplete(world.channel, "smile", "face", "hol", strength=1.0)
    assert [one["name"] for one in choices] == ["Holiday"]
    assert not await world.ben.autocomplete(world.channel, "smile", "face", "", strength=1.0)
    for face in (choices[0]["value"], "holiday", "2"):
        answer = await world.ann.slash(world.channel, "smile", strength=1.0, face=face)
        assert f":{first.id}:" in str(response_of(answer).components)
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, face="nobody")
    assert "not kept" in text(answer.response)


@pytest.mark.parametrize(("menu", "strength"), [("Make it smile", 1.0), ("Make it neutral", NEUTRAL)])
async def test_the_menus_work_on_ones_own_message(world: World, menu: str, strength: float) -> None:
    sent = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    answer = await world.ann.context_menu(world.other_channel, menu, sent)
    assert strength_in(pictures(world, answer.response)["edited.jpg"]) == pytest.approx(strength, abs=0.06)


async def test_the_menus_obey_the_rule_on_whose_photos(world: World) -> None:
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo())])
    words = await world.ben.send(world.other_channel, "just words")
    answer = await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    assert answer.ephemeral
    assert "posted yourself" in text(answer.response)
    answer = await world.ann.context_menu(world.other_channel, "Make it smile", words)
    assert "no photo in that message" in text(answer.response)
    world.set(whose_photos="any")
    answer = await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    assert "AI-edited" in text(answer.response)
    await world.ben.delete(bens)
    assert not world.faces(world.ann), "who posted the photo can take it back"


@pytest.mark.parametrize("rule", ["own", "consented", "any"])
async def test_a_picture_of_the_bots_own_is_not_edited_once_more(world: World, rule: str) -> None:
    await world.kept_face(world.ann)
    world.set(whose_photos=rule)
    answer = await world.ann.context_menu(world.channel, "Make it smile", last_in(world.channel))
    assert answer.ephemeral
    assert "Use the buttons under it" in text(answer.response)
    assert len(world.faces(world.ann)) == 1


async def test_several_faces_are_offered_with_numbers_and_pictures(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("us.png", photo(3))])
    choice = world.channel.last_message
    assert choice is not None
    assert "3 faces found" in text(choice)
    assert [f"Face {n}" in text(choice) for n in (1, 2, 3)] == [True] * 3
    assert len(choice.attachments) == 3
    assert [one["label"] for one in select_of(choice)["options"]] == [
        "face 1",
        "face 2",
        "face 3",
        "All of them, in one picture (counts as 3 edits)",
    ]
    answer = await world.ben.select(choice, ["1"])
    assert "Only the person who asked" in text(answer.response)
    await world.ann.select(choice, ["1"])
    assert "AI-edited" in text(world.channel.last_message)
    assert [one.face for one in world.faces(world.ann)] == [1]
    assert len(world.channel.history()) == 2


async def test_while_a_choice_is_open_no_photo_is_held(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("group.png", photo(3))])
    ((run, _),) = world.bot.service.choosing.values()
    assert run.photo is None
    fetched = len(world.photos.fetched)
    await world.ann.select(last_in(world.channel), ["1"])
    assert "AI-edited" in text(world.channel.last_message)
    assert len(world.photos.fetched) == fetched + 1


async def test_a_number_with_the_photo_needs_no_question(world: World) -> None:
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("us.png", photo(2)), face="2")
    assert "AI-edited" in text(answer.response)
    assert [one.face for one in world.faces(world.ann)] == [1]
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("us.png", photo(2, n=1)), face="5")
    assert "no face number 5: this photo has 2" in text(answer.response)


async def test_a_choice_outlives_a_restart_and_ends_after_its_time(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("us.png", photo(2))])
    await world.restart()
    await world.ann.select(last_in(world.channel), ["0"])
    assert "AI-edited" in text(world.channel.last_message)

    await world.ann.send(world.channel, attachments=[("us.png", photo(2, n=1))])
    await world.bot.service.close_choices(now=float("inf"))
    await asyncio.gather(*world.bot.service.ends.telling.values())
    assert "no longer open" in text(world.channel.last_message)
    assert not world.store.jobs.of(world.owner(world.ann))


async def test_a_choice_can_be_cancelled(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("us.png", photo(2))])
    await world.ann.click(last_in(world.channel), label="Cancel")
    assert "Cancelled" in text(world.channel.last_message)
    assert not world.store.jobs.of(world.owner(world.ann))


async def test_the_queue_shows_what_waits_and_lets_it_go(world: World) -> None:
    answer = await world.ann.slash(world.channel, "queue")
    assert "nothing waiting" in text(answer.response)
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    await world.ann.send(world.channel, attachments=[("us.png", photo(2))])
    answer = await world.ann.slash(world.channel, "queue")
    assert "a photo: being worked on" in text(answer.response)
    assert "waiting for you to choose" in text(answer.response)
    assert labels(answer.response) == ["Cancel 1", "Cancel 2"]
    assert "nothing waiting" in text((await world.ben.slash(world.channel, "queue")).response)
    await world.ann.click(response_of(answer), label="Cancel 1")
    assert len(world.store.jobs.of(world.owner(world.ann))) == 1
