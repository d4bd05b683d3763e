"""Knows which of the bot's connections to Discord stand: one for all servers or, of a bot in many servers, one for each shard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from bot.ops.health import Metrics

MOST_NAMED: Final = 8  # shards that a sentence lists; the metrics have them all


class Shards:
    """The shards of one client, each connected or not. Shows them in the metrics too."""

    def __init__(self, count: int, metrics: Metrics, latency: Callable[[int], float]) -> None:
        """Begin with `count` shards, none of them connected. `latency` returns the seconds to Discord and back of one."""
        self._up = dict.fromkeys(range(count), False)
        self._gauge = metrics.shard_up
        for gauge in (metrics.shard_up, metrics.shard_latency):
            gauge.clear()  # of an earlier client, which may have had more
        for shard in self._up:
            self.note(shard, False)
            metrics.shard_latency.labels(str(shard)).set_function(partial(latency, shard))

    def note(self, shard: int, up: bool) -> None:
        """Note that a shard has connected, or has lost its connection."""
        self._up[shard] = up
        self._gauge.labels(str(shard)).set(up)

    def trouble(self) -> str | None:
        """Say which shards are not connected, in words for the operator; None if all are."""
        down = [shard for shard, up in self._up.items() if not up]
        if not down:
            return None
        if len(down) == len(self._up):
            return "not connected to Discord"
        listed = ", ".join(map(str, down[:MOST_NAMED])) + (", ..." if len(down) > MOST_NAMED else "")
        return f"{len(down)} of {len(self._up)} shards are not connected to Discord: {listed}"
