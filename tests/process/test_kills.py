"""The bot's process is killed again and again under load; whoever was promised an answer gets it, once, or hears why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.discord.trial import Trial, moments, trial

pytestmark = pytest.mark.slow

SHORT, FULL = 6, 40  # kills
LONGEST = 3.0  # seconds after which a moment counted in requests is taken to have come


async def _until_moment(made: Trial, kind: str, much: float) -> None:
    """Load the bot until the moment has come; a count of requests begins with the very first of a start."""
    if kind == "requests":
        requests, before = made.discord.requests, len(made.discord.requests)
        await made.bot.start()
        await made.until(lambda: len(requests) - before >= much, LONGEST)
    else:
        await made.start()
        await made.until(lambda: False, much)


@pytest.mark.parametrize("kills", [SHORT, pytest.param(FULL, marks=pytest.mark.long)])
async def test_killed_at_many_moments_it_answers_everything_once(tmp_path: Path, kills: int) -> None:
    async with trial(tmp_path, seed=7) as made:
        await made.until(lambda: False, 1.0)
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
