"""Nothing is read before the member agreed; then what they had asked for goes on by itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord
import pytest
from simcord import _modal

from bot.requests.consent import EACH
from bot.text import privacy
from bot.ui.pages import notice
from tests.bot.kit import HeldExecutor, World, agree, breaking, labels, last_in, pictures, response_of, running, text
from tests.bot.workbench import photo


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        yield made


async def test_a_first_photo_asks_and_goes_on_in_the_same_message(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    question = last_in(world.channel)
    assert labels(question) == ["I agree", "No, thank you"]
    assert "48 hours" in text(question)
    assert not world.photos.fetched
    assert not world.store.jobs.of(world.owner(world.ann))
    assert world.store.members.get(world.ann.id).consent_version is None
    await agree(world.ann, question)
    assert "### Strength" in text(world.channel.last_message)
    assert len(world.channel.history()) == 2
    assert world.store.members.get(world.ann.id).consent_version == privacy.CONSENT_VERSION


async def test_the_notice_names_how_long_this_server_keeps(world: World) -> None:
    world.set(retention_hours=7)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "7 hours" in text(world.channel.last_message)


async def test_the_question_is_asked_until_discord_takes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(world, monkeypatch, times=2)
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=503, times=2)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    question = last_in(world.channel)
    assert labels(question) == ["I agree", "No, thank you"]
    assert len(world.channel.history()) == 2, "asked once"
    await agree(world.ann, question)
    assert "### Strength" in text(world.channel.last_message)


async def test_agreeing_while_the_photo_cannot_be_read_again_says_so_and_may_be_repeated(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    question = last_in(world.channel)
    await world.restart()  # what was asked for is known from the message with the photo alone
    world.env.inject_error("GET", f"/channels/{world.channel.id}/messages/*", status=503)
    told = await agree(world.ann, question)
    assert "could not be fetched (Discord does not answer)" in text(told.response)
    assert not world.complaints(), "no mistake in the code"
    await agree(world.ann, question)
    assert "### Strength" in text(world.channel.last_message)


async def test_nobody_can_agree_for_somebody_else(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    for label in ("I agree", "No, thank you"):
        answer = await world.ben.click(last_in(world.channel), label=label)
        assert answer.ephemeral
        assert "for somebody else" in text(answer.response)
    assert not world.store.members.has_consented(world.ann.id, 1)
    assert not world.store.members.has_consented(world.ben.id, 1)


@pytest.mark.parametrize("ticked", ["adult", "allowed"])
async def test_one_tick_of_two_is_not_enough(world: World, ticked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    question = last_in(world.channel)
    form = await world.ann.click(question, label="I agree")
    assert form.modal is not None
    (part,) = [one["component"] for one in form.modal["components"]]
    assert (part["min_values"], part["max_values"], len(part["options"])) == (2, 2, 2), "Discord itself asks for both"
    assert not any(one.get("default") for one in part["options"]), "nothing is ticked beforehand"
    monkeypatch.setattr(_modal, "_modal_bounds", lambda *_, **__: (0, 2))  # a client that lets it through
    told = await world.ann.submit_modal(form, {"ticked": [ticked]})
    assert "only if both are true" in text(told.response)
    assert not world.store.members.has_consented(world.ann.id, 1)
    assert not world.photos.fetched
    await agree(world.ann, question)
    assert "### Strength" in text(world.channel.last_message)


async def test_a_no_leaves_nothing(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    await world.ann.click(last_in(world.channel), label="No, thank you")
    assert "Nothing was read or kept" in text(world.channel.last_message)
    assert not world.photos.fetched
    assert not list(world.store.export_member(world.ann.id, 2**30))


async def test_a_command_goes_on_too_and_stays_with_the_member(world: World) -> None:
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    assert answer.ephemeral
    assert not world.photos.fetched
    await agree(world.ann, response_of(answer))
    assert list(pictures(world, answer.response)) == ["original.jpg", "edited.jpg"]
    assert response_of(answer).ephemeral


async def test_after_a_restart_a_posted_photo_is_found_again_and_a_command_asked_for_again(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    command = await world.ben.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    await world.restart()
    await agree(world.ann, last_in(world.channel))
    assert "### Strength" in text(world.channel.last_message)
    await agree(world.ben, response_of(command))
    assert "once more" in text(command.response)
    assert world.store.members.has_consented(world.ben.id, 1)


async def test_after_a_restart_a_photo_that_a_mention_answers_is_found_again(world: World) -> None:
    assert world.bot.user is not None
    posted = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    await world.ann.send(world.other_channel, world.bot.user.mention, reply_to=posted)
    await world.restart()
    await agree(world.ann, last_in(world.other_channel))
    assert "### Strength" in text(world.other_channel.last_message)


async def test_a_photo_deleted_before_the_answer_is_not_read(world: World) -> None:
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    question = last_in(world.channel)
    await world.restart()
    await world.ann.delete(sent)
    answer = await agree(world.ann, question)
    assert "can't be read any more" in text(answer.response)


async def test_a_new_version_of_the_notice_asks_everyone_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    old = last_in(world.channel)
    monkeypatch.setattr(sys.modules["cogs.consent"], "CONSENT_VERSION", 2)
    answer = await world.ann.click(old, label="I agree")
    assert "older message" in text(answer.response)
    world.consent(world.ben)
    monkeypatch.setattr("bot.requests.access.CONSENT_VERSION", 2)
    await world.ben.send(world.channel, attachments=[("me.png", photo())])
    assert "I agree" in labels(world.channel.last_message)


@pytest.mark.parametrize("menu", ["Make it smile", "Make it neutral"])
async def test_menus_ask_too(world: World, menu: str) -> None:
    sent = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    answer = await world.ann.context_menu(world.other_channel, menu, sent)
    assert answer.ephemeral
    assert "I agree" in labels(answer.response)
    assert not world.photos.fetched


async def test_a_second_press_of_i_agree_is_not_told_to_ask_once_more(world: World) -> None:
    """As when the first came too late for Discord, which then says that the bot did not respond."""
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    form = await world.ann.click(response_of(answer), label="I agree")
    world.env.inject_error("POST", "/interactions/*", status=404, code=10062, message="Unknown interaction", times=1)
    await world.ann.submit_modal(form, {"ticked": ["adult", "allowed"]})
    assert "I agree" in labels(answer.response), "the question still stands"
    again = await agree(world.ann, response_of(answer))
    assert "once more" not in text(again.response) + text(answer.response)
    executor.gate.set()
    await world.env.settle()
    results = [
        one for one in (*world.channel.history(), world.ann.user.dm_channel.last_message) if one and "### Strength" in text(one)
    ]
    assert len(results) == 1


async def test_a_second_press_of_i_agree_is_known_after_a_restart_too(world: World) -> None:
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    form = await world.ann.click(response_of(answer), label="I agree")
    world.env.inject_error("POST", "/interactions/*", status=404, code=10062, message="Unknown interaction", times=1)
    await world.ann.submit_modal(form, {"ticked": ["adult", "allowed"]})
    await world.restart()
    assert "I agree" in labels(answer.response), "the question still stands"
    again = await agree(world.ann, response_of(answer))
    assert "once more" not in text(again.response) + text(answer.response)
    assert "agreed already" in text(answer.response)
    assert "I agree" not in labels(answer.response), "the answer came elsewhere: nothing is asked any more"


async def test_two_commands_before_the_answer_are_both_done(world: World) -> None:
    first, second = [await world.ann.slash(world.channel, "smile", strength=one, photo=("me.png", photo())) for one in (2.0, 3.0)]
    for asked, strength in ((first, "+2"), (second, "+3")):
        await agree(world.ann, response_of(asked))
        await world.env.settle()
        assert f"Strength {strength}" in text(asked.response)


async def test_who_asks_often_pushes_nobody_out(world: World) -> None:
    ben = await world.ben.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    for _ in range(10):
        await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    assert len(world.bot.consent.waiting(world.ann.id)) == EACH
    await agree(world.ben, response_of(ben))
    await world.env.settle()
    assert "### Strength" in text(ben.response)


async def test_a_press_that_meets_the_answer_leaves_it_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer takes the question's place while the second press is looked at."""
    answer = await world.ann.slash(world.channel, "smile", strength=2.0, photo=("me.png", photo()))
    form = await world.ann.click(response_of(answer), label="I agree")
    world.env.inject_error("POST", "/interactions/*", status=404, code=10062, message="Unknown interaction", times=1)
    await world.ann.submit_modal(form, {"ticked": ["adult", "allowed"]})
    await world.env.settle()
    look = discord.Interaction.original_response

    async def late(interaction: discord.Interaction[Any]) -> discord.InteractionMessage:
        await interaction.edit_original_response(view=notice("Here it is").view)
        return await look(interaction)

    monkeypatch.setattr(discord.Interaction, "original_response", late)
    again = await agree(world.ann, response_of(answer))
    assert "Here it is" in text(answer.response)
    assert "agreed already" in text(again.followups[-1])
