"""A request while it is worked on, and its progress."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final, Self

from bot.requests.ask import WORDS, Ask
from bot.transport.answer import Answer
from bot.transport.progress import Follower
from bot.ui.pages import Attached, Page, working
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
    saved: float = field(default_factory=time.monotonic)  # when that was last written down
    began: float = field(default_factory=time.monotonic)
    face: FaceAndLatent | None = None  # once it is kept
    task: asyncio.Task[None] | None = None
    spent: bool = False  # what it cost is not given back: the work is done, or its own photo took a worker down
    faces: tuple[int, ...] = ()  # numbers of those that can be chosen, once there is a choice
    ending: str | None = None  # why its task was cancelled: "member", "erased", "closing"

    @property
    def spoiler(self) -> bool:
        """Whether its pictures are covered: by the server's rule, or because the photo's sender covered it."""
        return self.settings.spoiler or self.hidden

    @property
    def hidden(self) -> bool:
        """Whether the photo's sender covered it."""
        return self.place is not None and self.place.spoiler

    @property
    def alt(self) -> str:
        """What the photo's sender wrote for those who can't see it."""
        return "" if self.place is None else self.place.alt

    @property
    def place(self) -> PhotoPlace | None:
        """Where its photo stands, of a new one or of a kept face's, if it is known."""
        return self.ask.photo or (None if self.face is None else self.face.face.source)

    def shown(self, progress: Progress, preview: Attached | None) -> Page:
        """Make the page that shows its member how far it is."""
        say, doing = self.ask.say, WORDS[self.ask.kind].doing
        return working(say, self.job_id, progress, preview, doing=doing, spoiler=self.spoiler)


@dataclass(frozen=True)
class Choice:
    """Not done: the photo shows several faces and the member is to say which."""

    faces: tuple[FoundFace, ...]
    barred: int = 0  # how many more it shows, which the checks refuse


class Erased(Exception):
    """The row of a request was erased or cancelled while it was worked on."""


class Follow:
    """Takes a job's progress inside `async with`: shows it, and writes its checkpoints down for after a restart.

    Once the row is gone the block is left with Erased, as `asyncio.timeout` leaves its block with TimeoutError.
    """

    def __init__(self, run: Run, store: Store) -> None:
        self._run, self._store = run, store
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
            await asyncio.wait([self._saving])  # a checkpoint that comes late would be put over what is written next
        if self._gone and task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise Erased from None

    def __call__(self, progress: Progress) -> None:
        run = self._run
        if run.follower is not None:
            run.follower(progress)
        if progress.checkpoint is None:
            return
        run.resume = progress.checkpoint
        if time.monotonic() - run.saved >= CHECKPOINT_SECONDS and (self._saving is None or self._saving.done()):
            run.saved = time.monotonic()
            self._saving = asyncio.create_task(self._save(progress.checkpoint))

    async def _save(self, blob: bytes) -> None:
        """False from the store means that the request was erased or cancelled: the work on it ends."""
        kept = await self._store.run(self._store.jobs.checkpoint, self._run.job_id, blob)
        if kept:
            await self._store.run(self._store.jobs.renew, self._run.job_id)
        elif self._task is not None and not self._gone:
            self._gone = True
            self._task.cancel()
