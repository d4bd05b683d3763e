"""The ends of requests (answered, failed, cancelled, erased, put back) and telling them to the member."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

import aiohttp
import discord

from bot.requests.delivery import deliver
from bot.requests.run import Run
from bot.requests.steps import Work
from bot.transport.answer import AnswerGone
from bot.transport.error_replies import own_failure, signed, trouble
from bot.transport.reasons import log_reason
from bot.transport.retry import will_pass
from bot.ui.pages import Page, notice
from core.errors import EgaoError, InternalError, LooksExplicit, LooksYoung, PhotoRefused
from core.store import Store

log = logging.getLogger(__name__)

TOKEN_REFUSED: Final = 401  # HTTP status: the bot's token is refused, and nothing can be told until the operator corrects that


class Ends:
    """Ends requests: the end is noted in the store first and then told. What was not told is told later (`recovery.take_up`)."""

    def __init__(self, store: Store, work: Work) -> None:
        self._store, self._work = store, work
        self.telling: dict[int, asyncio.Task[None]] = {}  # by job

    async def answered(self, run: Run) -> None:
        """Note that the member has the answer, even if the request was ended while the answer was on its way."""
        await self._store.run(self._note_answered, run)

    def _note_answered(self, run: Run) -> None:
        """Note in the store that a request is answered, as one change. Runs on one of the store's threads."""
        with self._store.database.wiping():
            self._note(run)

    def _note(self, run: Run) -> None:
        if not self._store.jobs.finish(run.job_id, "done", told=True):
            self._store.jobs.told(run.job_id)
        shown = run.group if run.ask.kind in ("group", "regroup") else []  # not by a further message, a copy of it
        new = [run.face] if run.face is not None and run.ask.kind == "photo" else shown
        for one in new:
            with contextlib.suppress(EgaoError):  # erased meanwhile
                self._store.faces.place(run.owner, one.face.id, run.answer.channel_id, run.answer.message_id)
        if shown:
            strengths = [(one.face.id, run.strengths.get(one.face.id, 0.0)) for one in shown]
            self._store.groups.set(run.owner, run.job_id if run.ask.group is None else run.ask.group, strengths)

    async def fail(self, run: Run, error: Exception) -> None:
        """End a request as failed, and tell the member why."""
        known: EgaoError = error if isinstance(error, EgaoError) else InternalError()
        if isinstance(error, LooksExplicit | LooksYoung):
            known = PhotoRefused()  # which check it was would say something about a face
        finish, refund = self._store.jobs.finish, own_failure(error) and not run.spent
        if not await self._store.run(finish, run.job_id, "failed", error=known.code, facts=known.facts, refund=refund):
            return
        log_reason(f"request R{run.job_id}", run.answer.message_id, known, "ends with")
        await self.tell(run, trouble(run.ask.say, error, f"R{run.job_id}"))

    async def cut_short(self, run: Run, why: str) -> None:
        """End a request whose task was cancelled, and tell its member.

        `why` is "member" (the member cancelled it), "erased" (its row was) or "closing" (the bot ends; nothing is told then).
        """
        if run.follower is not None:
            await run.follower.stop()
        if why == "closing":
            await self.put_back(run)
            return
        await self._store.run(self._store.jobs.finish, run.job_id, "cancelled", error="JobCancelled", refund=True)
        if why == "member":
            await self._work.undo(run)
        await self.tell(run, end_page(run, "work.cancelled" if why == "member" else "work.cancelled.source"))

    async def put_back(self, run: Run) -> None:
        """Leave a request with its checkpoint to the next start."""
        if run.resume is not None:
            await self._store.run(self._store.jobs.checkpoint, run.job_id, run.resume)
        await self._store.run(self._store.jobs.requeue, run.job_id)

    async def tell(self, run: Run, page: Page) -> None:
        """Show the end of a request; if Discord fails, it is left untold, to be told later."""
        with contextlib.suppress(AnswerGone):
            try:
                await deliver(run, self._work, page)
            except (discord.HTTPException, OSError, aiohttp.ClientError) as failure:
                log.warning("the end of request R%d could not be told: %s", run.job_id, failure)
                if will_pass(failure) or (isinstance(failure, discord.HTTPException) and failure.status == TOKEN_REFUSED):
                    return
        await self._store.run(self._store.jobs.told, run.job_id)

    async def tell_held(self, run: Run, page: Page) -> None:
        """Do `tell` as a task that counts as held, so that nobody else tells the same end."""
        self.tell_meanwhile(run, page)
        await asyncio.wait([self.telling[run.job_id]])

    def tell_meanwhile(self, run: Run, page: Page) -> None:
        """Do `tell` in the background: while Discord fails it may take long."""
        task = asyncio.create_task(self._tell(run, page), name=f"tell-{run.job_id}")
        self.telling[run.job_id] = task
        task.add_done_callback(lambda _: self.telling.pop(run.job_id, None))

    async def _tell(self, run: Run, page: Page) -> None:
        try:
            await self.tell(run, page)
        except EgaoError as error:  # the store's: not noted, so told once more later; the member sees no difference
            log.warning("that the end of request R%d was told could not be noted: %s", run.job_id, error.code)

    async def close(self) -> None:
        """Stop telling; what is untold is told at the next start."""
        for task in list(self.telling.values()):
            task.cancel()
        await asyncio.gather(*self.telling.values(), return_exceptions=True)


def end_page(run: Run, key: str) -> Page:
    """Make the message about an end that is no error, a sentence of the catalogues, and log it."""
    log_reason(f"request R{run.job_id}", run.answer.message_id, key)
    return notice(signed(run.ask.say(key), f"R{run.job_id}"))
