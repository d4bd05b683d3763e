"""Accepts requests, does each of them, and answers each once, also over restarts.

A request gets a row before any work. The reply "got it" is posted at once; progress and the answer are edited into it. An
answer given twice, after a crash between posting and noting it, is thus one message edited twice. The store decides how a
request ends (`jobs.finish` is true for one caller only).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import discord

from bot.ops.health import Metrics
from bot.requests.access import Gate
from bot.requests.ask import Ask
from bot.requests.delivery import deliver
from bot.requests.endings import Ends, end_page
from bot.requests.erasure import Recent
from bot.requests.run import Choice, Erased, Run
from bot.requests.steps import Work
from bot.text.privacy import CONSENT_VERSION
from bot.transport.answer import AnswerGone
from bot.transport.callers import Caller
from bot.transport.progress import Follower, Pace
from bot.ui.pages import Page, choose_face, working
from core.errors import (
    EgaoError,
    JobCancelled,
    PhotoGone,
    ServerShareFull,
    ServerWorkSpent,
    ShuttingDown,
    StillBusy,
    WorkSpent,
)
from core.executor import Progress
from core.executor.spending import WINDOW
from core.settings import Settings
from core.store import GuildSettings, Owner, Store

log = logging.getLogger(__name__)

ATTEMPTS: Final = 5  # starts of this process that a request may see before it is given up; a worker's deaths count elsewhere
CHOOSING: Final = b"choosing:"  # and the numbers of faces: the checkpoint of a request that waits for its member to choose one
ANSWERING: Final = b"answering"  # the checkpoint of a request whose answer is on its way, if it has not arrived
SETTLE_SECONDS: Final = 1.0  # of the three in which a press has to be answered
CHOICE_SECONDS: Final = 14 * 60.0
USUAL_SECONDS: Final = 30.0  # until one of a server's requests is done, if nothing better is known


@dataclass(frozen=True, eq=False)
class _Place:
    """The room that a request takes up in its server's share."""

    owner: Owner
    ask: Ask
    message_id: int | None  # in which its answer will stand, if it does already


