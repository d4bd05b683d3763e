"""The bot's process is killed again and again under load; whoever was promised an answer gets it, once, or hears why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.discord.stage import WORKING
from tests.discord.trial import Trial, moments, trial

pytestmark = pytest.mark.slow

SHORT, FULL = 2, 40  # kills


async def _until_moment(made: Trial, kind: str, much: int) -> None:
    """Load the bot until the moment has come: so many requests of its to Discord, however long it takes over them."""
    if kind == "started":
        before = len(made.discord.requests)
        await made.bot.start()
    else:
        await made.start()
        before = len(made.discord.requests)
    assert await made.until(lambda: len(made.discord.requests) - before >= much, WORKING), made.bot.tail()


@pytest.mark.parametrize("kills", [SHORT, pytest.param(FULL, marks=pytest.mark.long)])
async def test_killed_at_many_moments_it_answers_everything_once(tmp_path: Path, kills: int) -> None:
    async with trial(tmp_path, seed=7) as made:
        assert await made.until(lambda: len(made.crowd.ledger.requests) >= 10, WORKING)
        await made.bot.kill()
        for kind, much in moments(kills - 1, seed=7):
            await _until_moment(made, kind, much)
            await made.bot.kill()
        await made.start()
        verdict = await made.verdict()
        assert made.discord.rest.unknown == []
        assert "Traceback" not in made.bot.log
    verdict.check()
    assert verdict.accepted >= 2.5 * kills
    assert verdict.pictures >= 2.5 * kills
    assert verdict.told <= verdict.accepted / 5, verdict.reasons
