"""Starting and stopping: from settings to a running bot, and from SIGTERM to a clean end.

Exit statuses: 0 stopped as asked; 78 the configuration has to be put right first (token, key, weights: systemd is
told not to try again); 1 anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import Final

import discord

from bot.client import EgaoBot, Parts
from bot.download import Downloader
from bot.health import HealthServer, Metrics
from core.errors import BadSetting, EgaoError, SettingsError, StoreInUse, WeightsError, WrongKey
from core.executor import Executor
from core.settings import Settings
from core.store import Store
from core.weights import load_manifest, weight_path

log = logging.getLogger(__name__)

CONFIGURATION: Final = 78  # EX_CONFIG of sysexits.h
HELP: Final = "https://discord.com/developers/applications"


def main(settings: Settings | None = None) -> int:
    """Run the bot until it is told to stop. Returns the exit status; says on stderr what is wrong."""
    try:
        settings = settings or Settings.load()
        _log(settings)
        return asyncio.run(serve(settings))
    except EgaoError as error:
        print(f"egao: {error}", file=sys.stderr)  # noqa: T201 - the command line's own voice
        return CONFIGURATION if isinstance(error, (SettingsError, WeightsError, WrongKey)) else 1
    except KeyboardInterrupt:
        return 0


async def serve(settings: Settings) -> int:
    """The same on a running loop. SIGTERM and SIGINT end it: what is being worked on is put back for the next start."""
    serving = asyncio.create_task(_serve(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, serving)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return 0


def _stop(serving: asyncio.Task[None]) -> None:
    if not serving.cancelling():  # a second signal doesn't cut the clean end short; the supervisor may kill
        log.info("stopping")
        serving.cancel()


async def _serve(settings: Settings) -> None:
    token = settings.discord_token.get_secret_value() if settings.discord_token is not None else ""
    if not token:
        raise BadSetting(name="DISCORD_TOKEN", reason=f"it is missing; make a bot at {HELP} and copy its token")
    generator = await asyncio.to_thread(_generator, settings)
    async with contextlib.AsyncExitStack() as stack:
        store = await asyncio.to_thread(Store.open, settings)
        stack.push_async_callback(store.aclose)
        await _alone(store)
        metrics = Metrics()
        photos = await stack.enter_async_context(Downloader(settings))
        executor = Executor(settings)
        await executor.start()
        stack.push_async_callback(executor.close, settings.close_seconds / 4)
        watching = asyncio.create_task(metrics.watch_loop())
        stack.callback(watching.cancel)
        await _connect(Parts(settings, store, executor, photos, generator, metrics), token, stack)


async def _connect(parts: Parts, token: str, stack: contextlib.AsyncExitStack) -> None:
    """Stay connected. Without the message content intent, do without it: commands, mentions and DMs still work."""
    for content in (True, False):
        bot = EgaoBot(parts, content=content)
        async with contextlib.AsyncExitStack() as pages:
            if parts.settings.http_port:
                await pages.enter_async_context(HealthServer(parts.settings.http_port, parts.metrics, bot.trouble))
            pages.push_async_callback(bot.close)
            try:
                await bot.start(token)
                return
            except discord.LoginFailure:
                raise BadSetting(
                    name="DISCORD_TOKEN", reason=f"Discord refused it; copy it again from {HELP}, Bot > Reset Token"
                ) from None
            except discord.PrivilegedIntentsRequired:
                if not content:
                    raise
                log.warning(
                    "the message content intent is off: photos in channels can't be seen, everything else works. "
                    "Switch it on at %s, Bot > Privileged Gateway Intents, and start again",
                    HELP,
                )


async def _alone(store: Store) -> None:
    """Wait a little for an earlier process that is still ending, then insist. Raises StoreInUse."""
    for _ in range(20):
        with contextlib.suppress(StoreInUse):
            return await asyncio.to_thread(store.alone)
        await asyncio.sleep(0.5)
    return await asyncio.to_thread(store.alone)


def _generator(settings: Settings) -> str:
    """The digest that latents of this generator are kept under; it is the manifest's. Raises WeightsMissing."""
    weight_path(settings, "generator")
    return load_manifest().weight("generator").contents[0][2]


def _log(settings: Settings) -> None:
    """Ids and states only: discord.py's own debug lines hold payloads and links, so they are never let through."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for name in ("discord", "aiohttp", "PIL"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
