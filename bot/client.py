"""The bot's connection to Discord: intents, commands, presses, and the events by which data must be erased."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import math
import time
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord import app_commands
from discord.ext import commands, tasks

from bot.ops.chores import Chores
from bot.ops.health import Metrics
from bot.ops.invite import invite_link
from bot.ops.logs import HELP
from bot.ops.shards import Shards
from bot.requests import recovery
from bot.requests.access import require_own_message
from bot.requests.consent import Consent
from bot.requests.erasure import Erasure, Recent
from bot.requests.generators import Generators
from bot.requests.service import Service
from bot.requests.steps import Work
from bot.text.speaker import CommandTranslator, Speaker, speaker
from bot.transport.asker import Asker
from bot.transport.base import BotBase
from bot.transport.error_replies import Tree, guarded
from bot.transport.identify import Slots, Start
from bot.transport.identity import actor_of, home_of, is_away, must_hide
from bot.transport.photo_source import PhotoReader, Photos
from bot.transport.pluralkit import Senders
from bot.transport.reconnect import forget_unlisted
from bot.ui.components import Outdated, Press, Presses, PressItem, form_press
from core.errors import EgaoError, NotYours
from core.executor import Executor
from core.expressions import default, names_with_variations
from core.settings import Settings
from core.store import Store

log = logging.getLogger(__name__)

COGS: Final = (
    "photo", "edit", "menus", "choice", "result", "group", "report", "consent", "faces", "me", "data", "settings", "admin",
    "erase", "welcome",
)  # fmt: skip
EXPIRE_SECONDS: Final = 300.0
LOOK_SECONDS: Final = 60.0
RECONCILE_SECONDS: Final = 3600.0  # until it is tried again where Discord or the store failed
DAY: Final = 86_400.0
SWEEP: Final = "erasing what has run out"  # the chores' names, as the log and /healthz say them
TAKE_UP: Final = "taking up what was left"
CHOICES: Final = "closing choices that nobody made"
RECONCILE: Final = "looking for servers and members that are gone"
PATIENCE: Final = 1.5  # seconds: of the three in which a press has to be answered


@dataclass(frozen=True)
class Parts:
    """The parts of the bot. They outlive a client, when the bot must connect again with fewer intents."""

    settings: Settings
    store: Store
    executor: Executor
    photos: Photos
    generators: Generators
    metrics: Metrics


def intents(*, content: bool) -> discord.Intents:
    """Choose the intents that are used, and no others. `content` is privileged: the operator must switch it on at Discord."""
    return discord.Intents(guilds=True, guild_messages=True, dm_messages=True, moderation=True, message_content=content)


class EgaoBot(BotBase):
    """One client of Discord: handles its events, and runs the regular chores."""

    def __init__(self, parts: Parts, *, content: bool = True, **options: Any) -> None:
        """Make a client. `options` are more of discord.py's own."""
        super().__init__(
            command_prefix=commands.when_mentioned,  # asked for by the library; no command is read from messages
            help_command=None,
            tree_cls=Tree,
            intents=intents(content=content),
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            max_messages=None,  # no message is remembered
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            **options,
        )
        self.parts, self.settings, self.store = parts, parts.settings, parts.store
        self.executor, self.metrics = parts.executor, parts.metrics
        self.content = content
        self.connections = Shards(self.shard_count or 1, parts.metrics, self.latency_of)
        self.presses = Presses()
        reader = PhotoReader(self, parts.photos, self.photo_gone)
        work = Work(parts.settings, parts.store, parts.executor, reader, parts.generators)
        recent = Recent()
        self.service = Service(self, parts.settings, parts.store, work, parts.metrics, recent)
        self.senders = Senders(parts.settings)
        self.consent = Consent(self, self.senders, parts.store, self.service, self.photo_gone)
        self.erasure = Erasure(parts.store, recent, self.service.end, self.consent.drop)
        periods = {SWEEP: EXPIRE_SECONDS, TAKE_UP: LOOK_SECONDS, CHOICES: LOOK_SECONDS, RECONCILE: RECONCILE_SECONDS}
        self.chores = Chores(periods)
        self.came_up = False
        self.unreconciled = True  # Discord may have changed since servers and members were last compared
        self._reconciling, self._reconciled = asyncio.Lock(), 0.0
        self._lost = False  # a session, since the last comparison was begun
        self.began = parts.store.now()
        self.taken_up = asyncio.Event()
        self._again: asyncio.Task[None] | None = None  # comparing servers and members after a lost connection

    async def photo_gone(self, message_id: int) -> None:
        """Erase what is kept of a photo whose message turned out to be deleted."""
        await self.erasure.messages(message_id)

    async def setup_hook(self) -> None:
        for name in COGS:
            await importlib.import_module(f"cogs.{name}").setup(self)
            await asyncio.sleep(0)  # each takes 10 to 20 ms, in which no worker is heard
        self.add_dynamic_items(PressItem)
        await self.tree.set_translator(CommandTranslator())
        if not self._may_go_along():
            self.tree.allowed_installs = app_commands.AppInstallationType(guild=True, user=False)
            log.info("members can't add egao for themselves: that is off at %s, Installation > User Install", HELP)
        await self.tree.sync()

    def _may_go_along(self) -> bool:
        """Tell whether the operator lets members add the application for themselves; where Discord says nothing of it, yes."""
        about = self.application
        return about is None or about.guild_integration_config is None or about.user_integration_config is not None

    def dispatch(self, event_name: str, /, *args: Any, **kwargs: Any) -> None:
        """Pass on an event, unless closed: the library's own "ready" may come just then and find no loop."""
        if not self.is_closed():
            super().dispatch(event_name, *args, **kwargs)

    async def on_ready(self) -> None:
        """Start the regular chores; after a lost connection, check which servers and members are gone."""
        log.info("connected as %d, in %d servers", self.user.id if self.user else 0, len(self.guilds))
        await self.compare_again()
        if self.came_up:
            return
        self.came_up = True
        if self.application_id is not None:
            log.info("to add it to another server: %s", invite_link(self.application_id))
        for loop in self.loops:
            loop.start()

    async def compare_again(self) -> None:
        """Check which servers and members are gone, after a session that was lost; at the first connection a chore does."""
        self.unreconciled = self._lost = True
        if self.came_up and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self._compare())
            await self._again

    async def _compare(self) -> None:
        """Check, and check once more where another shard has lost its session meanwhile."""
        while self._lost:
            self._lost = False
            await self.reconcile()

    async def on_connect(self) -> None:
        """Note that the connection stands."""
        self.connections.note(0, True)

    async def on_resumed(self) -> None:
        """Note that the connection stands again."""
        self.connections.note(0, True)

    async def on_disconnect(self) -> None:
        """Note that the connection is lost."""
        self.connections.note(0, False)

    def latency_of(self, shard: int) -> float:
        """Return the seconds to Discord and back, measured by a shard's last heartbeat; NaN before the first."""
        return self.latency

    async def on_message(self, message: discord.Message, /) -> None:
        """Do nothing: only the photo cog handles messages, and there are no prefix commands."""

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Handle a sent form. Commands and buttons are handled by discord.py."""
        if interaction.type is discord.InteractionType.modal_submit:
            press = form_press(interaction)
            if press is not None:
                await self.pressed(press)

    async def pressed(self, press: Press) -> None:
        """Handle a press of a button, select or form, after requests of an earlier process were taken up (or a short wait)."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.taken_up.wait(), PATIENCE)
        await guarded(press.interaction, self.presses.handle(press))

    async def speaker(self, interaction: discord.Interaction[Any]) -> Speaker:
        """Choose the language to answer in: the server's if its admins set one, else the member's own."""
        language = "auto"
        with contextlib.suppress(EgaoError):  # a failing store is reported where its data is needed
            language = (await self.store.run(self.store.guilds.get, home_of(interaction))).language
        return speaker(language, interaction.locale)

    async def asker(self, interaction: discord.Interaction[Any]) -> Asker:
        """Look up who uses a command or button: language, server settings and member, in one call of the store."""
        guild_id = home_of(interaction)
        settings, member = await self.store.run(self.store.known_of, guild_id, interaction.user.id)
        say = speaker(settings.language, interaction.locale)
        return Asker(guild_id, say, settings, member, is_away(interaction), must_hide(interaction))

    async def presser(self, press: Press, member_id: int) -> tuple[discord.Message, str, Asker]:
        """Check that a press below an answer is by `member_id`, who asked for it, and look them up once the answer is noted.

        Returns the message, the name of the expression that the control is for, and the member. Raises NotYours, Outdated.
        """
        interaction, expression = press.interaction, press.argument(3, default().name)
        if interaction.user.id != member_id:
            raise NotYours
        if interaction.message is None or expression not in names_with_variations():
            raise Outdated
        await require_own_message(self.store, interaction)
        await self.service.noted(actor_of(interaction), interaction.message.id)
        return interaction.message, expression, await self.asker(interaction)

    async def asker_of(self, message: discord.Message, member_id: int | None = None) -> Asker:
        """Look up who posted a message. Messages tell no language, so it is that of the last consent, or else the server's.

        `member_id`: for whom a webhook posted it.
        """
        guild, member_id = message.guild, message.author.id if member_id is None else member_id
        settings, member = await self.store.run(self.store.known_of, guild.id if guild else None, member_id)
        say = speaker(settings.language, member.consent_locale, guild.preferred_locale if guild else None)
        return Asker(guild.id if guild else None, say, settings, member)

    @property
    def loops(self) -> tuple[tasks.Loop[Any], ...]:
        """The loops of regular chores, which run from the first connection until the bot is closed."""
        return self.look_after, self.sweep, self.reconcile

    @tasks.loop(seconds=EXPIRE_SECONDS)
    async def sweep(self) -> None:
        """Erase what has expired."""
        await self.chores.do(SWEEP, self.erasure.expired)

    @tasks.loop(seconds=LOOK_SECONDS)
    async def look_after(self) -> None:
        """Take up requests that an earlier process left or that failed halfway; end choices of a face that nobody made."""
        await self.chores.do(TAKE_UP, self._take_up)
        self.taken_up.set()
        await self.chores.do(CHOICES, self.service.close_choices)

    @tasks.loop(seconds=RECONCILE_SECONDS)
    async def reconcile(self) -> None:
        """Erase what is kept of servers and members that are gone, after each connection and once a day."""
        await self.chores.do(RECONCILE, self._reconcile)

    async def _take_up(self) -> None:
        before = self.store.now() - LOOK_SECONDS if self.taken_up.is_set() else self.began
        await recovery.take_up(self, self.store, self.service, before=before)

    async def _reconcile(self) -> None:
        async with self._reconciling:
            if not self.unreconciled and time.monotonic() - self._reconciled < DAY:
                return
            self.unreconciled, self._reconciled, asked = False, time.monotonic(), False
            try:
                servers = await recovery.reconcile(self, self.store, self.erasure)
                channels = await recovery.reconcile_channels(self, self.store, self.erasure)
                asked = await recovery.reconcile_members(self, self.store, self.erasure) and channels and servers
            finally:
                self.unreconciled = self.unreconciled or not asked

    async def close(self) -> None:
        for loop in self.loops:
            loop.cancel()
        if self._again is not None:
            self._again.cancel()  # else it would ask on through a connection that is closed
        with contextlib.suppress(asyncio.CancelledError):
            await self.service.close()
        await super().close()

    def trouble(self) -> str | None:
        """Say what is wrong just now, for /healthz; None if nothing is."""
        if not self.is_ready():
            return self.connections.trouble() or "not all servers are known yet"
        if lost := self.connections.trouble():
            return lost
        if all(worker.state != "ready" for worker in self.executor.stats().workers):
            return "no image worker is ready"
        return self.chores.overdue() if self.came_up else None


