"""How fast a bot's shards begin their sessions, and what is told of connections that are lost."""

from __future__ import annotations

import asyncio
import math

import pytest

from bot.ops.health import Metrics
from bot.ops.shards import Shards
from bot.transport import identify
from bot.transport.identify import Slots, Start


async def begun(slots: Slots, shards: int) -> set[int]:
    """The shards that may begin at once."""
    tasks = {shard: asyncio.create_task(slots.take(shard)) for shard in range(shards)}
    for _ in range(20):
        await asyncio.sleep(0)
    done = {shard for shard, task in tasks.items() if task.done()}
    for task in tasks.values():
        task.cancel()
    return done


@pytest.mark.parametrize(("at_once", "first"), [(1, {0}), (2, {0, 1}), (16, set(range(6)))])
async def test_as_many_begin_together_as_discord_allows(monkeypatch: pytest.MonkeyPatch, at_once: int, first: set[int]) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_SECONDS", 3600.0)
    assert await begun(Slots(at_once), 6) == first


async def test_the_next_of_a_bucket_may_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_SECONDS", 0.0)
    assert await begun(Slots(1), 3) == {0, 1, 2}


@pytest.mark.parametrize(("remaining", "waits"), [(4, False), (3, True), (0, True)])
async def test_too_few_sessions_left_are_waited_for(remaining: int, waits: bool, caplog: pytest.LogCaptureFixture) -> None:
    waiting = asyncio.create_task(Start(4, 1, remaining, 3600.0).wait())
    for _ in range(5):
        await asyncio.sleep(0)
    assert waiting.done() is not waits
    assert ("are needed: waiting 60 minutes" in caplog.text) is waits
    waiting.cancel()


def test_lost_connections_are_told_and_shown() -> None:
    metrics = Metrics()
    one = Shards(1, metrics, lambda shard: math.nan)
    assert one.trouble() == "not connected to Discord"
    one.note(0, True)
    assert one.trouble() is None
    many = Shards(12, metrics, lambda shard: shard / 10)
    assert many.trouble() == "not connected to Discord"
    for shard in range(3):
        many.note(shard, True)
    assert many.trouble() == "9 of 12 shards are not connected to Discord: 3, 4, 5, 6, 7, 8, 9, 10, ..."
    assert metrics.registry.get_sample_value("egao_shard_connected", {"shard": "3"}) == 0.0
    assert metrics.registry.get_sample_value("egao_shard_latency_seconds", {"shard": "2"}) == 0.2
    Shards(1, metrics, lambda shard: math.nan)
    assert metrics.registry.get_sample_value("egao_shard_connected", {"shard": "3"}) is None
