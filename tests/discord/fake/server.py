"""The server that holds the platform together."""

from __future__ import annotations

import contextlib
import re
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.discord.fake import routes
from tests.discord.fake.cdn import Cdn
from tests.discord.fake.clock import Clock
from tests.discord.fake.faults import Faults
from tests.discord.fake.gateway import Gateway
from tests.discord.fake.guilds import Guild
from tests.discord.fake.rest import PREFIX, Request, Rest
from tests.discord.fake.world import Rules, World

TOKEN = "fake.token.of-the-bot"  # a name for the fake alone; it opens nothing


class FakeDiscord:
    """A Discord on a free port of 127.0.0.1. Use it as an async context manager.

    `url` is what `tests.discord.patch` wants; `token` is the bot's. Everything else hangs on `world`, `rest`,
    `gateway`, `cdn` and `faults`.
    """

    def __init__(self, *, token: str = TOKEN, rules: Rules | None = None, shards: int = 1, seed: int = 0) -> None:
        self.token = token
        self.world = World(token, rules)
        self.faults = Faults(seed)
        self.rest = Rest(self.world, self.faults)
        self.gateway = self.world.gateway = Gateway(self.world)
        self.cdn = self.world.cdn = Cdn(self.world)
        self.gateway.shards = shards
        self.url = ""
        self._runner: web.AppRunner | None = None
        routes.install(self.rest, self.world)

    @property
    def rules(self) -> Rules:
        return self.world.rules

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def requests(self) -> list[Request]:
        """Every REST request so far, in order."""
        return self.rest.requests

    def find_requests(self, method: str, pattern: str) -> list[Request]:
        """Those whose path holds `pattern` (a regular expression)."""
        return [r for r in self.requests if r.method == method and re.search(pattern, r.path)]

    def guild(self, name: str, *, locale: str = "en-US", boost: int = 0) -> Guild:
        """A server with the bot in it; the bot hears of it if it is connected."""
        guild = Guild(self.world, name, locale=locale, boost=boost)
        guild.announce()
        return guild

    def elsewhere(self, name: str) -> Guild:
        """A server that did not add the bot: it hears nothing of it but what members do with it as an app of their own."""
        return Guild(self.world, name)

    async def wait_ready(self, within: float = 10.0) -> None:
        """Until a bot has identified on every shard and registered commands."""
        await self.world.until(
            lambda: self.gateway.connected and self.world.commands, within, "bot that identified with its commands"
        )

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=self.rules.request_limit + 2**20)
        app.router.add_route("*", PREFIX + "/{rest:.*}", self.rest.handle)
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/{cdn:.*}", self.cdn.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.gateway.url, self.cdn.base = f"ws://{host}:{port}/gateway", self.url
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.gateway.refusing = True
        for connection in list(self.gateway.connections):
            with contextlib.suppress(ConnectionError):
                await connection.ws.close(code=1001)
        if self._runner:
            await self._runner.cleanup()
