"""Everybody in one photo, or in the photos of one message: one request, one answer; each face has its strength, rule and end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.requests.ask import Ask
from bot.transport.photo_source import PhotoRef
from core.store import StoredFace
from tests.bot.kit import World, gallery, labels, last_in, parts_of, pictures, response_of, select_of, text
from tests.bot.workbench import NEUTRAL, photo, strengths_in
from tests.core.executor.kit import until

SAME = -1.9  # what `strengths_in` gives for a face that is as in the photo
BUTTONS = ["− Less", "+ More", "Neutral", "Original", "Exact…", "Animate", "Full size", "Delete", "Report"]


async def all_of(world: World, data: bytes, person: Any = None) -> discord.Message:
    """The answer to a photo of several, all of whom were chosen."""
    person = person or world.ann
    await person.send(world.channel, attachments=[("us.png", data)])
    await person.select(last_in(world.channel), ["all"])
    return last_in(world.channel)


def shown(world: World, message: discord.Message) -> list[float]:
    """The strength of each face in the one edited picture of a message."""
    return strengths_in(pictures(world, message)["edited.jpg"])


def options(message: discord.Message) -> dict[str, str]:
    """Value -> label of what can be chosen under an answer."""
    return {one["value"]: one["label"] for part in parts_of(message) if part.get("type") == 3 for one in part["options"]}


async def test_seven_people_are_edited_in_one_picture_and_one_message(world: World) -> None:
    result = await all_of(world, photo(7))
    assert len(world.channel.history()) == 2, "question, progress and answer are one message"
    assert sorted(pictures(world, result)) == ["edited.jpg", "original.jpg"]
    assert shown(world, result) == [1.0] * 7
    assert labels(result) == BUTTONS
    assert "Strength +1.0 · 7 faces" in text(result)
    assert "AI-edited" in text(result)
    assert sorted(one.face for one in world.faces(world.ann)) == list(range(7))
    assert "face 7 +1.0" in gallery(result)[1]["description"]


async def test_it_costs_what_its_faces_cost(world: World) -> None:
    world.set(daily_quota=10)
    await all_of(world, photo(7))
    left = world.store.limits.left(world.owner(world.ann), world.store.guilds.get(world.guild.id)).quota
    assert left == 3
    assert world.parts.executor.stats().kinds["Project"].done == 7
    await world.ann.send(world.channel, attachments=[("us.png", photo(4, n=1))])
    told = await world.ann.select(last_in(world.channel), ["all"])
    assert "That would be 4 edits" in text(told.response)


async def test_one_face_gets_its_own_strength_by_the_select(world: World) -> None:
    result = await all_of(world, photo(3))
    faces = options(result)
    assert list(faces.values()) == ["Everybody", "face 1: +1.0", "face 2: +1.0", "face 3: +1.0"]
    drawn = world.parts.executor.stats().done
    await world.ann.select(result, [list(faces)[2]])
    result = last_in(world.channel)
    assert world.parts.executor.stats().done == drawn, "to choose a face draws nothing"
    assert sorted(pictures(world, result)) == ["edited.jpg", "original.jpg"], "and the pictures stay"
    assert [one["media"]["url"].rpartition("/")[2].partition("?")[0] for one in gallery(result)] == ["original.jpg", "edited.jpg"]
    await world.ann.click(result, label="+ More")
    await world.ann.click(last_in(world.channel), label="+ More")
    assert shown(world, last_in(world.channel)) == [1.0, 1.5, 1.0]
    await world.ann.click(last_in(world.channel), label="Original")
    assert shown(world, last_in(world.channel)) == [1.0, SAME, 1.0]
    assert "face 2 **0**" in text(last_in(world.channel))
    await world.ann.select(last_in(world.channel), ["0"])
    await world.ann.click(last_in(world.channel), label="− Less")
    assert shown(world, last_in(world.channel)) == pytest.approx([0.8, -0.2, 0.8], abs=0.06), "each from its own strength"
    await world.ann.click(last_in(world.channel), label="Neutral")
    assert shown(world, last_in(world.channel)) == pytest.approx([NEUTRAL] * 3, abs=0.06)
    form = await world.ann.click(last_in(world.channel), label="Exact…")
    await world.ann.submit_modal(form, {"strength": "2,5"})
    assert shown(world, last_in(world.channel)) == [2.5] * 3
    form = await world.ann.click(last_in(world.channel), label="Exact…")
    told = await world.ann.submit_modal(form, {"strength": "9"})
    assert "between -3 and 3" in text(told.response)


async def test_only_who_asked_may_press(world: World) -> None:
    result = await all_of(world, photo(2))
    for label in ("+ More", "Exact…", "Delete"):
        told = await world.ben.click(result, label=label)
        assert "Only the person who asked" in text(told.response)
    told = await world.ben.select(result, ["0"])
    assert "Only the person who asked" in text(told.response)
    assert shown(world, last_in(world.channel)) == [1.0, 1.0]


async def test_a_face_that_is_erased_is_gone_from_the_answer(world: World) -> None:
    result = await all_of(world, photo(3))
    second = next(one for one in world.faces(world.ann) if one.face == 1)
    world.store.faces.delete(world.owner(world.ann), second.id)
    await world.ann.click(result, label="+ More")
    result = last_in(world.channel)
    assert shown(world, result) == pytest.approx([1.2, SAME, 1.2], abs=0.06)
    assert "not kept any more, and stay as they are in the photo: 1" in text(result)
    assert str(second.id) not in options(result)
    for one in world.faces(world.ann):
        world.store.faces.delete(world.owner(world.ann), one.id)
    told = await world.ann.click(result, label="+ More")
    assert "not kept any more" in text(told.response)


async def test_a_face_erased_while_it_is_drawn_is_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = world.parts.executor
    submit = executor.submit
    erased: list[StoredFace] = []

    async def erasing(request: Any, owner: Any, *more: Any, **options: Any) -> Any:
        done = await submit(request, owner, *more, **options)
        if type(request).__name__ == "Together" and not erased:
            erased.append(next(one for one in world.faces(world.ann) if one.face == 0))
            world.store.faces.delete(world.owner(world.ann), erased[0].id)
        return done

    monkeypatch.setattr(executor, "submit", erasing)
    assert shown(world, await all_of(world, photo(3))) == [SAME, 1.0, 1.0]


async def test_a_photo_that_is_deleted_takes_all_of_them_along(world: World) -> None:
    sent = await world.ann.send(world.channel, attachments=[("us.png", photo(3))])
    await world.ann.select(last_in(world.channel), ["all"])
    result = last_in(world.channel)
    await world.ann.delete(sent)
    assert not world.faces(world.ann)
    with world.store.database.reading() as db:
        assert not db.execute("select * from together").fetchall()
    told = await world.ann.click(result, label="+ More")
    assert "not kept any more" in text(told.response)


async def test_a_face_that_can_not_be_edited_stays_as_it_is_and_the_others_are(world: World) -> None:
    result = await all_of(world, photo(3, fail="MouthHidden", at="project", only=1))
    assert shown(world, result) == [1.0, SAME, 1.0]
    assert "Left as it is: face 2." in text(result)
    assert "in front of the mouth" in text(result)
    result = await all_of(world, photo(3, fail="NotWhole", at="render", only=0))
    assert shown(world, result) == [SAME, 1.0, 1.0]
    assert "Left as it is: face 1." in text(result)
    result = await all_of(world, photo(2, fail="MouthHidden", at="project"))
    assert "in front of the mouth" in text(result)
    assert not pictures(world, result)


async def test_a_refused_face_is_left_alone(world: World) -> None:
    world.set(refused_face="face")
    assert shown(world, await all_of(world, photo(4, barred=[2]))) == [1.0, 1.0, SAME, 1.0]


async def test_the_rule_on_whose_photos_holds_for_each_press(world: World) -> None:
    world.set(whose_photos="consented")
    world.consent(world.ben)
    assert world.bot.user is not None
    bens = await world.ben.send(world.other_channel, attachments=[("us.png", photo(2))])
    await world.ann.send(world.other_channel, world.bot.user.mention, reply_to=bens)
    await world.ann.select(last_in(world.other_channel), ["all"])
    result = last_in(world.other_channel)
    assert shown(world, result) == [1.0, 1.0]
    world.consent_to_less(world.ben)
    told = await world.ann.click(result, label="+ More")
    assert "has not agreed to egao" in text(told.response)


async def test_cancelled_in_the_middle_nothing_is_kept(world: World, tmp_path: Path) -> None:
    before = await world.kept_face(world.ann, n=9)
    assert before is not None
    await world.ann.send(world.channel, attachments=[("us.png", photo(3, until=str(tmp_path / "never"), only=1))])
    chosen = asyncio.create_task(world.ann.select(last_in(world.channel), ["all"]))
    await until(lambda: len(world.faces(world.ann)) == 2)
    (run,) = world.bot.service.runs.values()
    await until(lambda: run.part == (2, 3))
    await world.bot.service.cancel(world.owner(world.ann), run.job_id)
    await chosen
    assert "Cancelled. Nothing was kept." in text(last_in(world.channel))
    assert len(world.faces(world.ann)) == 1, "but what was kept before is"


async def test_after_a_restart_it_goes_on_with_the_face_that_it_was_at(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("us.png", photo(3, steps=4))])
    await world.ann.select(last_in(world.channel), ["0"])  # the first face was done before the stop
    sent = await world.ann.send(world.other_channel, attachments=[("us.png", photo(3, steps=4))])
    message = await world.bot.get_partial_messageable(world.other_channel.id).fetch_message(sent.id)
    ask = Ask("group", "en", 10**7, photo=PhotoRef.of(message.attachments[0], message), faces=(0, 1, 2))
    job = world.store.jobs.create(world.owner(world.ann), "group", ask.dump(), channel_id=world.channel.id)
    assert job is not None
    assert world.store.jobs.claim(job.id) is not None
    world.store.jobs.checkpoint(job.id, b"0/1:3")  # the third step of the second face
    world.store.jobs.requeue(job.id)
    await world.restart()
    await world.env.settle()
    latents = {one.face: json.loads(world.store.faces.latent(world.owner(world.ann), one.id)) for one in world.faces(world.ann)}
    assert {face: latent["from"] for face, latent in latents.items()} == {0: 0, 1: 3, 2: 0}
    assert shown(world, last_in(world.channel)) == [1.0] * 3


async def test_more_than_ten_faces_are_on_pages_and_all_can_be_had(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("us.png", photo(27))])
    choice = last_in(world.channel)
    assert [one["label"] for one in select_of(choice)["options"]][-2:] == [
        "face 10", "All of them, in one picture (counts as 27 edits)",
    ]  # fmt: skip
    assert "Page 1 of 3" in labels(choice)
    await world.ann.click(choice, label="▶")
    choice = last_in(world.channel)
    assert select_of(choice)["options"][0]["label"] == "face 11"
    assert "face-11.png" in [one.filename for one in choice.attachments]
    await world.restart()
    await world.ann.click(choice, label="▶")
    choice = last_in(world.channel)
    assert [one["label"] for one in select_of(choice)["options"]][-2] == "face 27"
    told = await world.ben.click(choice, label="◀")
    assert "Only the person who asked" in text(told.response)
    await world.ann.select(choice, ["26"])
    assert [one.face for one in world.faces(world.ann)] == [26]


async def test_a_crowd_in_one_picture(world: World) -> None:
    result = await all_of(world, photo(27))
    assert shown(world, result) == [1.0] * 27
    assert len(options(result)) == 28
    last = list(options(result))[-1]
    menus = [part["custom_id"] for part in parts_of(result) if part.get("type") == 3]
    assert len(menus) == 2
    await world.ann.select(result, [last], custom_id=menus[1])
    await world.ann.click(last_in(world.channel), label="Original")
    assert shown(world, last_in(world.channel)) == [*[1.0] * 26, SAME]


async def test_the_photos_of_one_message_are_answered_together(world: World) -> None:
    world.set(daily_quota=10)
    album = [("a.png", photo(1, n=1)), ("SPOILER_b.png", photo(2, n=2)), ("notes.txt", b"x"), ("c.png", photo(1, n=3))]
    await world.ann.send(world.channel, attachments=album)
    assert len(world.channel.history()) == 2
    result = last_in(world.channel)
    drawn = pictures(world, result)
    assert list(drawn) == ["edited-1.jpg", "edited-2.jpg", "edited-3.jpg"]
    assert [strengths_in(one) for one in drawn.values()] == [[1.0], [1.0, 1.0], [1.0]]
    assert [one.get("spoiler", False) for one in gallery(result)] == [False, True, False], "what was covered stays so"
    assert list(options(result).values())[2] == "picture 2, face 1: +1.0"
    assert world.store.limits.left(world.owner(world.ann), world.store.guilds.get(world.guild.id)).quota == 6
    await world.ann.select(result, [list(options(result))[2]])
    await world.ann.click(last_in(world.channel), label="+ More")
    drawn = pictures(world, last_in(world.channel))
    assert [strengths_in(one) for one in drawn.values()] == [[1.0], pytest.approx([1.2, 1.0], abs=0.06), [1.0]]


async def test_ten_photos_at_most_and_one_that_is_none_spoils_nothing(world: World) -> None:
    album = [(f"{n}.png", photo(0 if n == 4 else 1, n=n)) for n in range(10)]
    await world.ann.send(world.channel, attachments=album)
    result = last_in(world.channel)
    assert len(pictures(world, result)) == 9
    assert "Left as it is: photo 5 of the message. No face was found" in text(result)


async def test_an_album_that_is_more_than_a_member_may_is_refused_before_the_work(world: World) -> None:
    world.set(daily_quota=3)
    await world.ann.send(world.channel, attachments=[("a.png", photo(2, n=1)), ("b.png", photo(2, n=2))])
    assert "That would be 4 edits, and you have 3 left" in text(last_in(world.channel))
    assert "Project" not in world.parts.executor.stats().kinds


async def test_a_photo_taken_out_of_an_album_is_erased(world: World) -> None:
    sent = await world.ann.send(world.channel, attachments=[("a.png", photo(1, n=1)), ("b.png", photo(1, n=2))])
    assert sent is not None
    assert len(world.faces(world.ann)) == 2
    stored = world.env.backend.get_message(world.channel.id, sent.id)
    assert stored is not None
    world.env.backend.edit_message(world.channel.id, sent.id, {"attachments": list(stored.attachments)[:1]})
    world.env._mark_mutation()
    await world.env.settle()
    assert not world.faces(world.ann)


async def test_the_menu_takes_an_album_too(world: World) -> None:
    sent = await world.ann.send(world.other_channel, attachments=[("a.png", photo(1, n=1)), ("b.png", photo(1, n=2))])
    answer = await world.ann.context_menu(world.other_channel, "Make it neutral", sent)
    drawn = pictures(world, response_of(answer))
    assert [strengths_in(one)[0] for one in drawn.values()] == pytest.approx([NEUTRAL] * 2, abs=0.06)


async def test_delete_and_erase(world: World) -> None:
    result = await all_of(world, photo(3))
    told = await world.ann.click(result, label="Delete")
    (offer,) = told.followups
    assert "Its faces are kept until" in text(offer)
    assert len(world.channel.history()) == 1
    await world.ann.click(offer, label="Erase the faces too")
    assert not world.faces(world.ann)


async def test_they_can_be_reported(world: World) -> None:
    result = await all_of(world, photo(3))
    form = await world.ben.click(result, label="Report")
    await world.ben.submit_modal(form, {"why": "else", "reason": "not me"})
    (report,) = world.store.reports.of(world.guild.id)
    assert report.message_id == result.id


async def test_all_buttons_outlive_a_restart(world: World) -> None:
    result = await all_of(world, photo(2))
    await world.restart()
    await world.ann.click(result, label="+ More")
    assert shown(world, last_in(world.channel)) == pytest.approx([1.2, 1.2], abs=0.06)
