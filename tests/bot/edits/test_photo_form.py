"""The form that takes photos: where a command has none to work on, and below a word about what is missing."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from tests.bot.kit import World, agree, labels, last_in, pictures, response_of, text
from tests.bot.workbench import NEUTRAL, photo, strength_in, strengths_in


async def form_of(world: World, command: str, **options: Any) -> Any:
    """The form that a command opens."""
    opened = await world.ann.slash(world.channel, command, **options)
    assert opened.modal is not None, "no form was opened"
    return opened


async def test_a_command_with_nothing_to_work_on_asks_for_a_photo_and_goes_on_with_it(world: World) -> None:
    form = await form_of(world, "smile", strength=2.0)
    done = await world.ann.submit_modal(form, {"photos": ("me.png", photo())})
    assert strength_in(pictures(world, response_of(done))["edited.jpg"]) == pytest.approx(2.0, abs=0.06)
    assert len(world.faces(world.ann)) == 1
    again = await world.ann.slash(world.channel, "smile", strength=1.0)
    assert again.modal is None, "a face is kept now, and used"
    assert "edited.jpg" in pictures(world, response_of(again))


async def test_it_does_what_the_command_said(world: World) -> None:
    form = await form_of(world, "neutral", show="private")
    done = await world.ann.submit_modal(form, {"photos": ("me.png", photo())})
    assert done.ephemeral
    assert strength_in(pictures(world, response_of(done))["edited.jpg"]) == pytest.approx(NEUTRAL, abs=0.06)


async def test_several_photos_are_answered_together_and_what_is_none_is_left_out(world: World) -> None:
    form = await form_of(world, "smile", strength=1.5)
    sent = [("a.png", photo(1, n=1)), ("notes.txt", b"x"), ("b.png", photo(2, n=2))]
    done = await world.ann.submit_modal(form, {"photos": sent})
    drawn = pictures(world, response_of(done))
    assert [strengths_in(one) for one in drawn.values()] == [[1.5], [1.5, 1.5]]


async def test_a_spoiler_stays_one(world: World) -> None:
    from tests.bot.kit import gallery

    form = await form_of(world, "smile", strength=1.0)
    done = await world.ann.submit_modal(form, {"photos": ("SPOILER_me.png", photo())})
    assert all(one["spoiler"] for one in gallery(response_of(done)))


async def test_what_is_no_photo_is_told(world: World) -> None:
    form = await form_of(world, "smile", strength=1.0)
    done = await world.ann.submit_modal(form, {"photos": ("notes.txt", b"x")})
    assert done.ephemeral
    assert "There is no photo" in text(done.response)
    assert not world.faces(world.ann)


async def test_consent_is_asked_before_the_photo_is_read(world: World) -> None:
    opened = await world.ben.slash(world.channel, "smile", strength=1.0)
    question = await world.ben.submit_modal(opened, {"photos": ("me.png", photo())})
    assert "Before your first photo" in text(question.response)
    assert not world.photos.fetched
    await agree(world.ben, question.response)
    assert len(world.faces(world.ben)) == 1


async def test_the_limit_of_the_server_holds_when_it_was_lowered_meanwhile(world: World) -> None:
    form = await form_of(world, "smile", strength=2.5)
    world.set(strength_max=1.0)
    done = await world.ann.submit_modal(form, {"photos": ("me.png", photo())})
    assert "between -1 and 1" in text(done.response)


async def test_it_outlives_a_restart_and_the_same_form_counts_once(world: World) -> None:
    form = await form_of(world, "smile", strength=2.0)
    await world.restart()
    done = await world.ann.submit_modal(form, {"photos": ("me.png", photo())})
    assert strength_in(pictures(world, response_of(done))["edited.jpg"]) == pytest.approx(2.0, abs=0.06)


async def test_what_needs_a_kept_face_says_so(world: World) -> None:
    for command, options in (("animate", {}), ("smile", {"strength": 1.0, "face": "2"})):
        told = await world.ann.slash(world.channel, command, **options)
        assert told.modal is None
        assert "No face of yours is kept" in text(told.response)


async def test_below_what_is_missing_a_button_opens_it(world: World) -> None:
    assert world.bot.user is not None
    await world.ann.send(world.other_channel, f"{world.bot.user.mention} https://example.org/me.jpg")
    said = last_in(world.other_channel)
    assert labels(said) == ["Choose a photo…"]
    form = await world.ann.click(said, label="Choose a photo…")
    done = await world.ann.submit_modal(form, {"photos": ("me.png", photo())})
    assert strength_in(pictures(world, response_of(done))["edited.jpg"]) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("forged", ["egao:photosent:900::", "egao:photosent:x::", "egao:photosent:100::nobody", "egao:photosent"])
async def test_a_forged_form_gets_nothing_that_the_command_would_not_give(
    world: World, forged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await form_of(world, "smile", strength=1.0)
    monkeypatch.setitem(form._interaction.modal, "custom_id", forged)
    done = await world.ann.submit_modal(form, {"photos": ("me.png", photo())})
    told = text(done.response)
    assert "between -3 and 3" in told or "can't be used any more" in told
    assert not world.faces(world.ann)


async def test_the_form_holds_ten_files_of_any_kind_that_is_read(world: World) -> None:
    form = await form_of(world, "smile", strength=1.0)
    parts = form.modal["components"]
    (upload,) = [part["component"] for part in parts]
    assert discord.ComponentType(upload["type"]) is discord.ComponentType.file_upload
    assert (upload["min_values"], upload["max_values"]) == (1, 10)
