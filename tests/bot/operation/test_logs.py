"""The log: links and tokens are cut out of whatever is written, also by discord.py and in tracebacks."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.app import CONTENT_OFF
from bot.ops.invite import invite_link
from bot.ops.logs import Discreet
from core.settings import Settings
from tests.bot.workbench import CREATE
from tests.discord.fake import FakeDiscord, Fault, Upload, replies_to
from tests.discord.process import BotProcess

SECRET = "a.bot.token-of-its-own"
TOKEN = "aW50ZXJhY3Rpb246MTIz_x-y"


def written(message: str, *facts: object, error: BaseException | None = None) -> str:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("discord.http", logging.WARNING, __file__, 1, message, facts, trace)
    return Discreet(SECRET).format(record)


@pytest.mark.parametrize(
    "leak",
    [
        "https://cdn.discordapp.com/attachments/1/2/me.png?ex=6&is=7&hm=8",
        f"https://discord.com/api/v10/webhooks/123/{TOKEN}/messages/@original",
        f"/webhooks/123/{TOKEN}",
        f"interactions/123/{TOKEN}/callback",
        "wss://gateway.discord.gg/?v=10",
        SECRET,
    ],
)
def test_no_link_and_no_token_is_written(leak: str) -> None:
    try:
        raise RuntimeError(f"could not fetch {leak}, sorry")
    except RuntimeError as caught:
        told = written("We are being rate limited. %s %s responded with 429.", "PATCH", leak, error=caught)
    assert leak not in told
    assert TOKEN not in told
    assert "being rate limited. PATCH" in told
    assert "could not fetch" in told
    assert "sorry" in told


def test_what_the_operator_needs_is_left() -> None:
    assert "https://discord.com/developers/applications, Bot" in written(CONTENT_OFF)
    assert f"add it: {invite_link(123)}" in written("add it: %s", invite_link(123))
    assert "job 12 of 345678901234567890" in written("job %d of %d", 12, 345678901234567890)


async def test_discord_pys_own_lines_are_cut_too(tmp_path: Path, settings: Settings) -> None:
    environ = {"EGAO_CACHE": str(settings.cache), "EGAO_DEVICE": "cpu", "EGAO_LOG_LEVEL": "debug", "FAKE_WORKBENCH": CREATE}
    async with FakeDiscord() as discord, BotProcess(discord, home=tmp_path, environ=environ) as bot:
        await discord.wait_ready(60)
        ann = discord.guild("Studio").member("Zarquon")
        discord.faults.add(Fault(path="/channels/.*/messages", method="POST", status=429, times=1))
        sent = ann.upload(ann.user.dm, Upload(b"no picture at all", "holiday.png"))
        await ann.user.dm.wait_message(replies_to(sent), 20)
        assert await bot.stop() == 0
    assert "responded with 429" in bot.log
    for leak in ("http://127", "ws://127", discord.token, "holiday", "Zarquon", "/attachments/"):
        assert leak not in bot.log, leak
    assert "DEBUG discord" not in bot.log
