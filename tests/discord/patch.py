"""Points discord.py at a fake Discord. The only module that reaches into its insides; it checks them at import.

with patched(discord.url): ...      # in this process, undone at the end
apply(discord.url)                  # for the life of this process
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import discord
import yarl
from discord import asset, gateway, http
from discord.webhook import async_

READY_AFTER = 0.05  # seconds of quiet after the last GUILD_CREATE; the library waits 2

_PLACES: list[tuple[Any, str]] = [
    (http.Route, "BASE"),
    (gateway.DiscordWebSocket, "DEFAULT_GATEWAY"),
    (asset.Asset, "BASE"),
    (discord.Client, "__init__"),
    (discord.Client, "before_identify_hook"),
]


def _check() -> None:
    """Fail loudly, here, if a newer discord.py keeps these things elsewhere."""
    assert discord.__version__.startswith("2.7."), f"not checked against discord.py {discord.__version__}"
    assert http.Route("GET", "/x").url == http.Route.BASE + "/x" == "https://discord.com/api/v10/x"
    assert isinstance(gateway.DiscordWebSocket.DEFAULT_GATEWAY, yarl.URL)
    assert asset.Asset.BASE == "https://cdn.discordapp.com"
    assert "options" in inspect.signature(discord.Client.__init__).parameters
    assert inspect.iscoroutinefunction(discord.Client.before_identify_hook)
    assert list(inspect.signature(discord.Client.before_identify_hook).parameters) == ["self", "shard_id", "initial"]


def apply(url: str) -> None:
    """Send all of discord.py's traffic to `url` (http://127.0.0.1:port). Refuses anything that is not loopback."""
    host = urlsplit(url)
    if host.hostname != "127.0.0.1" or host.scheme != "http" or not host.port:
        raise ValueError(f"a fake Discord is at http://127.0.0.1:port, not at {url}")
    initialise = discord.Client.__init__

    def quick(self: discord.Client, **options: Any) -> None:
        initialise(self, **{"guild_ready_timeout": READY_AFTER, **options})

    async def at_once(self: discord.Client, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits 5 s before each IDENTIFY but the first."""

    values = (f"{url}/api/v10", yarl.URL(f"ws://127.0.0.1:{host.port}/gateway"), url, quick, at_once)
    for (owner, name), value in zip(_PLACES, values, strict=True):
        setattr(owner, name, value)
    # simcord's fixtures, elsewhere, leave theirs behind (Python 3.14)
    async_.async_context.set(async_.AsyncWebhookAdapter())  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def patched(url: str) -> Iterator[None]:
    """`apply` for a while."""
    before, adapter = [vars(owner)[name] for owner, name in _PLACES], async_.async_context.get()
    apply(url)
    try:
        yield
    finally:
        for (owner, name), value in zip(_PLACES, before, strict=True):
            setattr(owner, name, value)
        async_.async_context.set(adapter)


_check()
