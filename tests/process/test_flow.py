"""The real bot, `python -m bot` with the real weights, in front of a Discord on loopback: what a member goes through.

One process serves the tests in the order in which they stand; Ann's result of the first is what the later ones change.
Projections take a few steps: enough for a face that smiles as it is told to, not for one that anybody knows.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from core.expressions import default
from core.faces import FaceFinder
from core.settings import Settings
from tests.discord.fake import Member, Message, replies_to
from tests.discord.process import alive
from tests.discord.stage import (
    WORKING,
    Stage,
    agree,
    answered,
    is_result,
    opened,
    picture,
    results_for,
    strength_of,
    until_shown,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STEPS = 2  # of a projection; some are interrupted in the middle
STEP = re.compile(rf"Step [1-{STEPS - 1}] of {STEPS}\b")
Score = Callable[[bytes], float]


@dataclass
class Ann:
    """A member with a result, as the first test leaves it, and the processes that made it."""

    member: Member
    result: Message
    made_by: list[int]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    home = tmp_path_factory.mktemp("bot")
    environ = {"EGAO_CACHE": str(settings.cache), "EGAO_PROJECTION_STEPS": str(STEPS)}
    async with opened(home, **environ) as stage:
        yield stage


@pytest.fixture(scope="module")
def score(settings: Settings) -> Iterator[Score]:
    """Smile score 0..1 of the one face in an encoded picture."""
    with FaceFinder(settings) as finder:

        def of(data: bytes) -> float:
            shown = Image.open(io.BytesIO(data)).convert("RGB").resize((512, 512))
            (face,) = finder.find(np.asarray(shown))
            return default().of(face.blendshapes)

        yield of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(stage: Stage, astronaut_png: bytes) -> Ann:
    """Ann has sent the photo and has the answer."""
    member = stage.guild.member("Ann")
    result = await stage.result(await stage.drop(member, astronaut_png))
    return Ann(member, result, stage.bot.children())


def difference(one: bytes, other: bytes) -> float:
    """Mean absolute difference of two encoded pictures, in 8-bit values."""
    a, b = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.float32) for data in (one, other))
    return float(np.abs(a - b).mean())


async def test_a_photo_is_noticed_at_once_and_read_only_after_the_member_agreed(stage: Stage, astronaut_png: bytes) -> None:
    eve = stage.guild.member("Eve")
    posted = eve.upload(stage.photos, astronaut_png)
    reply = await stage.photos.wait_message(replies_to(posted), WORKING)
    assert "Before your first photo" in reply.text
    await eve.press(reply, "No, thank you").wait_message(lambda m: "Nothing was read" in m.text, WORKING)
    path = f"/{posted.attachments[0].id}/"
    assert not [fetch for fetch in stage.discord.cdn.fetches if path in fetch.path], "no consent, no download"


async def test_a_photo_becomes_three_pictures_whose_smiles_rise(ann: Ann, score: Score) -> None:
    result = ann.result
    posted = result.reference
    assert posted is not None
    assert posted.author is ann.member.user
    assert [one.filename.split(".")[0] for one in result.pictures] == ["original", "neutral", "edited"]
    assert [(one.width, one.height) for one in result.pictures] == [(512, 512)] * 3, "the photo's own size"
    scores = {kind: score(picture(result, kind).data) for kind in ("neutral", "original", "edited")}
    assert scores["neutral"] < scores["original"] < scores["edited"], scores
    assert scores["neutral"] < 0.2 < 0.5 < scores["edited"], scores
    assert b"compositeWithTrainedAlgorithmicMedia" in picture(result, "edited").data
    assert "AI-edited" in result.text
    assert f"<@{ann.member.id}>" in result.text
    assert not result.pinged, "nobody is pinged by an answer"


async def test_progress_was_shown_in_the_message_that_became_the_answer(ann: Ann) -> None:
    texts = [revision.text for revision in ann.result.revisions]
    first = next(n for n, text in enumerate(texts) if "Reading the photo" in text)
    assert any("generator" in text for text in texts[first:-1]), texts


async def test_smile_on_the_kept_face_is_drawn_without_projecting_again(stage: Stage, ann: Ann, score: Score) -> None:
    used = ann.member.slash("smile", stage.photos, strength=1.5)
    result = await answered(used)
    assert result.revisions[0].loading or not result.revisions[0].pictures, "answered before anything was drawn"
    assert strength_of(result) == 1.5
    assert b"compositeWithTrainedAlgorithmicMedia" in picture(result, "edited").data
    assert score(picture(result, "edited").data) > score(picture(ann.result, "edited").data)
    assert picture(result, "original").sha256 == picture(ann.result, "original").sha256
    assert not any("generator" in revision.text for revision in result.revisions)


async def test_neutral_on_the_kept_face(stage: Stage, ann: Ann, score: Score) -> None:
    result = await answered(ann.member.slash("neutral", stage.photos))
    assert strength_of(result) < 0
    assert score(picture(result, "edited").data) < 0.3 < score(picture(result, "original").data)
    shown = score(picture(ann.result, "neutral").data)
    assert score(picture(result, "edited").data) == pytest.approx(shown, abs=0.05), "it draws what the gallery showed"


async def test_a_press_changes_the_result_in_its_place(stage: Stage, ann: Ann) -> None:
    kept = [picture(ann.result, kind).sha256 for kind in ("original", "neutral")]
    before, count = picture(ann.result, "edited").data, len(stage.photos.messages)
    used = ann.member.press(ann.result, "+ More")
    await stage.discord.world.until(lambda: strength_of(ann.result) == 1.25, WORKING, "strength 1.25")
    assert used.answered_after is not None
    assert used.sent_monotonic + used.answered_after < ann.result.revisions[-1].at, "answered before anything was drawn"
    moved = difference(picture(ann.result, "edited").data, before)
    assert moved > 0.005, "a small face in a large photo"
    assert [picture(ann.result, kind).sha256 for kind in ("original", "neutral")] == kept
    assert len(stage.photos.messages) == count
    ann.member.press(ann.result, "− Less")
    await stage.discord.world.until(lambda: strength_of(ann.result) == 1.0, WORKING, "strength 1")
    back = difference(picture(ann.result, "edited").data, before)
    assert back < 0.3 * moved, f"always from the original: the same picture ({back} of {moved})"


async def test_somebody_else_may_not_press(stage: Stage, ann: Ann) -> None:
    used = stage.guild.member("Flo").press(ann.result, "+ More")
    told = await used.wait_message(within=WORKING)
    assert told.ephemeral
    assert strength_of(ann.result) == 1.0


async def test_the_same_workers_did_all_of_it_behind_their_walls(stage: Stage, ann: Ann) -> None:
    """Libraries that load late, threads that start late, models: nothing needs what the wall keeps from them."""
    assert stage.bot.children() == ann.made_by
    assert "walled" not in stage.bot.log
    assert "cannot be sent" not in stage.bot.log


@pytest.mark.long  # test_troubles has 429s and 500s too, and loses answers to neither, though with drawings of milliseconds
async def test_429s_and_errors_delay_the_answer_but_neither_lose_nor_double_it(
    stage: Stage, ann: Ann, astronaut_png: bytes
) -> None:
    faults = stage.discord.faults
    first = faults.rate_limit(r"/messages$", method="POST", retry_after=0.3, times=2)
    edits = faults.rate_limit(r"/messages/\d+$", method="PATCH", retry_after=0.5, times=2, is_global=True)
    spoilt = faults.error(r"/messages$", method="POST", status=502, applied=True)
    broken = faults.reset(r"/messages/\d+$", method="PATCH")
    posted = ann.member.upload(stage.photos, astronaut_png)
    try:
        reply = await stage.photos.wait_message(replies_to(posted), WORKING)
        await until_shown(stage.discord, reply)
    finally:
        faults.clear()
    assert (first.hits, edits.hits, spoilt.hits, broken.hits) == (2, 2, 1, 1)
    assert [m for m in stage.photos.messages if m.reference is posted] == [reply]


@pytest.mark.long  # test_troubles drops the gateway in two ways, with work under way
async def test_a_drop_of_the_gateway_in_the_middle_of_a_job(stage: Stage, ann: Ann, astronaut_png: bytes) -> None:
    gateway, ben = stage.discord.gateway, stage.guild.member("Ben")
    resumed = gateway.count("resumed")
    reply = await stage.drop(ben, astronaut_png)
    await stage.discord.world.until(lambda: "generator" in reply.text, WORKING, "projection under way")
    await gateway.drop()
    meanwhile = ann.member.upload(stage.photos, astronaut_png)  # Discord keeps it for the session that comes back
    await gateway.wait_for("resumed", resumed + 1, WORKING)
    assert gateway.count("identify") == 1, "the same session went on"
    await until_shown(stage.discord, await stage.photos.wait_message(replies_to(meanwhile), WORKING))
    await until_shown(stage.discord, reply)
    assert results_for(ben, stage.photos) == [reply]
    assert len([m for m in stage.photos.messages if m.reference is meanwhile]) == 1


async def _interrupted(stage: Stage, message: Message) -> None:
    """Wait until the projection that the message tells of is under way."""
    await stage.discord.world.until(lambda: STEP.search(message.text), WORKING, f"step in {message}")


async def _all_gone(pids: list[int]) -> None:
    for _ in range(200):
        if not any(alive(pid) for pid in pids):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"workers outlived the bot: {[pid for pid in pids if alive(pid)]}")


@pytest.mark.long  # test_troubles stops it in the middle of its work, with drawings of milliseconds
async def test_sigterm_in_the_middle_of_a_projection_and_the_answer_after_the_restart(stage: Stage, astronaut_png: bytes) -> None:
    cleo = stage.guild.member("Cleo")
    reply = await stage.drop(cleo, astronaut_png)
    await _interrupted(stage, reply)
    workers = stage.bot.children()
    assert await stage.bot.stop(60) == 0
    await _all_gone(workers)
    assert not is_result(reply)
    await stage.restart()
    await until_shown(stage.discord, reply)
    assert results_for(cleo, stage.photos) == [reply]
    assert [m for m in stage.photos.messages if m.reference is reply.reference] == [reply]
    assert sum("Strength" in revision.text for revision in reply.revisions) == 1


@pytest.mark.long  # test_kills kills at several moments, though with drawings of milliseconds; SIGTERM above has the real ones
async def test_sigkill_in_the_middle_of_a_projection_and_the_answer_after_the_restart(stage: Stage, astronaut_png: bytes) -> None:
    dan = stage.guild.member("Dan")
    used = dan.slash("smile", stage.photos, strength=1.5, photo=astronaut_png)
    asked = await used.wait_message(within=WORKING)
    await agree(dan, asked)
    reply = asked
    await _interrupted(stage, reply)
    workers = stage.bot.children()
    await stage.bot.kill()
    await _all_gone(workers)
    await stage.restart()
    await until_shown(stage.discord, reply)
    assert strength_of(reply) == 1.5
    assert used.messages == [reply]
    assert sum("Strength" in revision.text for revision in reply.revisions) == 1


async def test_buttons_of_before_the_restarts_still_work(stage: Stage, ann: Ann) -> None:
    ann.member.press(ann.result, "+ More")
    await stage.discord.world.until(lambda: strength_of(ann.result) == 1.25, WORKING, "strength 1.25")
    photos = [m.reference.id for m in stage.photos.messages if m.reference is not None and is_result(m)]
    assert len(photos) == len(set(photos)), "one result for each photo, whatever happened in between"
