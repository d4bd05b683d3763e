"""When things go wrong on the fake's side, a real discord.py client sees what it would see on the real one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import discord as library
import pytest
from discord import http

from tests.discord import patch
from tests.discord.example_bot import ExampleBot
from tests.discord.fake import Delivery, FakeDiscord, replies_to
from tests.discord.process import BotProcess, alive
from tests.discord.scene import Scene, eventually, png, scene, seen

__all__ = ["scene"]  # a fixture

MODULE = "tests.discord.example_bot"


# --- REST ---------------------------------------------------------------------------------------


async def test_a_429_is_waited_out(scene: Scene) -> None:
    fault = scene.discord.faults.rate_limit("/messages$", retry_after=0.3, times=2)
    photo = scene.ann.upload(scene.photos, png())
    reply = await scene.photos.wait_message(replies_to(photo))
    assert fault.hits == 2
    assert reply.revisions[0].at - scene.discord.find_requests("POST", "/messages$")[0].at > 0.55


async def test_a_429_without_via_is_an_error(scene: Scene) -> None:
    scene.discord.faults.rate_limit("/messages$", via=False)
    with pytest.raises(library.HTTPException, match="429"):
        await scene.bot.get_partial_messageable(scene.photos.id).send("hello")


async def test_the_usual_rate_limit_slows_the_client_down_without_a_429(scene: Scene) -> None:
    channel = scene.bot.get_partial_messageable(scene.photos.id)
    sending = [asyncio.create_task(channel.send(str(n))) for n in range(6)]
    await scene.discord.world.until(lambda: len(scene.photos.messages) == 5, 2, "five messages")
    await asyncio.sleep(0.5)
    assert len(scene.photos.messages) == 5
    assert all(request.status != 429 for request in scene.discord.requests)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


async def test_a_500_is_tried_again_and_the_nonce_keeps_one_that_was_applied_single(scene: Scene) -> None:
    channel = scene.bot.get_partial_messageable(scene.photos.id)
    fault = scene.discord.faults.error("/messages$", applied=True)
    sent = await channel.send("hello")
    assert fault.hits == 1
    assert [m.id for m in scene.photos.messages] == [sent.id]
    for _ in range(2):
        await channel.send("again", nonce="job-1")
    assert [m.content for m in scene.photos.messages] == ["hello", "again"]


async def test_a_follow_up_has_no_nonce_so_a_retry_of_an_applied_one_doubles_it(scene: Scene) -> None:
    scene.discord.faults.error(r"^/webhooks/\d+/[^/]+$", applied=True)
    used = scene.ann.slash("smile", scene.photos, strength=1.0)
    await scene.discord.world.until(lambda: len(used.followups) == 2, 4, "second follow-up")


async def test_a_broken_connection_comes_up_to_the_caller(scene: Scene) -> None:
    scene.discord.faults.reset("/messages$")
    with pytest.raises((aiohttp.ClientError, OSError)):
        await scene.bot.get_partial_messageable(scene.photos.id).send("hello")
    assert scene.photos.messages == []


async def test_files_over_the_limit_are_refused(scene: Scene) -> None:
    scene.discord.rules.upload_limit = 1000
    with pytest.raises(library.HTTPException) as caught:
        await scene.bot.get_partial_messageable(scene.photos.id).send(file=library.File(__file__))
    assert (caught.value.status, caught.value.code) == (413, 40005)


async def test_a_wrong_token_is_refused() -> None:
    async with FakeDiscord() as discord:
        with patch.patched(discord.url):
            async with ExampleBot() as bot:
                with pytest.raises(library.LoginFailure):
                    await bot.start("another")


# --- gateway ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [None, 4000])
async def test_a_drop_is_resumed_and_nothing_is_missed(scene: Scene, code: int | None) -> None:
    gateway = scene.discord.gateway
    await gateway.drop(code)
    messages = [scene.ann.say(scene.photos, f"while away {n}") for n in range(3)]
    await gateway.wait_for("resumed")
    await eventually(lambda: len(scene.bot.seen) == 3)
    assert scene.bot.seen == [message.content for message in messages]
    assert (gateway.count("identify"), gateway.count("resume")) == (1, 1)


async def test_reconnect_resumes_and_an_invalid_session_identifies_anew(scene: Scene) -> None:
    gateway = scene.discord.gateway
    gateway.ask_reconnect()
    await gateway.wait_for("resumed")
    gateway.invalidate()
    await gateway.wait_for("ready", times=2)
    gateway.forget()
    await gateway.drop()
    await gateway.wait_for("refused")
    await gateway.wait_for("ready", times=3)
    scene.ann.say(scene.photos, "still there?")
    await eventually(lambda: scene.bot.seen == ["still there?"])


async def test_what_no_session_took_down_is_known(scene: Scene) -> None:
    """Of what the bot was sent before its session was lost it may still be about to show something."""
    gateway = scene.discord.gateway
    scene.ann.say(scene.photos, "heard")
    heard = time.monotonic()
    await seen(scene, "heard")
    gateway.invalidate()
    lost = time.monotonic()
    await gateway.wait_for("ready", times=2)
    ((begin, end),) = gateway.unheard
    assert heard < begin <= lost < end
    scene.ann.say(scene.photos, "heard too")
    await seen(scene, "heard too")
    heard = time.monotonic()
    gateway.refusing = True
    await gateway.drop()
    scene.ann.say(scene.photos, "to a session that is forgotten")
    lost = time.monotonic()
    gateway.forget()
    gateway.refusing = False
    await gateway.wait_for("ready", times=3, within=60)
    begin, end = gateway.unheard[-1]
    assert heard < begin <= lost < end
    assert scene.bot.seen == ["heard", "heard too"]


async def test_a_drop_in_the_middle_of_an_answer_does_not_stop_it(scene: Scene) -> None:
    scene.bot.hold = asyncio.Event()
    photo = scene.ann.upload(scene.photos, png())
    reply = await scene.photos.wait_message(replies_to(photo))
    await scene.discord.gateway.drop()
    await scene.discord.gateway.wait_for("resumed")
    scene.bot.hold.set()
    await scene.photos.wait_message(lambda m: m is reply and m.content == "done")
    assert len(scene.photos.messages) == 2


async def test_two_shards_each_get_their_own_servers() -> None:
    async with FakeDiscord(shards=2) as discord:
        guilds = [discord.guild(f"g{n}") for n in range(6)]
        with patch.patched(discord.url):
            async with ExampleBot() as bot:
                running = asyncio.create_task(bot.start(discord.token))
                await discord.wait_ready()
                await bot.wait_until_ready()
                assert {guild.name for guild in bot.guilds} == {guild.name for guild in guilds}
                assert discord.gateway.count("identify") == 2
                await bot.close()
                await running


# --- CDN ----------------------------------------------------------------------------------------


async def fetch(url: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as response:
        return response.status, await response.read()


async def test_links_run_out_and_cannot_be_signed_by_others(scene: Scene) -> None:
    attachment = scene.ann.upload(scene.photos, png()).attachments[0]
    url = attachment.payload()["url"]
    assert await fetch(url) == (200, png())
    assert (await fetch(url.replace("photo", "other")))[0] == 404
    scene.discord.clock.advance(scene.discord.rules.link_life + 1)
    assert (await fetch(url))[0] == 404
    assert await fetch(attachment.payload()["url"]) == (200, png())  # a fresh link to the same file


async def test_every_bad_delivery(scene: Scene) -> None:
    cdn, attachment = scene.discord.cdn, scene.ann.upload(scene.photos, png()).attachments[0]
    url = attachment.payload()["url"]
    cdn.deliver(attachment, Delivery(drip=(20, 0.02)))
    started = time.monotonic()
    assert await fetch(url) == (200, png())
    assert time.monotonic() - started > 0.02 * (len(png()) // 20 - 1)
    cdn.deliver(attachment, Delivery(redirect="http://127.0.0.1/secret"))
    assert (await fetch(url))[0] == 302
    cdn.deliver(attachment, Delivery(status=503))
    assert (await fetch(url))[0] == 503
    for broken in (Delivery(declared=10**6), Delivery(cut_after=20, drip=(10, 0.0))):
        cdn.deliver(attachment, broken)
        with pytest.raises(aiohttp.ClientError):
            await fetch(url)
    cdn.deliver(attachment, Delivery(unbounded=True))
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert len(await response.content.readexactly(2**20)) == 2**20
        assert response.content_length is None
    await eventually(lambda: cdn.fetches[-1].done)  # it stopped when the client hung up


# --- the bot as a process -----------------------------------------------------------------------


async def test_a_bot_process_works_leaves_on_sigterm_and_its_old_buttons_work_after_a_restart(tmp_path: Path) -> None:
    async with FakeDiscord() as discord:
        guild = discord.guild("Studio")
        photos, ann = guild.channel("photos"), guild.member("Ann")
        async with BotProcess(discord, MODULE, home=tmp_path) as bot:
            await discord.wait_ready()
            photo = ann.upload(photos, png())
            reply = await photos.wait_message(lambda m: m.content == "done")
            assert reply.reference is photo
            assert await bot.stop() == 0
            assert discord.gateway.count("left") == 1  # it closed its session
            await bot.start()
            await discord.gateway.wait_for("ready", times=2)
            await ann.press(reply, "again").wait_answer()
            assert reply.content == "pressed 1"
            await bot.kill()
            await eventually(lambda: not discord.gateway.connected)  # the socket's end is heard a moment later
        assert discord.rest.unknown == []
        assert "connected to Gateway" in bot.log


async def test_a_test_that_fails_leaves_no_process_and_shows_the_log(tmp_path: Path) -> None:
    async with FakeDiscord() as discord:
        bot = BotProcess(discord, MODULE, home=tmp_path)

        async def failing() -> None:
            async with bot:
                await discord.wait_ready()
                raise AssertionError("the test")

        with pytest.raises(AssertionError) as caught:
            await failing()
        assert not alive(bot.pid)
        assert "logging in" in caught.value.__notes__[0]


def test_the_patch_goes_nowhere_but_loopback_and_is_undone() -> None:
    for url in ("https://discord.com", "http://127.0.0.1", "http://10.0.0.1:80"):
        with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
            patch.apply(url)
    before = http.Route.BASE
    with patch.patched("http://127.0.0.1:9"):
        assert http.Route("GET", "/x").url == "http://127.0.0.1:9/api/v10/x"
    assert before == http.Route.BASE == "https://discord.com/api/v10"