class Service:
    """Accepts, does and ends the requests of all members. Those of an earlier process come from `recovery.take_up`."""

    def __init__(
        self, bot: discord.Client, settings: Settings, store: Store, work: Work, metrics: Metrics, recent: Recent
    ) -> None:
        self._settings, self._store, self._work, self._recent = settings, store, work, recent
        self.metrics = metrics
        self.gate = Gate(bot, store)
        self.runs: dict[int, Run] = {}
        self.choosing: dict[int, tuple[Run, float]] = {}  # with the time at which the choice closes
        self.ends = Ends(store, work)
        self.unnoted: dict[int, Run] = {}  # over, but not so in the store: they will be answered again, in the same way
        self._held: list[_Place] = []  # of requests that are let in and not among `runs` yet: see `_room`
        self._entering: set[int] = set()  # accepted, and being replied to for the first time
        self._pace = Pace()
        self._closing = False

    # -- the door

    async def accept(self, caller: Caller, ask: Ask, *, limited: bool = False) -> None:
        """Accept a request, reply, and begin. `limited`: it counts for the cooldown and the quota.

        Raises AccessError, QueueFull, StillBusy or ShuttingDown if it is refused.
        """
        began, ask = time.monotonic(), replace(ask, away=caller.away)
        settings = await self.admit(caller, ask)
        if caller.message_id is None:  # a press has waited already, and must be answered soon
            await self.noted(caller.owner, None)
        with self._room(caller, ask, settings):
            job = await self._store.run(self._take_in, caller, ask, settings if limited else None, began)
            if job is None:
                return  # the same event came twice; the first is being answered
            await self._promise(job, caller, ask, settings)
        self.metrics.first_reply.observe(time.monotonic() - began)

    async def admit(self, caller: Caller, ask: Ask) -> GuildSettings:
        """Check that this may be asked for now, and return the server's settings. Raises AccessError or ShuttingDown."""
        if self._closing:
            raise ShuttingDown
        settings = await self.gate.admit(caller.owner, caller.person, ask)
        self._check_spending(caller.owner, settings)
        return settings

    def _check_spending(self, owner: Owner, settings: GuildSettings) -> None:
        """Check that neither member nor server had their share of the workers' time lately. Raises WorkSpent, ServerWorkSpent."""
        spending, minutes = self._work.spending, round(WINDOW / 60)
        if wait := spending.member_wait(owner, settings.work_seconds):
            raise WorkSpent(limit=settings.work_seconds, minutes=minutes, seconds=math.ceil(wait))
        if wait := spending.server_wait(owner, self._settings.server_seconds):
            raise ServerWorkSpent(limit=self._settings.server_seconds, minutes=minutes, seconds=math.ceil(wait))

    async def chosen(self, caller: Caller, parent: Run, faces: Sequence[int]) -> bool:
        """Continue with the `faces`, from 0, that the member chose in the photo of `parent`: one alone, or several together.

        False if it was too late to choose. Raises as `accept` does, and QuotaTooSmall.
        """
        settings = await self.admit(caller, parent.ask)
        with self._room(caller, parent.ask, settings):
            ask = replace(parent.ask.for_faces(faces), private=caller.private, away=caller.away)
            job = await self._store.run(self._go_on, caller, parent, ask, settings)
            self.choosing.pop(parent.job_id, None)
            if job is not None:
                await self._promise(job, caller, ask, settings)
        return job is not None

    def _go_on(self, caller: Caller, parent: Run, ask: Ask, limits: GuildSettings) -> int | None:
        """Replace the request about the photo by one for the faces, in one transaction; return its job id.

        Each face counts as a use, for each is projected and kept; the first was counted with the photo. None if that request
        has ended meanwhile. Raises QuotaTooSmall. Runs on a thread of the store.
        """
        count = max(1, len(ask.faces))
        with self._store.database.writing():
            self._store.limits.require(caller.owner, limits, count, count - 1)
            if not self._store.jobs.finish(parent.job_id, "done", told=True):
                return None
            what = "all" if ask.faces else ask.face
            job = self._create(caller, ask, f"j{parent.job_id}:{what}", None)
            for _ in range(count - 1) if job is not None else ():
                self._store.limits.take(caller.owner, limits, job, pause=False)
        return job

    async def settled(self, job_id: int) -> None:
        """Wait a moment for a request whose choice is shown just now: until it is noted, a quick member would find it busy."""
        run = self.runs.get(job_id)
        if run is not None and run.task is not None:
            await asyncio.wait([run.task], timeout=SETTLE_SECONDS)

    async def noted(self, owner: Owner, message_id: int | None) -> None:
        """Wait a moment for answers that are shown just now, of this member or in this message, until they are noted."""
        theirs = [run for run in self.runs.values() if run.owner == owner or run.answer.message_id == message_id is not None]
        if tasks := [run.task for run in theirs if run.spent and run.task is not None]:
            await asyncio.wait(tasks, timeout=SETTLE_SECONDS)

    async def choice_page(self, job_id: int, number: int) -> Page:
        """Show page `number` of the faces to choose from. Raises PhotoError where the photo has to be looked at again."""
        run, _ = self.choosing[job_id]
        if run.choice is None:
            run.choice = await self._work.look_again(run)
        faces = [one for one in run.choice.faces if one.index in run.faces]
        return choose_face(run.ask.say, job_id, faces, run.choice.barred, number=number, spoiler=run.spoiler)

    def _take_in(self, caller: Caller, ask: Ask, limits: GuildSettings | None, began: float) -> int | None:
        """Make the row of a request admitted at `began` (time.monotonic()), and return its id; None if there was one.

        Consent, blocks and erasures are checked again in the same transaction, so that none can come in between. Raises
        Blocked, ConsentNeeded, PhotoGone or JobCancelled. Runs on a thread of the store.
        """
        photo = ask.photo
        with self._store.database.writing():
            self._store.members.require(caller.owner, CONSENT_VERSION)
            if self._recent.struck(began, caller.owner, photo):
                raise JobCancelled if photo is None or photo.message_id is None else PhotoGone
            return self._create(caller, ask, caller.once, limits)

    def _create(self, caller: Caller, ask: Ask, once: str, limits: GuildSettings | None) -> int | None:
        """Make a row and return its id; None if there was one. Runs on a thread of the store."""
        token, expires = caller.token or (None, None)
        job = self._store.jobs.create(
            caller.owner,
            ask.kind,
            ask.dump(),
            once=once,
            limits=limits,
            token=token,
            token_expires=expires,
            channel_id=caller.channel_id,
            message_id=caller.message_id,
            source_message_id=ask.photo.message_id if ask.photo else None,
            author_id=ask.photo.author_id if ask.photo else None,
            max_attempts=ATTEMPTS,
        )
        if job is None:
            return None
        self._entering.add(job.id)
        return job.id

    async def _promise(self, job: int, caller: Caller, ask: Ask, settings: GuildSettings) -> None:
        """Give the first reply to a request that has its row, and begin to work on it."""
        try:
            answer = await caller.reply(working(ask.say, job), f"egao{job}")
            self.start(Run(job, caller.owner, ask, answer, settings))
        except discord.HTTPException:
            await self._store.run(self._store.jobs.finish, job, "failed", error="JobCancelled", refund=True, told=True)
            raise
        finally:
            self._entering.discard(job)

    @contextlib.contextmanager
    def _room(self, caller: Caller, ask: Ask, settings: GuildSettings) -> Iterator[None]:
        """Reserve room for a request until it is among `runs`.

        Raises ServerShareFull if the server has no room, StillBusy if another change of the same message is in progress.
        """
        self._check_room(caller, ask, settings)
        place = _Place(caller.owner, ask, caller.message_id)
        self._held.append(place)
        try:
            yield
        finally:
            self._held.remove(place)

    def _check_room(self, caller: Caller, ask: Ask, settings: GuildSettings) -> None:
        places = self._held + [_Place(run.owner, run.ask, run.answer.message_id) for run in self.runs.values()]
        here = [place for place in places if place.owner.guild_id == caller.owner.guild_id]
        if caller.owner.guild_id is None:  # in direct messages everyone is on their own
            here = [place for place in here if place.owner == caller.owner]
        if len(here) >= settings.queue_share:
            raise ServerShareFull(seconds=round(USUAL_SECONDS))
        same = [place for place in here if place.owner == caller.owner and place.ask.kind == "edit" and ask.kind == "edit"]
        if any(place.ask.face_id == ask.face_id for place in same) or self._coming(caller, here):
            raise StillBusy

    def _coming(self, caller: Caller, here: Sequence[_Place]) -> bool:
        """Tell whether an answer is on its way into the message that is to change.

        If the message of a request is unknown, because Discord failed when it was posted, any message of its member may be
        it.
        """
        if caller.message_id is None:
            return False
        runs = [*self.runs.values(), *self.unnoted.values()]
        known = {place.message_id for place in here} | {run.answer.message_id for run in runs}
        lost = {run.owner for run in runs if run.answer.unsure and run.answer.message_id is None}
        return caller.message_id in known or caller.owner in lost

    # -- one request

    def start(self, run: Run, *, quiet: bool = False) -> None:
        """Begin to work on a request that has its row and its reply. `quiet`: show no progress, since the answer may be there."""
        pause = self._settings.progress_seconds
        if not quiet:
            run.follower = Follower(run.answer, run.shown, self._pace, pause)
        self.runs[run.job_id] = run
        self.unnoted.pop(run.job_id, None)
        self.metrics.waiting.set(len(self.runs))
        run.task = asyncio.create_task(self._see_through(run), name=f"job-{run.job_id}")

    async def _see_through(self, run: Run) -> None:
        outcome = "unnoted"
        try:
            outcome = await self._to_its_end(run)
        except EgaoError as error:  # the store could not note the end: `recovery.take_up` tries again
            log.warning("the end of request R%d could not be noted: %s", run.job_id, error.code)
            self.unnoted[run.job_id] = run
        finally:
            self.runs.pop(run.job_id, None)
            self.metrics.waiting.set(len(self.runs))
        self.metrics.jobs.labels(run.ask.kind, outcome).inc()
        if outcome == "done":
            self.metrics.seconds.labels(run.ask.kind).observe(time.monotonic() - run.began)

    async def _to_its_end(self, run: Run) -> str:
        """Do a request and answer it, or end it in another way. Returns the outcome, for the metrics."""
        try:
            outcome = await self._attempt(run)
        except asyncio.CancelledError:
            outcome = run.ending or "closing"
            await asyncio.shield(self.ends.cut_short(run, outcome))
            return outcome
        except ShuttingDown:
            await self.ends.put_back(run)
            return "closing"
        except Erased:
            await self.ends.cut_short(run, "erased")
            return "erased"
        except AnswerGone:
            await self._store.run(self._store.jobs.finish, run.job_id, "cancelled", error="JobCancelled", told=True)
            return "gone"
        except Exception as error:
            await self.ends.fail(run, error)
            return "failed"
        if outcome == "done":  # outside the try: no later failure may take the answer back
            await asyncio.shield(self.ends.answered(run))
        return outcome

    async def _attempt(self, run: Run) -> str:
        """Do a request and answer it. Returns the outcome; failures are raised."""
        claim, where = self._store.jobs.claim, run.answer
        job = await self._store.run(claim, run.job_id, channel_id=where.channel_id, message_id=where.message_id)
        if job is None:  # ended before its turn, and told by whoever ended it; an erased one must be told here
            if await self._store.run(self._store.jobs.get, run.job_id) is None:
                await self.ends.tell(run, end_page(run, "work.cancelled.source"))
            return "gone"
        try:
            run.barred = await self.gate.check_authors(run.owner, run.ask)  # may have changed since
            page = await self._work.do(run)
            while not isinstance(page, Choice) and run.barred != (barred := await self.gate.check_authors(run.owner, run.ask)):
                run.barred = barred  # changed while it was drawn
                page = await self._work.draw(run)
        finally:
            if run.follower is not None:
                await run.follower.stop()
        if isinstance(page, Choice):
            asked = choose_face(run.ask.say, run.job_id, page.faces, page.barred, spoiler=run.spoiler)
            await deliver(run, self._work, asked)
            run.faces, run.choice = tuple(face.index for face in page.faces), page
            await self._store.run(self._store.jobs.checkpoint, run.job_id, CHOOSING + json.dumps(run.faces).encode())
            if await self._store.run(self._store.jobs.requeue, run.job_id):
                self.choosing[run.job_id] = (run, time.monotonic() + CHOICE_SECONDS)
            return "choosing"
        if not await self._store.run(self._store.jobs.worked, run.job_id, ANSWERING):
            await self.ends.cut_short(run, run.ending or "erased")
            return "gone"
        run.resume = None  # else a stop would put it over ANSWERING, and the next start show "working" over the answer
        run.spent = True
        await deliver(run, self._work, page)
        return "done"

    # -- ended by others

    async def cancel(self, owner: Owner, job_id: int) -> Run | None:
        """Cancel a request of this owner: its run, or None if there was none."""
        if not await self._store.run(self._store.jobs.cancel, owner, job_id):
            return None
        waiting = self.choosing.pop(job_id, None)
        if waiting is not None:
            await self.ends.tell_held(waiting[0], end_page(waiting[0], "work.cancelled"))
            return waiting[0]
        run = self.runs.get(job_id)
        if run is not None and run.task is not None:
            run.ending = "member"
            run.task.cancel()
            await asyncio.wait([run.task])
        return run

    async def end(self, job_ids: Iterable[int]) -> None:
        """End the work on requests whose rows were erased (`Erasure` calls it)."""
        for job_id in job_ids:
            waiting = self.choosing.pop(job_id, None)
            if waiting is not None:
                await self.ends.tell(waiting[0], end_page(waiting[0], "work.cancelled.source"))
            run = self.runs.get(job_id)
            if run is not None and run.task is not None and run.ending is None:
                run.ending = "erased"
                run.task.cancel()

    async def close_choices(self, *, now: float | None = None) -> None:
        """End the choices of a face that were open for too long, and tell so."""
        now = time.monotonic() if now is None else now
        for job_id, (run, until) in list(self.choosing.items()):
            if until > now or self.choosing.pop(job_id, None) is None:
                continue
            if await self._store.run(self._store.jobs.finish, job_id, "cancelled", error="JobCancelled"):
                self.ends.tell_meanwhile(run, end_page(run, "faces.expired"))

    def held(self) -> set[int]:
        """List the ids of the requests that this process has in hand."""
        return self.runs.keys() | self.choosing.keys() | self._entering | self.ends.telling.keys()

    def place(self, job_id: int) -> Progress | None:
        """Return the latest progress of a running request; None if there is none."""
        run = self.runs.get(job_id)
        return run.follower.newest if run is not None and run.follower is not None else None

    async def close(self) -> None:
        """Accept nothing more and put back what is unfinished; the next start continues it."""
        self._closing = True
        await self.ends.close()
        tasks = [run.task for run in self.runs.values() if run.task is not None]
        for run in self.runs.values():
            run.ending = run.ending or "closing"
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.close_seconds)
