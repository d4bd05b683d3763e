"""Progress that a member sees: the latest state of a job, edited into its message within Discord's limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

import aiohttp
import discord

from bot.transport.answer import Answer, AnswerGone
from bot.ui.pages import Attached, Page, suffix
from core.executor import Progress

log = logging.getLogger(__name__)

CHANNEL_GAP: Final = 1.2  # seconds between edits by the bot's token in one channel: Discord takes about 5 in 5 s
LAST_EDIT: Final = 5.0  # seconds that an edit on its way is waited for before the answer follows it


class Pace:
    """The spacing between edits of all jobs in a channel."""

    def __init__(self) -> None:
        self._free: dict[int, float] = {}  # channel -> when its next edit may go

    def reserve(self, channel_id: int | None) -> float:
        """Reserve the next turn in a channel, and return the seconds until it."""
        now = time.monotonic()
        self._free = {channel: free for channel, free in self._free.items() if free > now}
        if channel_id is None:
            return 0.0
        turn = max(now, self._free.get(channel_id, now))
        self._free[channel_id] = turn + CHANNEL_GAP
        return turn - now


class Follower:
    """A callback that shows a job's progress until it is stopped; only the latest one is shown.

    `draw(progress, preview)` makes the page. A preview that the message already has is not sent again.
    """

    def __init__(self, answer: Answer, draw: Callable[[Progress, Attached | None], Page], pace: Pace, pause: float) -> None:
        self._answer, self.draw, self._pace, self._pause = answer, draw, pace, pause
        self.newest: Progress | None = None
        self._preview: Attached | None = None
        self._fresh = asyncio.Event()
        self._editing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self.gone = False  # the message was deleted: nobody is waiting

    def __call__(self, progress: Progress) -> None:
        if self._stopped:
            return
        if progress.preview is not None:
            self._preview = Attached(f"preview.{suffix(progress.preview)}", progress.preview)
        self.newest = progress
        self._fresh.set()
        if self._task is None:
            self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End the edits of progress, after waiting for one that is on its way."""
        self._stopped = True
        task, self._task = self._task, None
        if task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_EDIT), self._editing:
                task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        while not self.gone:
            await self._fresh.wait()
            by_token = self._answer.by_token
            await asyncio.sleep(self._pace.reserve(None if by_token else self._answer.channel_id))
            self._fresh.clear()
            async with self._editing:
                await self._edit()
            await asyncio.sleep(self._pause)

    async def _edit(self) -> None:
        assert self.newest is not None
        preview = self._preview
        try:
            await self._answer.show(self.draw(self.newest, preview), final=False)
        except AnswerGone:
            self.gone = True
        except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
            log.debug("progress edit skipped: %s", type(error).__name__)  # the next one, or the answer, will do
        else:
            if preview is not None and self._preview is preview:
                self._preview = Attached(preview.name)  # shown now: later edits keep it
