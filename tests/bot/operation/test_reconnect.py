"""After an outage of the gateway, however long, the bot is back within half a minute."""

from __future__ import annotations

import discord
import pytest

from bot.transport import reconnect


def test_no_wait_is_longer_than_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.client, reconnect.NAME, discord.backoff.ExponentialBackoff)
    reconnect.mend()
    waits = getattr(discord.client, reconnect.NAME)()
    assert max(waits.delay() for _ in range(200)) <= reconnect.LONGEST


def test_after_a_calm_time_the_waits_begin_short_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = reconnect.Backoff()
    for _ in range(20):
        waits.delay()
    waits._failed -= 2 * reconnect.CALM + reconnect.LONGEST
    assert waits.delay() <= 2
