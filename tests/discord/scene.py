"""The stage for tests of the fake itself: a small bot online in one server, with one channel and one member."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest_asyncio
from PIL import Image

from tests.discord import patch
from tests.discord.example_bot import ExampleBot
from tests.discord.fake import Channel, FakeDiscord, Guild, Member


def png(size: tuple[int, int] = (40, 30), color: str = "orange") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "png")
    return out.getvalue()


@dataclass
class Scene:
    """A bot online in one server, with one channel and one member."""

    discord: FakeDiscord
    bot: ExampleBot
    guild: Guild
    photos: Channel
    ann: Member


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    async with FakeDiscord() as discord:
        guild = discord.guild("Studio", locale="ja")
        photos, ann = guild.channel("photos"), guild.member("Ann", locale="ja")
        with patch.patched(discord.url):
            async with ExampleBot() as bot:
                running = asyncio.create_task(bot.start(discord.token))
                await discord.wait_ready()
                await bot.wait_until_ready()
                yield Scene(discord, bot, guild, photos, ann)
                await bot.close()
                with suppress(asyncio.CancelledError):
                    await running
        assert discord.rest.unknown == []


async def eventually(check: Callable[[], object]) -> None:
    """For what happens inside the bot, where the fake cannot tell."""
    for _ in range(300):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 3 s")


async def seen(scene: Scene, word: str) -> None:
    await eventually(lambda: word in scene.bot.seen)
