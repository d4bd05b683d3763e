"""Mends how discord.py comes back to the gateway, by replacing internal classes, which are checked at import.

Its waits double up to 17 minutes, so that after an outage of ten minutes the bot could stay away for as long again. A shard whose
line broke begins a new session where a bot without shards resumes the old one: what Discord told meanwhile is lost. And where a
session is lost, a bot without shards knows the servers that Discord lists for the new one alone, a shard also those it has left.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any, Final, Literal

from discord import backoff, client, shard, state
from discord.gateway import ReconnectWebSocket

LONGEST: Final = 30.0  # seconds
CALM: Final = 120.0  # seconds without a failure, after which the waits begin short again; the library's is half an hour
NAME: Final = "ExponentialBackoff"
SHARD: Final = "Shard"


class Backoff(backoff.ExponentialBackoff[Literal[False]]):
    """The library's waits, but never longer than `LONGEST`, and short again after `CALM`."""

    def __init__(self) -> None:
        super().__init__()
        self._failed = time.monotonic()

    def delay(self) -> float:
        if time.monotonic() - self._failed > CALM:
            super().__init__()
        wait = min(super().delay(), LONGEST)
        self._failed = time.monotonic() + wait
        return wait


class ResumingShard(shard.Shard):
    """The library's shard, but it resumes its session after a broken line, and no other shard waits while it does."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: asyncio.Task[None] | None = None

    async def _handle_disconnect(self, e: Exception) -> None:
        """Do what the library does, in a task: it sleeps before the next try, often in the loop that all shards share."""
        self._waiting = asyncio.create_task(super()._handle_disconnect(e))

    async def reconnect(self) -> None:
        """Resume the session, if there was one; Discord then tells what it told meanwhile."""
        await self.reidentify(ReconnectWebSocket(self.id, resume=self.ws.session_id is not None))

    async def close(self) -> None:
        """Connect no more."""
        if self._waiting is not None:
            self._waiting.cancel()
        await super().close()


def forget_unlisted(bot: client.Client, number: int) -> None:
    """Forget the servers of a shard that Discord has not listed for its new session.

    To be called just when it has: all that it lists are unavailable then, and become available one after the other.
    """
    for guild in list(bot.guilds):
        if guild.shard_id == number and not guild.unavailable:
            bot._connection._remove_guild(guild)


def mend() -> None:
    """Shorten the waits of all clients of this process, and have their shards resume."""
    setattr(client, NAME, Backoff)
    setattr(shard, NAME, Backoff)
    setattr(shard, SHARD, ResumingShard)


for module in (client, shard):
    assert getattr(module, NAME) is backoff.ExponentialBackoff, "discord.py takes it from elsewhere now"
for name, parameters in {"reconnect": ["self"], "reidentify": ["self", "exc"], "_handle_disconnect": ["self", "e"]}.items():
    assert list(inspect.signature(getattr(shard.Shard, name)).parameters) == parameters, "discord.py's shards differ now"
assert callable(state.ConnectionState._remove_guild), "discord.py forgets servers otherwise now"
