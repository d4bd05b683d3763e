"""The real process in front of the fake Discord: a group of seven and its copies, an album, a spoiler, a forwarded photo, a form
with photos, each language, and egao brought along to another server.

Its workers draw grey stripes in milliseconds (`tests.bot.workbench`): what is tested here is what goes to and fro.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.text.speaker import Speaker
from core.languages import names
from tests.bot.workbench import photo, strengths_in
from tests.discord.fake import Message, NotPossible, Upload, components, replies_to
from tests.discord.stage import WORKING, Stage, agree, is_result, opened, picture, strength_of

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    home: Path = tmp_path_factory.mktemp("bot")
    async with opened(home, FAKE_WORKBENCH="tests.bot.workbench:create") as stage:
        yield stage


def shown(message: Message) -> list[float]:
    return strengths_in(picture(message, "edited").data)


async def until_strengths(stage: Stage, message: Message, wanted: list[float]) -> None:
    await stage.discord.world.until(lambda: message.pictures and shown(message) == wanted, WORKING, f"{wanted} in {message}")


async def test_seven_people_in_one_picture(stage: Stage) -> None:
    ann = stage.guild.member("Ann")
    question = await stage.drop(ann, photo(7))
    await stage.discord.world.until(lambda: question.selects, WORKING, "choice")
    ann.select(question, "all")
    await stage.discord.world.until(lambda: is_result(question), WORKING, "result")
    assert [one.filename.split(".")[0] for one in question.pictures] == ["original", "edited"]
    assert shown(question) == [1.0] * 7
    assert len([one for one in stage.photos.messages if one.author is stage.discord.world.bot and one.viewer is None]) == 1
    third = question.selects[0]["options"][3]["value"]
    files = [one.sha256 for one in question.pictures]
    await ann.select(question, third).wait_answer(WORKING)
    assert [one.sha256 for one in question.pictures] == files, "to choose a face changes no picture"
    ann.press(question, "+ More")
    await until_strengths(stage, question, [1.0, 1.0, 1.2, *[1.0] * 4])
    assert question.pictures[0].sha256 == files[0], "the photo as it was stays"
    await stage.bot.stop(60.0)
    await stage.restart()
    ann.press(question, "Original")
    await until_strengths(stage, question, [1.0, 1.0, -1.9, *[1.0] * 4])


async def test_a_group_has_its_full_size_and_its_animation(stage: Stage) -> None:
    kim = stage.guild.member("Kim")
    result = await stage.drop(kim, photo(7, n=2))
    await stage.discord.world.until(lambda: result.selects, WORKING, "choice")
    kim.select(result, "all")
    await stage.discord.world.until(lambda: is_result(result), WORKING, "result")
    full = await kim.press(result, "Full size").wait_message(lambda one: bool(one.pictures), WORKING)
    assert full.viewer is kim.user
    assert [one.filename for one in full.pictures] == ["egao.png"]
    assert strengths_in(full.pictures[0].data) == shown(result)
    moving = await kim.press(result, "Animate").wait_message(lambda one: bool(one.pictures), WORKING)
    assert moving.viewer is None
    assert [one.filename for one in moving.pictures] == ["animated.webp"]
    assert moving.labels == ["Delete", "Report"]


def covered(message: Message) -> list[bool]:
    """Of each picture of a message, whether it is hidden."""
    galleries = [part for part in components.walk(message.components) if part["type"] == components.GALLERY]
    return [bool(item.get("spoiler")) for part in galleries for item in part["items"]]


async def test_a_spoiler_stays_one(stage: Stage) -> None:
    dora = stage.guild.member("Dora")
    await stage.drop(dora, photo(n=4))
    posted = dora.upload(stage.photos, Upload(photo(n=5), "SPOILER_me.png"))
    reply = await stage.photos.wait_message(lambda one: replies_to(posted)(one) and is_result(one), WORKING)
    assert covered(reply) == [True] * 3
    dora.press(reply, "+ More")
    await stage.discord.world.until(lambda: strength_of(reply) == 1.25, WORKING, "more")
    assert set(covered(reply)) == {True}


async def test_a_forwarded_photo_is_that_of_who_posted_it_first(stage: Stage) -> None:
    dora, talk = stage.guild.member("Dora"), stage.guild.channel("talk")
    await stage.drop(dora, photo(n=10))
    own = dora.upload(talk, photo(n=6))
    mine = dora.forward(own, stage.photos)
    reply = await stage.photos.wait_message(lambda one: replies_to(mine)(one) and is_result(one), WORKING)
    assert reply.pictures
    bens = stage.guild.member("Ben").upload(talk, photo(n=7))
    others = dora.forward(bens, stage.photos)
    told = await stage.photos.wait_message(replies_to(others), WORKING)
    assert "posted yourself" in told.text


async def test_a_command_with_nothing_to_work_on_takes_photos(stage: Stage) -> None:
    fay = stage.guild.member("Fay")
    form = await fay.slash("smile", stage.photos, strength=2.0).wait_modal(WORKING)
    sent = fay.submit_modal(form, [Upload(photo(n=8), "a.png"), Upload(photo(2, n=9), "SPOILER_b.png")])
    question = await sent.wait_message(within=WORKING)
    await agree(fay, question)
    await stage.discord.world.until(lambda: len(question.pictures) == 2, WORKING, "both pictures")
    assert [strengths_in(one.data) for one in question.pictures] == [[2.0], [2.0, 2.0]]
    assert covered(question) == [False, True]


@pytest.mark.parametrize("language", [one for one in names() if one != "en"])
async def test_every_language_gets_through_with_a_group_of_seven(stage: Stage, language: str) -> None:
    """The fake refuses what Discord refuses: a label, a form or a message that is too long would be met with no answer here."""
    gil = stage.guild.member(f"Gil {language}", locale="es-ES" if language == "es" else language)
    say = Speaker(language)
    used = gil.slash("smile", stage.photos, strength=1.5, photo=photo(7))
    question = await used.wait_message(within=WORKING)
    form = await gil.press(question, say("consent.agree")).wait_modal(WORKING)
    await gil.submit_modal(form, ticked=["adult", "allowed"]).wait_answer(WORKING)
    await stage.discord.world.until(lambda: question.selects, WORKING, "choice")
    gil.select(question, "all")
    await stage.discord.world.until(lambda: say("button.original") in question.labels, WORKING, "result")
    assert say("group.title", strength=say.strength_of("smile", 1.5), count=7).removeprefix("### ") in question.text
    assert await gil.press(question, say("button.exact")).wait_modal(WORKING)
    moving = await gil.press(question, say("button.animate")).wait_message(lambda one: bool(one.pictures), WORKING)
    assert say("button.report") in moving.labels
    for command in ("help", "privacy", "faces", "queue"):
        told = await gil.slash(command, stage.photos).wait_message(within=WORKING)
        assert told.text


async def test_the_photos_of_one_message(stage: Stage) -> None:
    ben = stage.guild.member("Ben")
    await stage.drop(ben, photo())
    posted = ben.upload(stage.photos, photo(1, n=1), Upload(photo(2, n=2), "SPOILER_us.png"))
    reply = await stage.photos.wait_message(lambda one: replies_to(posted)(one) and is_result(one), WORKING)
    assert [one.filename for one in reply.pictures] == ["edited-1.jpg", "edited-2.jpg"]
    assert [strengths_in(one.data) for one in reply.pictures] == [[1.0], [1.0, 1.0]]


async def test_brought_along_to_a_server_that_did_not_add_it(stage: Stage) -> None:
    there = stage.discord.elsewhere("Elsewhere")
    talk, cleo = there.channel("talk"), there.member("Cleo")
    used = cleo.slash("smile", talk, strength=2.0, photo=photo(7))
    question = await used.wait_message(within=WORKING)
    assert question.viewer is cleo.user
    await agree(cleo, question)
    await stage.discord.world.until(lambda: question.selects, WORKING, "choice")
    cleo.select(question, "all")
    await stage.discord.world.until(lambda: is_result(question), WORKING, "result")
    assert shown(question) == [2.0] * 7
    assert used.messages == [question], "one message, that only its member sees"
    cleo.press(question, "− Less")
    await until_strengths(stage, question, [1.8] * 7)
    public = cleo.slash("smile", talk, strength=1.0, show="public")
    result = await public.wait_message(is_result, WORKING)
    assert result.viewer is None
    eve = there.member("Eve")
    stranger = cleo.upload(talk, photo(n=3))
    asked = await eve.context_menu("Make it smile", stranger).wait_message(within=WORKING)
    told = await (await agree(eve, asked)).wait_message(lambda one: "I agree" not in one.labels, WORKING)
    assert told.viewer is eve.user
    assert "posted yourself" in told.text
    talk.deny(cleo, "use_external_apps")
    hidden = cleo.slash("smile", talk, strength=1.0, show="public")
    assert (await hidden.wait_message(is_result, WORKING)).viewer is cleo.user
    with pytest.raises(NotPossible):
        cleo.slash("egao settings", talk)
