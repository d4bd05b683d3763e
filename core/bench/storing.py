"""Measures what the store takes: requests and writes a second under the mix that the soak asks for, over a long history.

The history is rows of answered requests, each with its counted use, as they are kept for a day: a million of them are a million
requests a day. The faces are a few thousand: what one takes on the disk is told, and what the chores take beside so many.
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from core.bench.machine import machine
from core.expressions import default
from core.learned import KnownScale, Learned
from core.settings import Settings
from core.store import Owner, Store
from core.store.guilds import GuildSettings

SERVERS: Final = 2_000
MEMBERS: Final = 200_000  # in all of them
LATENT: Final = 48_000  # bytes; of the default generator
PICTURE: Final = 60_000  # bytes of the aligned face beside it
DAY: Final = 86_400.0
BATCH: Final = 100_000  # rows of history in one transaction
FREE: Final = GuildSettings(cooldown_seconds=0, daily_quota=1000)
# how often members ask for what: the soak's own weights. A press and a command write alike
MIX: Final = {"photo": 48, "edit": 40, "animate": 4, "several": 4, "take back": 3, "forget": 1}
LEARNED: Final = Learned("f" * 400, (KnownScale(default().name, "d" * 64, (0.0, 1.0, 2.0), (0.1, 0.8, 0.9), 0.05, -0.7),))
_JOBS: Final = (
    "id, guild_id, member_id, kind, state, once, attempts, max_attempts, channel_id, message_id, source_message_id, "
    "created, started, finished, expires, told"
)


@dataclass
class Load:
    """Members who ask, one request after the other: the store has one writer, so more at once would wait for each other."""

    store: Store
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - no secret, the same each time
    took: dict[str, list[float]] = field(default_factory=dict)  # seconds of each write, by its name
    kept: list[tuple[Owner, int, int]] = field(default_factory=list)  # faces: owner, number, message of the photo
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(time.time_ns()))

    def write(self, name: str, work: Callable[[], Any]) -> Any:
        """Do one write, and time it."""
        began = time.perf_counter()
        result = work()
        self.took.setdefault(name, []).append(time.perf_counter() - began)
        return result

    def ask(self) -> str:
        """Have one request, of the mix, written from its acceptance to its answer; returns which."""
        (kind,) = self.dice.choices(list(MIX), list(MIX.values()))
        if kind not in ("photo", "several") and not self.kept:
            kind = "photo"
        if kind == "take back":
            _, _, message = self.kept.pop()
            self.write("erase a photo", lambda: self.store.forget_source_message(message))
        elif kind == "forget":
            owner, _, _ = self.kept.pop()
            self.write("erase a member", lambda: self.store.forget(owner))
        else:
            self._edit(kind)
        return kind

    def _edit(self, kind: str) -> None:
        new = {"photo": 1, "several": 3}.get(kind, 0)
        fresh = owner_of(self.dice.randrange(MEMBERS)), 0, next(self._numbers)
        owner, face, message = fresh if new else self.dice.choice(self.kept[-1000:])
        jobs, photo = self.store.jobs, os.urandom(8).hex()
        once = f"message:{next(self._numbers)}"
        job = self.write("accept", lambda: jobs.create(
            owner, "photo" if new else "edit", b"r" * 400, once=once, limits=FREE, channel_id=1, source_message_id=message,
        ))  # fmt: skip
        self.write("begin", lambda: jobs.claim(job.id, channel_id=1, message_id=next(self._numbers)))
        for number in range(new):
            for _ in range(2):  # checkpoints of a projection
                self.write("checkpoint", lambda: jobs.checkpoint(job.id, bytes(LATENT)))
            face = self.write("keep a face", partial(keep, self.store, owner, photo, number, message, job.id))
            self.kept.append((owner, face, message))
        if not new:
            self.write("touch", lambda: self.store.faces.touch(owner, face))
        self.write("worked", lambda: jobs.worked(job.id, b"answering"))
        self.write("answered", lambda: jobs.finish(job.id, "done", told=True))
        if new:
            self.write("note where it is shown", lambda: self.store.faces.place(owner, face, 1, message + 1))


def keep(store: Store, owner: Owner, photo: str, number: int, message: int, job: int | None = None) -> int:
    """Keep face `number` of a photo, of the usual size; returns its id."""
    return store.faces.add(
        owner, photo_sha256=photo, face=number, box=(0, 0, 9, 9), quad=(), latent=os.urandom(LATENT),
        thumbnail=os.urandom(PICTURE), generator="g" * 64, method="fast", source_message_id=message, learned=LEARNED, job=job,
    ).id  # fmt: skip


def bench_storing(folder: Path, history: list[int], faces: int, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure a store in `folder` with each length of history in turn, for `seconds` each. A million rows take about 0.6 GB."""
    settings = Settings.load({"EGAO_HOME": str(folder)})
    report: dict[str, Any] = {"machine": machine(), "mix": MIX, "by rows of history": {}}
    with Store.open(settings) as store:
        say(f"keeping {faces} faces")
        with store.database.writing():  # in one transaction
            for number in range(faces):
                keep(store, owner_of(number), os.urandom(8).hex(), 0, number)
        for rows in sorted(history):
            say(f"filling up to {rows} rows of history")
            began = time.perf_counter()
            fill(store, rows)
            say(f"filled in {time.perf_counter() - began:.0f} s; measuring")
            report["by rows of history"][str(rows)] = _measure(store, seconds)
    return report


