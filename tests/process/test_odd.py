"""The real process, its work done by a stand-in: what members do at odd moments and in odd ways, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bot.workbench import photo, strengths_in
from tests.discord.fake import Delivery, Message, Upload, components, replies_to
from tests.discord.fake.cdn import Fetch
from tests.discord.stage import WORKING, Stage, is_result, opened, picture

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    home: Path = tmp_path_factory.mktemp("bot")
    environ = {"EGAO_DOWNLOAD_SECONDS": str(WORKING)}  # a test holds a photo back for as long as others take
    async with opened(home, FAKE_WORKBENCH="tests.bot.workbench:create", **environ) as stage:
        yield stage


def media(message: Message) -> list[tuple[bool, str]]:
    """Of each picture of a message: whether it is hidden, and what it says to those who can't see it."""
    galleries = [part for part in components.walk(message.components) if part["type"] == components.GALLERY]
    return [(bool(item.get("spoiler")), item.get("description") or "") for part in galleries for item in part["items"]]


async def test_a_forwarded_group_that_was_covered_and_described_at_length(stage: Stage) -> None:
    ann, talk = stage.guild.member("Ann"), stage.guild.channel("talk")
    await stage.drop(ann, photo(n=1))
    said = "**us** @everyone `[x](https://example.org)` " + "ß" * 980
    own = ann.upload(talk, Upload(photo(7, n=2), "SPOILER_us.png", {"description": said[:1024]}))
    mine = ann.forward(own, stage.photos)
    question = await stage.photos.wait_message(lambda one: replies_to(mine)(one) and bool(one.selects), WORKING)
    assert all(hidden for hidden, _ in media(question))
    ann.select(question, "all")
    await stage.discord.world.until(lambda: is_result(question), WORKING, "result")
    assert strengths_in(picture(question, "edited").data) == [1.0] * 7
    assert [hidden for hidden, _ in media(question)] == [True, True]
    assert all(0 < len(words) <= 1024 for _, words in media(question))
    assert "us" in media(question)[-1][1]
    assert question.pinged <= {ann.user.id}
    full = await ann.press(question, "Full size").wait_message(lambda one: bool(one.pictures), WORKING)
    assert [hidden for hidden, _ in media(full)] == [True]


async def test_an_album_with_one_file_that_is_none(stage: Stage) -> None:
    bea = stage.guild.member("**Bea** `||x||` @here")
    await stage.drop(bea, photo(n=3))
    posted = bea.upload(stage.photos, photo(2, n=4), Upload(b"\x89PNG\r\n\x1a\nnothing", "broken.png"), photo(n=5), photo(0, n=6))
    reply = await stage.photos.wait_message(lambda one: replies_to(posted)(one) and is_result(one), WORKING)
    assert [strengths_in(one.data) for one in reply.pictures] == [[1.0, 1.0], [1.0]]
    assert "can't be read as a photo" in reply.text
    assert "No face was found" in reply.text
    assert "photo 2 of the message" in reply.text
    assert "photo 4 of the message" in reply.text


async def test_a_photo_whose_kind_discord_does_not_know(stage: Stage) -> None:
    """Discord gives no kind for a name that it does not know, such as that of a camera's HEIC file."""
    cat = stage.guild.member("Cat")
    await stage.drop(cat, photo(n=7))
    for n, name in enumerate(("DSC_1.HIF", "scan.jfif")):
        posted = cat.upload(stage.photos, Upload(photo(n=8 + n), name, {"content_type": "application/octet-stream"}))
        reply = await stage.photos.wait_message(replies_to(posted), WORKING)
        await stage.result(reply)
    other = cat.upload(stage.photos, Upload(b"a,b", "table.csv", {"content_type": "application/octet-stream"}))
    last = cat.upload(stage.photos, photo(n=10))
    assert await stage.photos.wait_message(lambda one: replies_to(last)(one) and is_result(one), WORKING)
    assert not [one for one in stage.photos.messages if replies_to(other)(one)], "and nothing is said of other files"


async def test_a_message_that_changes_while_its_photo_waits(stage: Stage) -> None:
    """Rewritten, the photo is worked on all the same; deleted, it is not, and no picture of it appears."""
    dan = stage.guild.member("Dan")
    await stage.drop(dan, photo(n=11))
    kept = dan.upload(stage.photos, photo(2, n=12), content="look")
    question = await stage.photos.wait_message(lambda one: replies_to(kept)(one) and bool(one.selects), WORKING)
    dan.edit(kept, "look again, @everyone")
    dan.select(question, "all")
    await stage.discord.world.until(lambda: is_result(question), WORKING, "result")
    gone = dan.upload(stage.photos, photo(2, n=13, steps=20, seconds=0.2))
    waiting = await stage.photos.wait_message(lambda one: replies_to(gone)(one) and bool(one.selects), WORKING)
    dan.select(waiting, "all")
    await stage.discord.world.until(lambda: "Face 1 of 2" in waiting.text, WORKING, "work")
    dan.delete(gone)
    await stage.discord.world.until(lambda: "nothing was kept" in waiting.text or waiting.deleted, WORKING, "the end")
    assert not is_result(waiting)
    assert not waiting.pictures


async def test_a_choice_whose_photo_is_deleted_before_it_is_made(stage: Stage) -> None:
    eli = stage.guild.member("Eli")
    await stage.drop(eli, photo(n=14))
    posted = eli.upload(stage.photos, photo(3, n=15))
    question = await stage.photos.wait_message(lambda one: replies_to(posted)(one) and bool(one.selects), WORKING)
    eli.delete(posted)
    await stage.discord.world.until(lambda: question.deleted or not question.selects, WORKING, "the choice is closed")
    assert not question.pictures, "faces of a photo that was taken back are not shown on"


def _fetch(stage: Stage, posted: Message) -> Fetch | None:
    """The download of the photo, once it has begun."""
    path = f"/{posted.attachments[0].id}/"
    return next((fetch for fetch in stage.discord.cdn.fetches if path in fetch.path), None)


LARGE = "large " * 2000  # 12 kB


async def test_a_slow_cdn_holds_nobody_up(stage: Stage) -> None:
    fay, slowly = stage.guild.member("Fay"), photo(n=16, mark=LARGE)
    await stage.drop(fay, photo(n=17))
    posted = fay.upload(stage.photos, slowly)
    last = asyncio.Event()
    stage.discord.cdn.deliver(posted.attachments[0], Delivery(delay=0.5, drip=(len(slowly) // 12, 0.05), last=last))
    reply = await stage.photos.wait_message(replies_to(posted), WORKING)
    fetch = await stage.discord.world.until(lambda: _fetch(stage, posted), WORKING, "download")
    await fay.slash("help", stage.photos).wait_answer(WORKING)
    assert not fetch.done, "the photo is still on its way while others are answered"
    last.set()
    await stage.result(reply)
    assert fetch.sent == len(slowly)


async def test_a_photo_that_does_not_arrive_is_told(stage: Stage) -> None:
    gus = stage.guild.member("Gus")
    await stage.drop(gus, photo(n=18))
    posted = gus.upload(stage.photos, photo(n=19, mark=LARGE))
    stage.discord.cdn.deliver(posted.attachments[0], Delivery(cut_after=1000, drip=(500, 0.0)))
    told = await stage.photos.wait_message(lambda m: m.reference is posted and not m.buttons, WORKING)
    assert "photo" in told.text
    assert not told.pictures
