"""What the bot's tests share: the real bot, store and executor in a simulated Discord (simcord), and how to read it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
import simcord
from simcord import interactions
from simcord.components import walk_components

from bot.client import EgaoBot, Parts, intents
from bot.ops.health import Metrics
from bot.requests.generators import Generators
from bot.text.privacy import CONSENT_VERSION
from bot.transport import retry
from core.errors import PhotoGone
from core.executor import Animate, Executor, Project
from core.settings import Settings
from core.store import Owner, Store
from tests.bot.workbench import CREATE, photo
from tests.core.executor.local import LocalLauncher

GENERATOR = "a" * 64
Message = Any  # a simcord ResponseMessage or a discord.Message


class HeldExecutor(Executor):
    """The real executor, but projections and animations begin only when the test lets them: time can pass in between."""

    env: simcord.Env | None = None
    gate: asyncio.Event | None = None
    asked: Any = None  # the last request

    async def submit(self, request: Any, owner: Any, on_progress: Any = None, **options: Any) -> Any:
        self.asked = request
        if isinstance(request, Project | Animate) and self.gate is not None and self.env is not None:
            await self.env.external_wait(self.gate.wait(), reason="held by the test")
        return await super().submit(request, owner, on_progress, **options)


class CdnPhotos:
    """Photos from the simulated Discord's own store of attachments."""

    def __init__(self) -> None:
        self.env: simcord.Env | None = None
        self.fetched: list[str] = []
        self.dead: set[str] = set()  # links that have run out
        self.changed: bytes | None = None  # what every link leads to now

    async def photo(self, url: str, declared: int | None = None) -> bytes:
        assert self.env is not None
        self.fetched.append(url)
        data = self.env.backend.cdn.get(url)
        if data is None or url in self.dead:
            raise PhotoGone
        return self.changed or data


class Ear(logging.Handler):
    """Hears what the bot or discord.py log as errors: swallowed exceptions end there."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in {"bot", "cogs", "discord", "asyncio"}:
            self.heard.append(self.format(record))


class World:
    """One simulated Discord with the bot in it; `ann` and `ben` are members, `boss` may manage the server."""

    def __init__(self, parts: Parts, photos: CdnPhotos) -> None:
        self.parts, self.photos = parts, photos
        self.store = parts.store
        self.ear = Ear()
        self.bot = self.make_bot()

    def complaints(self) -> list[str]:
        """The errors logged since the last call."""
        heard, self.ear.heard = self.ear.heard, []
        return heard

    def make_bot(self, *, content: bool = True) -> EgaoBot:
        return EgaoBot(self.parts, content=content)

    def enter(self, env: simcord.Env) -> None:
        """Set the scene."""
        self.env = self.photos.env = env
        assert isinstance(self.parts.executor, HeldExecutor)
        self.parts.executor.env = env
        self.guild = env.create_guild("Studio")
        self.channel = self.guild.create_text_channel("photos")
        self.other_channel = self.guild.create_text_channel("talk")
        managers = self.guild.create_role("Managers", permissions=discord.Permissions(manage_guild=True))
        self.boss = self.guild.add_member(env.create_user("boss"), roles=[managers])
        self.ann = self.guild.add_member(env.create_user("ann"))
        self.ben = self.guild.add_member(env.create_user("ben"))

    def consent(self, *people: Any) -> None:
        for person in people:
            self.store.members.consent(person.id, CONSENT_VERSION, "en-US")

    def consent_to_less(self, person: Any) -> None:
        """As if the notice had changed since the member agreed to it."""
        self.store.members.consent(person.id, CONSENT_VERSION - 1, "en-US")

    def set(self, **settings: Any) -> None:
        self.store.guilds.set(self.guild.id, **settings)

    def owner(self, person: Any) -> Owner:
        return Owner(self.guild.id, person.id)

    def faces(self, person: Any) -> list[Any]:
        return self.store.faces.of(self.owner(person))

    async def dm(self, person: Any, name: str, data: bytes, content: str = "") -> Message:
        """The person sends the bot a file in a direct message; returns the last message there."""
        channel = person.user.dm_channel
        files = self.env.backend.store_attachments(channel.id, [(name, data)])
        await person.send_dm(content, attachments=files)
        return channel.last_message

    async def restart(self, *, content: bool = True) -> None:
        """The bot stops and a new one starts on the same store, as after a deploy."""
        await self.bot.service.close()
        self.bot = self.make_bot(content=content)
        await self.env.restart_bot(self.bot)

    def open(self) -> None:
        """A channel where photos get a reply by themselves, and nobody has to wait or count."""
        self.set(channels=(self.channel.id,), cooldown_seconds=0)

    async def kept_face(self, person: Any, **orders: Any) -> Message:
        """Have a face of the person's kept; returns the message with the result."""
        self.consent(person)
        self.open()
        await person.send(self.channel, attachments=[("me.png", photo(**orders))])
        return self.channel.last_message


def opened(settings: Settings) -> Store:
    """The real store. A new one is a copy of one that was made once, and none is to survive a power cut: disks are slow."""
    home = settings.home
    if settings.key is None and not any((home / name).exists() for name in ("egao.sqlite3", "key")):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in empty_home().iterdir():
            shutil.copy2(file, home)
    store = Store.open(settings)
    store.database._writer.conn.execute("pragma synchronous = off")
    return store


