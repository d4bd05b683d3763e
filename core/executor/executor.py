"""The executor: takes requests, has them done in worker processes, and gives every one of them exactly one answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic
from typing import Self, TypeVar, cast

from core.errors import EgaoError, JobCancelled, JobTimedOut, ShuttingDown, WorkerDied
from core.executor.crew import hire, lost
from core.executor.devices import devices
from core.executor.door import Limits, crowded, refusal, too_long
from core.executor.estimate import DEFAULTS, Estimates, Start
from core.executor.job import Job, Lane, OnProgress, Place
from core.executor.plan import Plan
from core.executor.queue import Owner
from core.executor.requests import Asks, Progress, Request, Result
from core.executor.seat import HOPELESS, Patience, Seat
from core.executor.stats import Stats, Tally
from core.executor.wire import Done
from core.settings import Settings

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)
_TELL_EVERY = 0.2  # seconds between two rounds of telling people their place
_MOST_DEATHS = 5  # workers that may die around a job with nobody to blame


class Executor:
    """`async with Executor(settings) as executor: result = await executor.submit(request, owner)`.

    All methods are to be called on the event loop that `start` was called on.
    """

    def __init__(
        self,
        settings: Settings,
        workbench: str = "core.workbench:create",
        *,
        devices: Sequence[str] | None = None,
        limits: Limits | None = None,
        patience: Patience | None = None,
        estimates: Mapping[str, Start] = DEFAULTS,
        split: bool | None = None,
    ) -> None:
        """`workbench` names a factory as "module:function"; `devices` are found out at the start if None.

        There is one worker for each device. `split` makes it two, one for what is quick and one, standing back, for
        projections, so that a picture does not wait for the end of a step: None means on a processor, not on a GPU.
        """
        self._settings = settings
        self._workbench = workbench
        self._devices = devices
        self._split = split
        self._limits, self._patience = limits or Limits(), patience or Patience()
        self._estimates = Estimates(estimates)
        self._plan = Plan(self._estimates, self._limits.pictures)
        self._seats: list[Seat] = []
        self._jobs: dict[int, Job] = {}  # unfinished
        self._tallies: dict[str, Tally] = {}
        self._cancelled = self._refused = 0
        self._closing = False
        self._started: asyncio.Future[None] | None = None
        self._idle = asyncio.Event()
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="egao-spawn")
        self._telling: asyncio.TimerHandle | None = None
        self._told = 0.0

    # -- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the workers and wait for the first. Raises what its workbench raised, or WorkerDied."""
        self._started = asyncio.get_running_loop().create_future()
        names = self._devices if self._devices is not None else await asyncio.to_thread(devices, self._settings)
        self._seats = hire(
            self._settings, self._workbench, names, self._split, self._limits.memory, self._patience, self, self._spawner
        )
        for seat in self._seats:
            seat.open()
        try:
            await asyncio.shield(self._started)
        except BaseException:
            await self.close(0)
            raise

    async def close(self, grace: float = 10.0) -> None:
        """Take no more work, let what is running finish within `grace` seconds, and stop the workers.

        What waits, and what cannot be done in that time, ends with ShuttingDown; a projection's last checkpoint has
        been given to its callback before.
        """
        self._closing = True
        forecast = self._plan.forecast(self._seats)
        for job, place in forecast.items():
            if place.place or place.eta_seconds > grace:
                self._abandon(job, ShuttingDown())
        self._look_if_idle()
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            for job in list(self._jobs.values()):
                self._abandon(job, ShuttingDown())
        await asyncio.gather(*(seat.leave() for seat in self._seats))
        if self._telling is not None:
            self._telling.cancel()
        await asyncio.to_thread(self._spawner.shutdown)

    # -- work

    async def submit(
        self, request: Asks[Answer], owner: Owner, on_progress: OnProgress | None = None, *,
        longest_wait: float | None = None, guild_share: int | None = None,
    ) -> Answer:  # fmt: skip
        """`enqueue` and wait for the result. Cancelling the awaiting task cancels the job."""
        job = self.enqueue(cast(Request, request), owner, on_progress, longest_wait=longest_wait, guild_share=guild_share)
        try:
            return cast(Answer, await job.result())
        except asyncio.CancelledError:
            self.cancel(job)
            raise

    def enqueue(
        self, request: Request, owner: Owner, on_progress: OnProgress | None = None, *,
        longest_wait: float | None = None, guild_share: int | None = None,
    ) -> Job:  # fmt: skip
        """Take in a request, or refuse it at the door with QueueFull, ShuttingDown or WorkerDied.

        `on_progress` is called on the event loop with each step, and with each change of place while it waits.
        `longest_wait` (seconds until the result) and `guild_share` (unfinished jobs) replace those of the limits.
        """
        if self._closing:
            raise ShuttingDown
        job = Job(request, owner, on_progress)
        if (error := lost(self._seats, job.lane)) is not None:
            raise error
        share = self._limits.per_guild if guild_share is None else guild_share
        blockers = crowded(job, self._jobs.values(), len(self._plan), share, self._limits)
        if blockers is not None:
            self._refused += 1
            raise refusal(blockers, self._plan.forecast(self._seats))
        self._jobs[job.id] = job
        self._plan.push(job)
        longest = self._limits.longest_wait if longest_wait is None else longest_wait
        if longest is not None and (wait := self._plan.forecast(self._seats)[job].eta_seconds) > longest:
            self._plan.remove(job)
            del self._jobs[job.id]
            self._refused += 1
            raise too_long(wait - longest)
        self._pump()
        return job

    def cancel(self, job: Job) -> bool:
        """End a job with JobCancelled: at once if it waits, else its worker stops after the step it is in."""
        if job.done:
            return False
        self._abandon(job, JobCancelled())
        self._pump()
        return True

    def cancel_owned(self, match: Callable[[Owner], bool]) -> int:
        """Cancel all jobs whose owner matches: a member's who has gone, a guild's that was left."""
        return sum(self.cancel(job) for job in list(self._jobs.values()) if match(job.owner))

    def place(self, job: Job) -> Place | None:
        """Where a job stands and when it will be done; None once it is."""
        return None if job.done else self._plan.forecast(self._seats).get(job)

    def stats(self) -> Stats:
        workers = [seat.stats() for seat in self._seats]
        oldest = min((job.submitted for job in self._jobs.values()), default=None)
        return Stats(
            waiting={lane.value: self._plan.waiting(lane) for lane in Lane},
            running=sum(worker.running for worker in workers),
            done=sum(tally.done for tally in self._tallies.values()),
            failed=sum(tally.failed for tally in self._tallies.values()),
            cancelled=self._cancelled,
            refused=self._refused,
            restarts=sum(worker.restarts for worker in workers),
            oldest_seconds=0.0 if oldest is None else monotonic() - oldest,
            kinds={kind: replace(tally) for kind, tally in self._tallies.items()},
            lines=self._estimates.table(),
            workers=workers,
        )

    # -- inside

    def _pump(self) -> None:
        """Give every free lane of every worker its next work; the least busy worker first."""
        if not self._closing:
            for lane in Lane:
                for seat in sorted(self._seats, key=lambda seat: len(seat.jobs)):
                    if seat.free(lane) and (batch := self._plan.take(lane)):
                        seat.assign(lane, batch, self._plan.units(batch))
                if not any(seat.lanes[lane] for seat in self._seats):
                    self._plan.rest(lane)
        self._tell_soon()

    def _abandon(self, job: Job, error: EgaoError) -> None:
        """End a job before its time, wherever it is."""
        self._plan.remove(job)
        for seat in self._seats:
            seat.drop(job)
        if isinstance(error, JobCancelled):
            self._cancelled += 1
        self._finish(job, error)

    def _finish(self, job: Job, answer: Result | EgaoError) -> None:
        if job.finish(answer):
            del self._jobs[job.id]
            self._look_if_idle()

    def _settle(self, job: Job, answer: Result | EgaoError, work: float = 0.0) -> None:
        """Give a job the answer of its work, or the reason why there is none, and count it."""
        if job.done:
            return
        now = monotonic()
        waited, elapsed = (job.started or now) - job.submitted, now - job.submitted
        self._tallies.setdefault(job.kind, Tally()).add(not isinstance(answer, EgaoError), work, waited, elapsed)
        self._finish(job, answer)

    def _look_if_idle(self) -> None:
        if self._closing and not self._jobs:
            self._idle.set()

    def _tell_soon(self) -> None:
        """Tell people their place, at once if that was not done just before."""
        if self._telling is None and len(self._plan):
            wait = max(0.0, self._told + _TELL_EVERY - monotonic())
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._telling, self._told = None, monotonic()
        for job, place in self._plan.forecast(self._seats).items():
            if place.place and place.place != job.place:
                job.place = place.place
                job.tell(Progress(0, 0, place.eta_seconds, place=place.place))

    # -- what the seats report

    def ready(self, seat: Seat) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(None)
        self._pump()

    def failing(self, seat: Seat) -> None:
        """A worker does not come up. At the start that is the end; later, people are told and it goes on trying."""
        if (
            self._started is not None
            and not self._started.done()
            and all(seat.error or seat.failures >= HOPELESS for seat in self._seats)
        ):
            self._started.set_exception(seat.error or WorkerDied())
        for job in list(self._jobs.values()):
            if (error := lost(self._seats, job.lane)) is not None:
                self._plan.remove(job)
                self._settle(job, error)

    def progressed(self, job: Job, progress: Progress) -> None:
        job.step(progress)

    def answered(self, job: Job, done: Done, units: int) -> None:
        if done.seconds > 0 and not isinstance(done.answer, EgaoError):
            elapsed = monotonic() - (job.started or monotonic())
            self._estimates.observe(job.request, units, done.seconds, elapsed)
        self._settle(job, done.answer, done.seconds)

    def freed(self) -> None:
        self._pump()

    def bereaved(self, blamed: Sequence[Job], bystanders: Sequence[Job], hung: bool) -> None:
        """A worker is gone. Those it went down by are tried once more, alone; the others simply again."""
        for job in blamed:
            job.attempts += 1
        again = []
        for job in (*blamed, *bystanders):
            job.deaths += not blamed
            if self._closing:
                self._finish(job, ShuttingDown())
            elif hung and blamed == [job]:
                self._settle(job, JobTimedOut(seconds=round(self._patience.silence)))
            elif job.attempts >= self._limits.attempts or job.deaths >= _MOST_DEATHS:
                self._settle(job, WorkerDied())
            elif not job.done:
                job.alone = job.alone or job in blamed
                again.append(job)
        for job in reversed(again):
            self._plan.put_back(job)
        self._pump()
