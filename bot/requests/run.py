"""A request while it is worked on, and its progress."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from bot.requests.ask import Ask, Kind
from bot.transport.answer import Answer
from bot.transport.progress import Follower
from bot.ui.pages import Attached, Page, working
from core.executor import FoundFace, Progress
from core.store import GuildSettings, Owner, Store, StoredFace

DOING: Final[dict[Kind, str]] = {
    "photo": "work.projecting", "smile": "work.drawing", "animate": "work.drawing", "download": "work.drawing",
}  # fmt: skip
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
    stored: StoredFace | None = None  # the face, once it is kept
    task: asyncio.Task[None] | None = None
    faces: int = 0  # how many its photo shows, once there is a choice
    ending: str | None = None  # why its task was cancelled: "member", "erased", "closing"

    def shown(self, progress: Progress, preview: Attached | None) -> Page:
        """How far it is, as its member sees it."""
        say, doing = self.ask.say, DOING[self.ask.kind]
        return working(say, self.job_id, progress, preview, doing=doing, spoiler=self.settings.spoiler)


@dataclass(frozen=True)
class Choice:
    """Not done: the photo shows several faces and the member is to say which."""

    faces: tuple[FoundFace, ...]


class Follow:
    """Takes a job's progress: shows it, and writes its checkpoints down for after a restart."""

    def __init__(self, run: Run, store: Store) -> None:
        self._run, self._store = run, store
        self._saving: asyncio.Task[None] | None = None

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
        """A False means that the job was erased or cancelled: the work on it ends."""
        if not await self._store.run(self._store.jobs.checkpoint, self._run.job_id, blob):
            if self._run.task is not None and self._run.ending is None:
                self._run.ending = "erased"
                self._run.task.cancel()
            return
        await self._store.run(self._store.jobs.renew, self._run.job_id)