def _measure(store: Store, seconds: float) -> dict[str, Any]:
    load, asked, began = Load(store), 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        load.ask()
        asked += 1
    spent = time.perf_counter() - began
    every = sorted(itertools.chain.from_iterable(load.took.values()))
    waits = {
        "looking for what was left (each minute)": lambda: store.jobs.recover(frozenset(), 0.0),
        "erasing what has run out (each 5 minutes)": store.expire,
        "counts for /egao status": lambda: store.jobs.counts(1, time.time() - DAY),
        "whose answer a message is": lambda: store.answered_in(1),
    }
    return {
        "requests a second": round(asked / spent, 1),
        "writes a second": round(len(every) / spent, 1),
        "ms of a write, median": round(1e3 * statistics.median(every), 2),
        "ms of a write, 99 %": round(1e3 * every[len(every) * 99 // 100], 2),
        "ms by write, median": {name: round(1e3 * statistics.median(took), 2) for name, took in sorted(load.took.items())},
        "seconds": {name: _seconds(work) for name, work in waits.items()},
        "faces": store.faces.count().faces,
        "GB on the disk": round(store.size() / 1e9, 2),
        "bytes of a face": round(_bytes_of_faces(store)),
    }


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 3)


def _bytes_of_faces(store: Store) -> float:
    with store.database.reading() as db:
        sizes = "length(details) + length(latent) + length(thumbnail) + length(extras)"
        return float(db.execute(f"select avg({sizes}) from faces").fetchone()[0] or 0)  # noqa: S608 - words of this file's


def owner_of(member: int) -> Owner:
    """Return a member by number, in the server that the member is in."""
    return Owner(1_000_000 + member % SERVERS, 2_000_000 + member)


def fill(store: Store, rows: int) -> None:
    """Write answered requests with their uses until there are `rows` of them, evenly over the day before now."""
    with store.database.reading() as db:
        there = db.execute("select count(*) from jobs").fetchone()[0]
        first = db.execute("select coalesce(max(id), 0) + 1 from jobs where id < ?", [1 << 32]).fetchone()[0]
    dice, now = random.Random(rows), store.now()  # noqa: S311
    marks = ", ".join("?" * len(_JOBS.split(",")))
    with _without_indexes(store):
        for begin in range(first, first + rows - there, BATCH):
            numbers = range(begin, min(begin + BATCH, first + rows - there))
            people = [dice.randrange(MEMBERS) for _ in numbers]
            with store.database.writing() as db:
                jobs = (_job(number, person, now) for number, person in zip(numbers, people, strict=True))
                db.conn.executemany(f"insert into jobs ({_JOBS}) values ({marks})", jobs)  # noqa: S608
                uses = (_use(number, person, now) for number, person in zip(numbers, people, strict=True))
                db.conn.executemany("insert into uses (id, guild_id, who, member, at, job_id) values (?, ?, ?, ?, ?, ?)", uses)
    with store.database.reading() as db:
        assert db.execute("select count(*) from jobs").fetchone()[0] >= rows


@contextmanager
def _without_indexes(store: Store) -> Iterator[None]:
    """Drop the indexes of the tables of history, and make them anew at the end.

    Kept up to date row by row, each would write pages all over the file: a million rows took more than six minutes.
    """
    with store.database.writing() as db:
        made = db.execute(
            "select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name in ('jobs', 'uses')"
        ).fetchall()
        for name, _ in made:
            db.execute(f"drop index {name}")
    yield
    for _, sql in made:
        with store.database.writing() as db:
            db.execute(sql)


def _job(number: int, person: int, now: float) -> tuple[Any, ...]:
    owner, at = owner_of(person), now - 0.9 * DAY + number % 1_000_000 / 1_000_000 * 0.8 * DAY
    ids = owner.guild_id, owner.member_id, "edit", "done", f"message:{number}", 1, 3, owner.guild_id, number * 2, number * 2 + 1
    return number, *ids, at, at + 1, at + 8, at + DAY, 1


def _use(number: int, person: int, now: float) -> tuple[Any, ...]:
    who = person.to_bytes(4, "big") * 8  # as long as the keyed hash, and as far from the next
    at = now - 0.9 * DAY + number % 1_000_000 / 1_000_000 * 0.8 * DAY
    return number, owner_of(person).guild_id, who, bytes(48), at, number
