"""Asks Discord how a bot is to connect: with how many shards, and how many of them may begin a session at once.

A bot of over 2,500 servers has to divide them among shards, each a connection with its share of the servers. Who begins sessions
faster than is allowed is turned away; who begins more in a day than are left loses the token.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from time import monotonic
from typing import Final

import discord

log = logging.getLogger(__name__)
IDENTIFY_SECONDS: Final = 5.0  # Discord's own: so long after one session begins the next of the same bucket may


@dataclass(frozen=True)
class Start:
    """What Discord says about connecting."""

    shards: int  # that it recommends: one for about a thousand servers
    at_once: int  # sessions that may begin in the same five seconds (max_concurrency)
    remaining: int  # sessions that may begin until the count is reset
    reset_seconds: float

    async def wait(self) -> None:
        """Wait until enough sessions are left for every shard: whoever begins one too many has the token reset."""
        if self.remaining < self.shards:
            text = "Discord allows %d more sessions today, %d are needed: waiting %.0f minutes until it allows more"
            log.warning(text, self.remaining, self.shards, self.reset_seconds / 60)
            await asyncio.sleep(self.reset_seconds)


async def ask_start(token: str) -> Start:
    """Ask Discord. Raises discord.LoginFailure for a refused token, ConnectionError where there is no answer."""
    async with discord.Client(intents=discord.Intents(guilds=True)) as client:
        await client.login(token)
        try:
            shards, _, limits = await client.http.get_bot_gateway()
        except discord.GatewayNotFound:
            raise ConnectionError from None
        return Start(shards, limits["max_concurrency"], limits["remaining"], limits["reset_after"] / 1000)


class Slots:
    """Lets shards begin their sessions no faster than Discord allows: in each bucket one after the other, with pauses."""

    def __init__(self, at_once: int) -> None:
        """Let `at_once` shards begin together: shard n is in bucket n modulo `at_once`."""
        self._at_once = at_once
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free: defaultdict[int, float] = defaultdict(float)  # when the next of a bucket may begin

    async def take(self, shard: int) -> None:
        """Wait until this shard may begin a session."""
        bucket = shard % self._at_once
        async with self._locks[bucket]:
            await asyncio.sleep(max(0.0, self._free[bucket] - monotonic()))
            self._free[bucket] = monotonic() + IDENTIFY_SECONDS
