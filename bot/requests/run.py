"""A request while it is worked on, and its progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from bot.requests.ask import WORDS, Ask
from bot.transport.answer import Answer
from bot.transport.progress import Follower
from bot.ui.pages import Attached, Page, working
from core.errors import EgaoError
from core.executor import FoundFace, Progress
from core.store import FaceAndLatent, GuildSettings, Owner, PhotoPlace, Store

CHECKPOINT_SECONDS: Final = 5.0  # a latent is 47 kB; sealing and writing it more often would buy nothing


@dataclass(eq=False)
class Run:
    """A request being worked on."""

    job_id: int
    owner: Owner
    ask: Ask
    answer: Answer
    settings: GuildSettings
    follower: Follower | None = None
    resume: bytes | None = None  # the last checkpoint of its projection
    photo: bytes | None = None  # the file, once it was fetched; in memory for as long as the request is worked on
    photo_sha256: str = ""  # of that file
    saved: float = field(default_factory=time.monotonic)  # when that was last written down
    began: float = field(default_factory=time.monotonic)
    face: FaceAndLatent | None = None  # once it is kept
    group: list[FaceAndLatent] = field(default_factory=list)  # of a request for several, those that are kept by now
    strengths: dict[int, float] = field(default_factory=dict)  # of these, by number in the store: as they are shown
    barred: frozenset[int] = frozenset()  # of these, by number in the store: those whose photo's author lets nobody use it now
    left_out: list[tuple[int, int | None, EgaoError]] = field(default_factory=list)  # photo and face (None: all of it), why
    part: tuple[int, int] | None = None  # which of how many faces is worked on, from 1
    refitted: str = ""  # "photo" or "drawn": what a kept face was projected anew from, for the server's generator has changed
    doing: str = ""  # key of what is done for it just now, if that is not what is usual for its kind
    task: asyncio.Task[None] | None = None
    spent: bool = False  # the counted use is not given back: the work is done, or its photo crashed a worker
    faces: tuple[int, ...] = ()  # numbers of the faces to choose from, once there is a choice
    choice: Choice | None = None  # what there is to choose from; None after a restart: it is looked for again
    ending: str | None = None  # why its task was cancelled: "member", "erased", "closing"

    @property
    def spoiler(self) -> bool:
        """Whether its pictures are hidden as spoilers: by the server's rule, or because the photo was."""
        return self.settings.spoiler or self.hidden

    @property
    def hidden(self) -> bool:
        """Whether the photo, or one of several, was sent as a spoiler."""
        return any(place.spoiler for place in self.places)

    @property
    def alt(self) -> str:
        """The photo's description by its sender, for people who can't see it; "" if there is none."""
        return self.places[0].alt if self.places else ""

    @property
    def places(self) -> Sequence[PhotoPlace]:
        """Where its photos are, for new photos or kept faces, as far as known."""
        kept = self.group if self.face is None else [self.face]
        return self.ask.photos or [one.face.source for one in kept if one.face.source is not None]

    @property
    def notes(self) -> list[str]:
        """What the member is told beside the answer."""
        return [self.ask.say(f"result.refitted.{self.refitted}")] if self.refitted else []

    def shown(self, progress: Progress, preview: Attached | None) -> Page:
        """Make the page that shows the progress."""
        say, doing = self.ask.say, self.doing or WORDS[self.ask.kind].doing
        return working(say, self.job_id, progress, preview, doing=doing, part=self.part, spoiler=self.spoiler)


@dataclass(frozen=True)
class Choice:
    """A result of the work: the photo shows several faces, and the member must choose."""

    faces: tuple[FoundFace, ...]
    barred: int = 0  # how many more it shows, which the checks refuse


class Erased(Exception):
    """The row of a request was erased or cancelled while it was worked on."""


class Follow:
    """A callback for progress, used inside `async with`: shows it, and stores checkpoints for after a restart.

    If the row is erased, the block ends with Erased, in the way that `asyncio.timeout` ends its block with TimeoutError.
    """

    def __init__(self, run: Run, store: Store, mark: bytes = b"") -> None:
        """`mark`: what a checkpoint begins with that is written down, where a request has several pieces of work."""
        self._run, self._store, self._mark = run, store, mark
        self._saving: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._before = 0  # cancellations of the task that are not ours
        self._gone = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._before = self._task.cancelling()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task, self._task = self._task, None  # from here on nothing is cancelled: the end is written next
        assert task is not None
        if self._saving is not None and not self._saving.done():
            await asyncio.wait([self._saving])  # a late checkpoint would overwrite the next one
        if self._gone and task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise Erased from None

    def __call__(self, progress: Progress) -> None:
        run = self._run
        if run.follower is not None:
            run.follower(progress)
        if progress.checkpoint is None:
            return
        run.resume = self._mark + progress.checkpoint
        if time.monotonic() - run.saved >= CHECKPOINT_SECONDS and (self._saving is None or self._saving.done()):
            run.saved = time.monotonic()
            self._saving = asyncio.create_task(self._save(run.resume))

    async def _save(self, blob: bytes) -> None:
        """Store a checkpoint and renew the lease. If the request was erased or cancelled, end the work on it."""
        kept = await self._store.run(self._store.jobs.checkpoint, self._run.job_id, blob)
        if kept:
            await self._store.run(self._store.jobs.renew, self._run.job_id)
        elif self._task is not None and not self._gone:
            self._gone = True
            self._task.cancel()