class ShardedBot(EgaoBot, discord.AutoShardedClient):
    """The client of a bot in so many servers that they are divided among several connections, its shards."""

    def __init__(self, parts: Parts, *, content: bool = True, start: Start) -> None:
        """Make a client with as many shards as Discord recommends in `start`."""
        self._slots = Slots(start.at_once)
        super().__init__(parts, content=content, shard_count=start.shards)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until Discord lets this shard begin a session."""
        await self._slots.take(shard_id or 0)

    def latency_of(self, shard: int) -> float:
        """Return the seconds to Discord and back, measured by a shard's last heartbeat; NaN before the first."""
        found = self.get_shard(shard)
        return math.nan if found is None else found.latency

    def dispatch(self, event_name: str, /, *args: Any, **kwargs: Any) -> None:
        """Pass on an event, as `EgaoBot` does; first, servers are forgotten that a new session of a shard does not have."""
        if event_name == "shard_connect":
            forget_unlisted(self, args[0])
        super().dispatch(event_name, *args, **kwargs)

    async def on_connect(self) -> None:
        """Do nothing: which shard it was is told beside it, as with the next two."""

    async def on_resumed(self) -> None:
        """Do nothing."""

    async def on_disconnect(self) -> None:
        """Do nothing."""

    async def on_shard_ready(self, shard: int) -> None:
        """Note that a shard's connection stands, with a new session: what its servers did meanwhile was not told."""
        self.connections.note(shard, True)
        await self.compare_again()

    async def on_shard_resumed(self, shard: int) -> None:
        """Note that a shard's connection stands again."""
        self.connections.note(shard, True)

    async def on_shard_disconnect(self, shard: int) -> None:
        """Note that a shard's connection is lost."""
        self.connections.note(shard, False)
