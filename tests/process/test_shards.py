"""The real process in so many servers that Discord has it connect with four shards, in front of a gateway of four.

Its workers draw grey stripes in milliseconds. One process goes through all of it, in the order in which the tests stand.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from tests.bot.workbench import CREATE, photo
from tests.discord.fake import Channel, FakeDiscord, Guild, Member, Message, replies_to
from tests.discord.process import BotProcess
from tests.discord.stage import STARTING, WORKING, agree, is_result, open_channel, until_shown

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SHARDS, AT_ONCE = 4, 2
PAGE = 60.0  # seconds until a page is as it should be, on a slow and busy machine
EVERY, WAITS = 0.5, 1.0  # seconds between two sessions of a bucket: that the gateway wants, that the bot keeps


@dataclass
class Place:
    """A server of one shard."""

    guild: Guild
    photos: Channel
    ann: Member

    async def drop(self, number: int) -> Message:
        """Post a photo; returns the bot's reply, which has been agreed to."""
        posted = self.ann.upload(self.photos, photo(n=number))
        reply = await self.photos.wait_message(replies_to(posted), WORKING)
        if "I agree" in reply.labels:
            await agree(self.ann, reply)
        return reply


@dataclass
class Made:
    """All that is up."""

    discord: FakeDiscord
    bot: BotProcess
    places: list[Place]  # by shard
    port: int

    async def page(self, name: str) -> str:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}/{name}") as response:
            return await response.text()

    async def until_page(self, name: str, check: Callable[[str], bool]) -> None:
        """Until the page is so."""
        end, text = time.monotonic() + PAGE, ""
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError):
                text = await self.page(name)
                if check(text):
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"/{name} stayed {text!r}")


def places(discord: FakeDiscord) -> list[Place]:
    """A server for each shard: which one it is of, its id says, and that the time."""
    found: dict[int, Guild] = {}
    while len(found) < SHARDS:
        time.sleep(0.001)
        guild = discord.guild("Studio")
        found.setdefault((guild.id >> 22) % SHARDS, guild)
    return [Place(found[n], found[n].channel("photos"), found[n].member("Ann")) for n in range(SHARDS)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Made]:
    home = tmp_path_factory.mktemp("bot")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {"EGAO_DEVICE": "cpu", "EGAO_PROGRESS_SECONDS": "0.1", "EGAO_HTTP_PORT": str(port)}
    environ |= {"FAKE_WORKBENCH": CREATE, "FAKE_IDENTIFY": str(WAITS)}
    async with FakeDiscord(shards=SHARDS) as discord:
        discord.rules.answer_within = WORKING
        discord.rules.max_concurrency, discord.rules.identify_every = AT_ONCE, EVERY
        made = Made(discord, BotProcess(discord, "bot", home=home, environ=environ), places(discord), port)
        async with made.bot as bot:
            await bot.alive_until(discord.wait_ready(STARTING))
            for place in made.places:
                await open_channel(place.guild.admin("Boss"), place.photos, cooldown_seconds="0")
            yield made
            assert await bot.stop(60) == 0
            assert discord.rest.unknown == []
            assert not re.search(r" ERROR (?!discord\.)", bot.log), "the library's own are about the line that broke"


async def test_each_shard_begins_one_session_no_faster_than_discord_allows(made: Made) -> None:
    gateway = made.discord.gateway
    assert {session.shard for session in gateway.sessions.values()} == {(number, SHARDS) for number in range(SHARDS)}
    assert (gateway.count("identify"), gateway.count("too fast")) == (SHARDS, 0)
    await made.until_page("healthz", lambda text: text == "ok")


async def test_servers_of_every_shard_and_direct_messages_are_answered(made: Made) -> None:
    replies = [await place.drop(number) for number, place in enumerate(made.places)]
    for reply in replies:
        await until_shown(made.discord, reply)
    ann = made.places[SHARDS - 1].ann
    ann.upload(ann.dm, photo(n=9))
    await ann.dm.wait_message(is_result, WORKING)


async def test_a_shard_that_is_gone_is_named_and_hears_afterwards_what_it_missed(made: Made) -> None:
    gateway = made.discord.gateway
    gateway.refusing = True
    try:
        await gateway.drop(shard=2)
        await made.until_page("healthz", lambda text: text == f"1 of {SHARDS} shards are not connected to Discord: 2")
        metrics = await made.page("metrics")
        assert 'egao_shard_connected{shard="2"} 0.0' in metrics
        assert 'egao_shard_connected{shard="1"} 1.0' in metrics
        gone = made.places[2]
        meanwhile = gone.ann.upload(gone.photos, photo(n=20))
        await until_shown(made.discord, await made.places[1].drop(21))
        assert not [one for one in gone.photos.messages if one.reference is meanwhile]
    finally:
        gateway.refusing = False
    await until_shown(made.discord, await gone.photos.wait_message(replies_to(meanwhile), WORKING))
    await made.until_page("healthz", lambda text: text == "ok")
    assert (gateway.count("identify"), gateway.count("resumed")) == (SHARDS, 1)


async def test_when_all_sessions_are_lost_all_come_back_in_turn_and_farewells_are_found(made: Made) -> None:
    gateway, left = made.discord.gateway, made.places[3]
    ready = gateway.count("ready")
    gateway.forget()
    left.guild.remove_bot()  # nobody hears of it
    await gateway.drop()
    await gateway.wait_for("ready", ready + SHARDS, WORKING)
    await made.until_page("healthz", lambda text: text == "ok")
    assert gateway.count("too fast") == 0
    replies = [await place.drop(30 + number) for number, place in enumerate(made.places[:3])]
    for reply in replies:
        await until_shown(made.discord, reply)
    said = f"server {left.guild.id} was left while nobody listened: 1 faces erased"
    await made.until_page("healthz", lambda text: said in made.bot.log)