@functools.cache
def empty_home() -> Path:
    """A home with a store in which nothing is yet, and its key."""
    home = Path(tempfile.mkdtemp(prefix="egao-home"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    Store.open(Settings.load({"EGAO_HOME": str(home)})).close()
    return home


@contextlib.asynccontextmanager
async def running(
    home: Path,
    *,
    content: bool = True,
    workbench: str = CREATE,
    patience: float = 20.0,
    process: bool = False,
    generators: Generators | None = None,
    **environ: str,
) -> AsyncIterator[World]:
    """The world, up and running. `patience`: seconds that one act of a member may take to settle.

    `generators`: those of a real workbench; None for the one name that a stand-in knows.

    The worker is a thread, which is there at once, unless a `process` is asked for: for its death, or its pid.
    """
    settings = Settings.load({"EGAO_HOME": str(home), "EGAO_DEVICE": "cpu", "EGAO_PROGRESS_SECONDS": "0.001", **environ})
    store = await asyncio.to_thread(opened, settings)
    photos = CdnPhotos()
    launcher = None if process else LocalLauncher()
    async with HeldExecutor(settings, workbench, devices=["cpu"], split=False, launcher=launcher) as executor:
        world = World(Parts(settings, store, executor, photos, generators or Generators(GENERATOR), Metrics()), photos)
        if not content:
            world.bot = world.make_bot(content=False)
        env = simcord.Env(world.bot, settle_timeout=patience, approved_intents=intents(content=content))
        logging.getLogger().addHandler(world.ear)
        await env.start()  # not `simcord.run`: it can't be left from another task, as a fixture is
        try:
            world.enter(env)
            yield world
            if executor.gate is not None:
                executor.gate.set()
            await env.settle()
        finally:
            await env.shutdown()
            logging.getLogger().removeHandler(world.ear)
        env._raise_errors_since(env._errors_acknowledged)  # as simcord's own fixture does
    await store.aclose()
    assert not world.complaints(), "the bot logged errors that the test did not expect"


@contextlib.contextmanager
def speaking(monkeypatch: pytest.MonkeyPatch, locales: dict[int, str]) -> Iterator[None]:
    """simcord's people all speak en-US; let these (by user id) speak something else."""
    original = interactions.base_payload

    def payload(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        record, made = original(*args, **kwargs)
        user = made.get("user") or made["member"]["user"]
        made["locale"] = locales.get(int(user["id"]), "en-US")
        return record, made

    with monkeypatch.context() as patch:
        patch.setattr(interactions, "base_payload", payload)
        yield


def breaking(world: World, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Have the connection break so many times while something is posted; the pauses before new tries are short."""
    monkeypatch.setattr(retry, "RETRIES", (0.01,) * len(retry.RETRIES))
    original, left = world.bot.http.request, iter(range(times))

    async def request(route: Any, **options: Any) -> Any:
        if route.method == "POST" and next(left, None) is not None:
            raise aiohttp.ClientOSError(104, "Connection reset by peer")
        return await original(route, **options)

    monkeypatch.setattr(world.bot.http, "request", request)


async def agree(person: Any, question: Message, *, label: str = "I agree") -> simcord.InteractionResult:
    """Press "I agree" and send the form with both things ticked; what the form was answered with."""
    form = await person.click(question, label=label)
    assert form.modal is not None, "no form was shown"
    sent: simcord.InteractionResult = await person.submit_modal(form, {"ticked": ["adult", "allowed"]})
    return sent


def last_in(channel: simcord.ChannelHandle) -> discord.Message:
    """The last message of the channel, which must have one."""
    message = channel.last_message
    assert message is not None, "nothing was posted"
    return message


def response_of(answer: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The message that the bot answered a command or a button with; a form or nothing will not do."""
    message = answer.response
    assert message is not None, "the bot answered with no message"
    return message


def parts_of(message: Message) -> list[dict[str, Any]]:
    """All components of a message, nested ones too."""
    roots = message.components
    return list(walk_components([one if isinstance(one, dict) else one.to_dict() for one in roots]))


def text(message: Message) -> str:
    """All that can be read in a message."""
    return "\n".join(part["content"] for part in parts_of(message) if part.get("type") == 10)


def labels(message: Message) -> list[str]:
    """The buttons of a message."""
    return [part["label"] for part in parts_of(message) if part.get("type") == 2]


def custom_ids(message: Message) -> dict[str, str]:
    """Button label -> custom_id."""
    return {part["label"]: part["custom_id"] for part in parts_of(message) if part.get("type") == 2}


def select_of(message: Message) -> dict[str, Any]:
    """The first select of a message."""
    return next(part for part in parts_of(message) if part.get("type") in {3, 5, 6, 7, 8})


def gallery(message: Message) -> list[dict[str, Any]]:
    """The items of its gallery."""
    return [item for part in parts_of(message) if part.get("type") == 12 for item in part["items"]]


def pictures(world: World, message: Message) -> dict[str, bytes]:
    """File name -> bytes of what the message carries."""
    found = {}
    for attachment in message.attachments:
        data = world.env.backend.cdn.get(attachment.url)
        assert data is not None
        found[attachment.filename] = data
    return found
