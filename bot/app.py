"""Starts and stops the bot: from settings to a running bot, and from SIGTERM to an orderly end.

Exit statuses: 0 stopped as asked; 78 the configuration must be corrected first (token, key, weights; systemd is told not to
try again); 1 anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import signal
import sys
from typing import Final

import aiohttp
import discord

from bot.client import EgaoBot, Parts, ShardedBot
from bot.ops import logs
from bot.ops.health import HealthServer, Metrics
from bot.ops.logs import HELP
from bot.ops.workers import Workers
from bot.requests.generators import Generators
from bot.transport.download import Downloader
from bot.transport.identify import ask_start
from bot.transport.reconnect import mend
from core.cluster import cluster_of
from core.compiled.background import keep_compiled
from core.compiled.signing import make_keys
from core.errors import BadSetting, EgaoError, SettingsError, StoreInUse, WeightsError, WrongKey
from core.executor import Executor, Patience
from core.executor.sandbox.confine import hide_memory, leave_no_core
from core.settings import Settings
from core.store import Store

log = logging.getLogger(__name__)

WORKBENCH: Final = "core.workbench:create"
CONFIGURATION: Final = 78  # EX_CONFIG of sysexits.h
# nodes come back: a restart of a machine takes minutes, and those who wait keep a place
OF_NODES: Final = Patience(despair=600.0)
PAUSES: Final = (2, 5, 10, 30, 60)  # seconds between two tries to reach Discord at the start
REFUSED: Final = f"copy it again from {HELP}, Bot > Reset Token"
CONTENT_OFF: Final = (
    "the message content intent is off: photos in channels can't be seen without a mention, everything else works. "
    f"Switch it on at {HELP}, Bot > Privileged Gateway Intents"
)


def main(settings: Settings | None = None, *, workbench: str = WORKBENCH) -> int:
    """Run the bot until it is told to stop, and return the exit status. Errors are printed on stderr.

    `workbench` names what the workers run, as "module:function"; load tests use a quick one.
    """
    try:
        settings = settings or Settings.load(operator=True)
        logs.begin(settings)
        leave_no_core()
        hide_memory()
        gc.freeze()  # what is loaded stays: to look through it for garbage would hold the loop for a tenth of a second
        return asyncio.run(serve(settings, workbench))
    except EgaoError as error:
        print(f"egao: {error}", file=sys.stderr)  # noqa: T201 - the command line's own voice
        return CONFIGURATION if isinstance(error, (SettingsError, WeightsError, WrongKey)) else 1
    except KeyboardInterrupt:
        return 0


async def serve(settings: Settings, workbench: str = WORKBENCH) -> int:
    """Run the bot on the running loop, and return 0. SIGTERM and SIGINT end it; unfinished work is left to the next start.

    Raises EgaoError for what makes a start impossible.
    """
    serving = asyncio.create_task(_serve(settings, workbench))
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


async def _serve(settings: Settings, workbench: str) -> None:
    token = settings.discord_token.get_secret_value() if settings.discord_token is not None else ""
    if not token:
        raise BadSetting(name="DISCORD_TOKEN", reason=f"it is missing; make a bot at {HELP} and copy its token")
    generators = await asyncio.to_thread(Generators.of, settings)
    async with contextlib.AsyncExitStack() as stack:
        store = await asyncio.to_thread(Store.open, settings)
        stack.push_async_callback(store.aclose)
        await _alone(store)
        metrics = Metrics()
        photos = await stack.enter_async_context(Downloader(settings))
        if settings.compile != "off":  # before a worker is walled in: it reaches only files that exist by then
            await asyncio.to_thread(make_keys, settings.home)
        fleet = await asyncio.to_thread(cluster_of, settings)
        here = fleet is None
        executor = Executor(settings, workbench) if here else Executor(settings, workbench, fleet=fleet, patience=OF_NODES)
        metrics.registry.register(Workers(executor.stats))
        await executor.start()
        stack.push_async_callback(executor.close, settings.close_seconds / 4)
        if workbench == WORKBENCH:  # another draws nothing with the generator
            stack.push_async_callback(_end, asyncio.create_task(keep_compiled(settings)))
        watching = asyncio.create_task(metrics.watch_loop())
        stack.callback(watching.cancel)
        await _connect(Parts(settings, store, executor, photos, generators, metrics), token)


async def _connect(parts: Parts, token: str) -> None:
    """Stay connected until told to stop. If Discord can't be reached, try again after pauses. Raises as `_once` does."""
    content = True
    for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
        try:
            await _once(parts, token, content=content)
            return
        except discord.PrivilegedIntentsRequired:
            if not content:
                raise
            content = False  # commands, mentions and direct messages still work
            log.warning("%s, and start again", CONTENT_OFF)
        except (aiohttp.ClientError, OSError, discord.DiscordServerError) as error:
            log.warning("Discord can't be reached (%s), trying again in %d s", type(error).__name__, pause)
            await asyncio.sleep(pause)


async def _once(parts: Parts, token: str, *, content: bool) -> None:
    """Run one client to its end. discord.py itself reconnects after a lost connection. Raises BadSetting for a refused token."""
    try:
        await _run(await _client(parts, token, content=content), parts, token)
    except discord.LoginFailure:
        raise BadSetting(name="DISCORD_TOKEN", reason=f"Discord refused it; {REFUSED}") from None


async def _client(parts: Parts, token: str, *, content: bool) -> EgaoBot:
    """Make a client with as many connections as Discord wants, once it may connect. Raises as `ask_start` does."""
    start = await ask_start(token)
    await start.wait()
    if start.shards == 1:
        return EgaoBot(parts, content=content)
    log.info("in so many servers, egao connects with %d shards, %d at once", start.shards, start.at_once)
    return ShardedBot(parts, content=content, start=start)


async def _run(bot: EgaoBot, parts: Parts, token: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if parts.settings.http_port:
            host, port = parts.settings.http_host, parts.settings.http_port
            await stack.enter_async_context(HealthServer(host, port, parts.metrics, bot.trouble))
        stack.push_async_callback(bot.close)
        mend()
        try:
            await bot.login(token)
            gc.freeze()  # the cogs and languages that the login has loaded stay as well
            await bot.connect()
        except AttributeError:  # the library stumbles when the gateway refuses its very first connection
            if isinstance(bot, ShardedBot) or bot.ws is not None:
                raise
            raise ConnectionError from None


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait until it has cleaned up: the closing loop would cut that short."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _alone(store: Store) -> None:
    """Lock the store for this bot. Waits up to ten seconds for an earlier process to end, then raises StoreInUse."""
    for _ in range(20):
        with contextlib.suppress(StoreInUse):
            return await asyncio.to_thread(store.alone)
        await asyncio.sleep(0.5)
    return await asyncio.to_thread(store.alone)
