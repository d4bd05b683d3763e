"""Every reason survives: what a member is told after a restart is what they would have been told before it."""

from __future__ import annotations

import logging

import pytest

from bot.requests.ask import Ask
from bot.text.speaker import Speaker
from bot.transport.reasons import reason_of
from core.errors import EgaoError, FaceTooSmall, InternalError, JobTimedOut, NoSuchFace, OwnShareFull, UnreadablePhoto
from tests.bot.kit import World, last_in, text
from tests.bot.workbench import photo

ERRORS: list[EgaoError] = [
    FaceTooSmall(pixels=30, limit=64),
    UnreadablePhoto(reason="it is cut off or damaged"),
    NoSuchFace(face=3, count=2),
    OwnShareFull(seconds=240),
    JobTimedOut(seconds=120),
]


def failed(world: World, error: str, **facts: object) -> int:
    """A request that failed in an earlier process, whose member was not told."""
    ask = Ask("photo", "en", 10**7, strength=1.0)
    job = world.store.jobs.create(world.owner(world.ann), "photo", ask.dump(), channel_id=world.channel.id)
    assert job is not None
    assert world.store.jobs.finish(job.id, "failed", error=error, facts=facts)  # type: ignore[arg-type]
    return job.id


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
async def test_after_a_restart_the_sentence_is_the_same_with_its_facts(world: World, error: EgaoError) -> None:
    job = failed(world, error.code, **error.facts)
    await world.restart()
    await world.env.settle()
    assert Speaker("en").error(error) in text(world.channel.last_message)
    row = world.store.jobs.get(job)
    assert row is not None
    assert (row.told, row.facts) == (True, {})


async def test_a_mistake_in_the_code_keeps_its_reference_over_a_restart(world: World) -> None:
    assert reason_of(InternalError(fault=417203)) == "InternalError {'fault': 417203}"
    job = failed(world, InternalError().code)
    await world.restart()
    await world.env.settle()
    assert f"(Reference R{job})" in text(world.channel.last_message)
    assert f"reference R{job})" in "".join(world.complaints())


async def test_a_row_of_an_older_version_without_facts_asks_for_another_try(world: World) -> None:
    failed(world, "FaceTooSmall")
    await world.restart()
    await world.env.settle()
    assert "please try once more" in text(world.channel.last_message)


async def test_what_a_member_is_told_is_one_line_of_the_log_under_its_request(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.consent(world.ann)
    world.open()
    await world.ann.send(world.channel, attachments=[("secret-name.png", photo(fail="FaceTooSmall"))])
    assert "30 pixels" in text(world.channel.last_message)
    (line,) = [record.getMessage() for record in caplog.records if "ends with" in record.getMessage()]
    assert line.startswith("request R")
    assert f" in message {last_in(world.channel).id} ends with " in line, "which the link to the message names"
    assert line.endswith("FaceTooSmall {'pixels': 30, 'limit': 64}")
    assert "secret-name" not in caplog.text
    assert str(world.ann.id) not in line


async def test_why_a_picture_is_left_out_is_in_the_log_under_its_message(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world.consent(world.ann)
    world.open()
    await world.ann.send(world.channel, attachments=[("me.png", photo(fail="NotWhole", at="render"))])
    assert "At strength +1 the mouth" in text(world.channel.last_message)
    (line,) = [record.getMessage() for record in caplog.records if "leaves out" in record.getMessage()]
    assert line.endswith(f"in message {last_in(world.channel).id} leaves out NotWhole {{'strength': '+1'}}")


async def test_why_a_photo_was_not_taken_in_is_in_the_log_under_its_message(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.consent(world.ann)
    world.open()
    world.store.members.block(world.guild.id, world.ann.id)
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    lines = [record.getMessage() for record in caplog.records]
    assert f"the author of message {sent.id} is told Blocked {{}}" in lines
