"""Whatever a member is refused, one line of the log says why, under a number that they see; nobody's words are in it."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from bot.transport.reasons import reason_of
from core.errors import NoSuchDirection, NotReached, UnreadablePhoto
from tests.bot.kit import HeldExecutor, Message, World, last_in, response_of, text
from tests.bot.workbench import photo

TYPED = "Aunt Rose 5551234"


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def lines_with(heard: pytest.LogCaptureFixture, number: str | int) -> list[str]:
    """What the bot logged under a number as a whole word."""
    said = [record.getMessage() for record in heard.records if record.name.startswith(("bot", "cogs"))]
    return [line for line in said if re.search(rf"\b{number}\b", line)]


def reference(message: Message) -> str:
    """The reference in the last line of what somebody reads."""
    found = re.search(r"\n-# ([IR]\d+)$", text(message))
    assert found is not None, text(message)
    return found[1]


@pytest.mark.parametrize("options", [{"face": TYPED}, {"face": "5551234", "photo": ("me.png", photo())}])
async def test_what_a_member_types_is_in_no_line(
    world: World, heard: pytest.LogCaptureFixture, options: dict[str, object]
) -> None:
    await world.kept_face(world.ann)
    told = await world.ann.slash(world.channel, "smile", strength=1.0, **options)
    assert "not kept any more" in text(told.response)
    assert lines_with(heard, reference(told.response)) == [f"interaction {reference(told.response)} is told result.erased"]
    assert "Rose" not in heard.text
    assert "5551234" not in heard.text


@pytest.mark.parametrize("typed", [TYPED, "5551234"])
async def test_nor_what_an_admin_or_a_form_is_given(world: World, heard: pytest.LogCaptureFixture, typed: str) -> None:
    result = await world.kept_face(world.ann)
    form = await world.ann.click(result, label="Exact…")
    told = await world.ann.submit_modal(form, {"strength": typed[:8]})
    (line,) = lines_with(heard, reference(told.response))
    assert f"in message {result.id} is told " in line
    panel = await world.boss.slash(world.channel, "egao settings")
    form = await world.boss.click(response_of(panel), label="Limits…")
    numbers = {"strength_max": "3", "daily_quota": "9", "work_seconds": "600", "cooldown_seconds": typed[:8]}
    told = await world.boss.submit_modal(form, numbers)
    assert "can't be" in text(told.response)
    assert " is told BadServerSetting {}" in lines_with(heard, reference(told.response))[0]
    assert typed[:8] not in heard.text


async def test_a_refused_command_is_found_by_the_number_under_its_sentence(world: World, heard: pytest.LogCaptureFixture) -> None:
    await world.kept_face(world.ann)
    told = await world.ann.slash(world.channel, "smile", strength=2.9, face="9")
    world.set(strength_max=1.0)
    told = await world.ann.slash(world.channel, "smile", strength=2.0)
    number = reference(told.response)
    assert lines_with(heard, number) == [f"interaction {number} is told StrengthOverLimit {{'low': -1.0, 'high': 1.0}}"]


async def test_a_refused_press_is_found_by_its_message_too(world: World, heard: pytest.LogCaptureFixture) -> None:
    result = await world.kept_face(world.ann)
    told = await world.ben.click(result, label="+ More")
    line = f"interaction {reference(told.response)} in message {result.id} is told NotYours {{}}"
    assert line in lines_with(heard, result.id)


@pytest.mark.parametrize("label", ["+ More", "Animate", "Full size"])
async def test_work_on_a_kept_face_that_fails_names_the_message_of_its_sentence(
    world: World, heard: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    result = await world.kept_face(world.ann)

    async def refuse(*args: object, **options: object) -> None:
        raise NotReached(strength="+1.0")

    monkeypatch.setattr(world.parts.executor, "submit", refuse)
    told = await world.ann.click(result, label=label)
    await world.env.settle()
    message = last_in(world.channel) if label != "Full size" else response_of(told)
    assert "hardly changed" in text(message)
    line = f"request {reference(message)} in message {message.id} ends with NotReached {{'strength': '+1.0'}}"
    assert line in lines_with(heard, message.id)


async def test_what_is_left_out_of_an_album_is_in_the_log_under_its_message(
    world: World, heard: pytest.LogCaptureFixture
) -> None:
    world.consent(world.ann)
    world.open()
    bad, half = photo(fail="FaceTooSmall", n=1), photo(2, fail="FaceTurnedAway", at="project", only=1, n=2)
    await world.ann.send(world.channel, attachments=[("a.png", photo()), ("b.png", bad), ("c.png", half)])
    lines = lines_with(heard, last_in(world.channel).id)
    assert [line.partition("leaves out ")[2] for line in lines if "leaves out" in line] == [
        "photo 2: FaceTooSmall {'pixels': 30, 'limit': 64}",
        "photo 3, face 2: FaceTurnedAway {'degrees': 70, 'limit': 45}",
    ]


async def test_a_choice_that_is_closed_and_work_that_is_stopped_have_their_line(
    world: World, heard: pytest.LogCaptureFixture
) -> None:
    world.consent(world.ann)
    world.open()
    await world.ann.send(world.channel, attachments=[("us.png", photo(2))])
    choice = last_in(world.channel)
    await world.bot.service.close_choices(now=float("inf"))
    await world.env.settle()
    closed = last_in(world.channel)
    assert "no longer open" in text(closed)
    assert f"request {reference(closed)} in message {choice.id} is told faces.expired" in lines_with(heard, choice.id)

    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo(n=1))])
    await world.ann.delete(sent)
    await world.env.settle()
    stopped = last_in(world.channel)
    assert "photo was deleted" in text(stopped)
    assert f"in message {stopped.id} is told work.cancelled.source" in "".join(lines_with(heard, reference(stopped)))
    executor.gate.set()


def test_only_numbers_strengths_and_our_own_reasons_are_written() -> None:
    assert (
        reason_of(UnreadablePhoto(reason="it is cut off or damaged")) == "UnreadablePhoto {'reason': 'it is cut off or damaged'}"
    )
    assert reason_of(UnreadablePhoto(reason="a worker's own words")) == "UnreadablePhoto {}"
    assert reason_of(NoSuchDirection(name=TYPED, known="5551234")) == "NoSuchDirection {}"
    assert reason_of(NotReached(strength="−0.75")) == "NotReached {'strength': '−0.75'}"
    assert reason_of(ValueError(TYPED)) == "ValueError"
