"""A bot under load: the fake, a filled store, the bot's process with workers of milliseconds, and a crowd before it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.text.privacy import CONSENT_VERSION
from core.settings import Settings
from core.store import Store
from tests.bot.workbench import CREATE
from tests.discord.crowd import Crowd
from tests.discord.fake import FakeDiscord
from tests.discord.ledger import Verdict
from tests.discord.process import BotProcess
from tests.discord.stage import STARTING, WORKING, come_back
from tests.discord.stored import editor_in, known_face

RULES = {"cooldown_seconds": 0, "daily_quota": 1000, "work_seconds": 3600, "queue_share": 100, "longest_wait_seconds": 3600}


@dataclass
class Trial:
    """Everything that is up."""

    discord: FakeDiscord
    bot: BotProcess
    crowd: Crowd
    settings: Settings

    async def start(self) -> None:
        """Start the stopped bot and wait until it is back."""
        await come_back(self.discord, self.bot)

    async def until(self, check: Callable[[], bool], within: float) -> bool:
        """Keep the crowd busy until something is so, but no longer than that."""
        end = asyncio.get_running_loop().time() + within
        await self.crowd.keep_busy(lambda: check() or asyncio.get_running_loop().time() > end, open_at_once=8)
        return check()

    async def verdict(self) -> Verdict:
        """Wait until all is answered, stop the bot, look into its store, and judge.

        What a member took back is off the list at once, while the bot may still be ending the work on it; and a photo of
        several people waits for a word of a member who may have deleted it while the bot was not there to hear of it.
        """
        await self.crowd.settle(WORKING)
        await nothing_left(self.settings, WORKING, self.crowd.ledger.asking())
        assert await self.bot.stop(60) == 0, self.bot.tail()
        jobs = await asyncio.to_thread(inspect, self.settings, self.crowd.ledger.asking())
        return self.crowd.ledger.verdict(jobs)


@asynccontextmanager
async def trial(
    home: Path,
    *,
    servers: int = 3,
    members: int = 12,
    seed: int = 0,
    rate_limits: bool = False,
    real: bool = False,
    **environ: str,
) -> AsyncIterator[Trial]:
    """Up and ready; members have agreed already, all but every sixth. FAKE_SEED moves all seeds, for another run."""
    seed += int(os.environ.get("FAKE_SEED", "0"))
    async with FakeDiscord(seed=seed) as discord:
        discord.rules.rate_limits = rate_limits
        guilds = [discord.guild(f"Server {n}") for n in range(servers)]
        photo_of = await asyncio.to_thread(_real_photos) if real else None
        crowd = Crowd(discord, guilds, members, seed=seed, photo_of=photo_of, marked=not real)
        settings = Settings.load({"EGAO_HOME": str(home)})
        crowd.ledger.look_up = lambda: rows(settings)
        await asyncio.to_thread(prepare, settings, crowd)
        own = {"EGAO_DEVICE": "cpu", "EGAO_PROGRESS_SECONDS": "0.1", "EGAO_PROJECTION_STEPS": "2"}
        own["EGAO_SERVER_SECONDS"] = "36000"  # few servers stand for many
        own |= {} if real else {"FAKE_WORKBENCH": CREATE, "OMP_NUM_THREADS": "1"}
        own["FAKE_LOOK"] = "3"
        own["EGAO_CACHE"] = str(Settings.load().cache)
        async with BotProcess(discord, "bot", home=home, environ={**own, **environ}) as bot:
            crowd.began = lambda: bot.began
            await bot.alive_until(discord.wait_ready(STARTING))
            yield Trial(discord, bot, crowd, settings)
            if bot.running:
                await bot.stop(60)


def _real_photos() -> Callable[[str], bytes]:
    """Photos that the real weights find a face in: of one who does not exist, each a file of its own."""
    editor = editor_in(Settings.load().model_copy(update={"device": "cpu"}))
    known = known_face(editor, 600)
    editor.models.finder.close()
    return lambda mark: known.photo + mark.encode()


def prepare(settings: Settings, crowd: Crowd) -> None:
    """What admins and members have settled before."""
    with Store.open(settings) as store:
        for channel in {person.channel for person in crowd.people}:
            assert channel.guild is not None
            store.guilds.set(channel.guild.id, channels=(channel.id,), **RULES)
        for number, person in enumerate(crowd.people):
            if number % 6:
                store.members.consent(person.member.id, CONSENT_VERSION, "en-US")


def rows(settings: Settings) -> dict[str, int]:
    """The requests that the store has a row of, while the bot runs."""
    with contextlib.closing(sqlite3.connect(f"file:{settings.home}/egao.sqlite3?mode=ro", uri=True)) as db:
        return dict(db.execute("select once, id from jobs").fetchall())


async def nothing_left(settings: Settings, within: float, asking: Set[int] = frozenset()) -> None:
    """Wait until the running bot has no request in hand, but those that wait for a word of their member in `asking`.

    What is left after that time, the inspection tells.
    """
    end = time.monotonic() + within
    while time.monotonic() < end:
        with contextlib.closing(sqlite3.connect(f"file:{settings.home}/egao.sqlite3?mode=ro", uri=True)) as db:
            left = db.execute("select state, message_id from jobs where state in ('queued', 'running') or not told").fetchall()
        if all(state == "queued" and message in asking for state, message in left):
            return
        await asyncio.sleep(0.05)


def inspect(settings: Settings, asking: Set[int] = frozenset()) -> dict[str, int]:
    """Check the stopped bot's store: sound, every request ended and told, every face whole, once, and its owner's.

    Not ended may be what waits for a word of its member: `asking` are the messages that stand as questions.

    Returns the number of each request that has a row, by what makes it that one event.
    """
    with Store.open(settings) as store:
        assert store.integrity() == []
        with store.database.reading() as db:
            jobs = list(db.query("select id, once, state, told, error, attempts, message_id from jobs"))
            faces = list(db.query("select id, guild_id, member_id, photo, face from faces"))
            owners = {row["id"]: row for row in faces}
            sources = {row["face_id"] for row in db.query("select face_id from sources")}
        unfinished = [row for row in jobs if row["state"] in ("queued", "running") or not row["told"]]
        unfinished = [row for row in unfinished if row["state"] != "queued" or row["message_id"] not in asking]
        assert not unfinished, unfinished[:5]
        keys = [tuple(row[key] for key in ("guild_id", "member_id", "photo", "face")) for row in faces]
        assert len(keys) == len(set(keys)), "a face is kept twice"
        assert sources <= owners.keys()
        for owner in {(row["guild_id"], row["member_id"]) for row in faces}:
            _check_faces(store, *owner)
    return {row["once"]: row["id"] for row in jobs}


def _check_faces(store: Store, guild_id: int, member_id: int) -> None:
    from core.store import Owner

    owner = Owner.of_columns(guild_id, member_id)
    for face in store.faces.of(owner):
        assert store.faces.thumbnail(owner, face.id)
        mark = json.loads(store.faces.latent(owner, face.id)).get("mark", "")
        assert not mark or mark.startswith(f"{member_id}:"), f"a face of {mark} is kept for {member_id}"


def moments(count: int, seed: int) -> list[tuple[str, int]]:
    """When to kill: at so many requests to Discord after the start, or after it was back."""
    dice = random.Random(seed)
    return [("started", dice.randint(1, 45)) if n % 2 else ("back", dice.randint(0, 45)) for n in range(count)]
