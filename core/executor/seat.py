"""A worker's seat: the one place on a device, taken by one process after another, with the jobs it is working on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Protocol

from core.errors import EgaoError
from core.executor.job import Job, Lane
from core.executor.process import Process, describe
from core.executor.requests import Animate, Progress, Project
from core.executor.starved import Starved
from core.executor.stats import WorkerStats
from core.executor.wire import At, BadFrame, Begin, Done, Drop, Dropped, Quick, Ready, Setup, Step, Stop, Unready

log = logging.getLogger(__name__)
State = Literal["down", "starting", "ready"]


HOPELESS = 3  # starts in a row that come to nothing
_ASLEEP = 1.0  # seconds between two looks at a worker that ought to be a tenth apart


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, a worker is waited for."""

    start: float = 300.0  # to load its models
    silence: float = 120.0  # between two signs of life while it has work and a processor; longer than any step or batch
    cancel: float = 60.0  # to come to the end of the step in which its job was cancelled
    stop: float = 3.0  # to leave when asked
    backoff: float = 0.25  # before the second start that came to nothing; doubled each time, up to 30
    despair: float = 30.0  # with starts that come to nothing, before those who wait are told: one second may see three


class Office(Protocol):
    """Where a seat reports."""

    def ready(self, seat: Seat) -> None: ...
    def progressed(self, job: Job, progress: Progress) -> None: ...
    def answered(self, job: Job, done: Done, units: int) -> None: ...
    def freed(self) -> None: ...
    def bereaved(self, blamed: Sequence[Job], bystanders: Sequence[Job], hung: bool) -> None: ...
    def failing(self, seat: Seat) -> None: ...


class Seat:
    def __init__(
        self,
        name: str,
        device: str,
        setup: Setup,
        environment: Mapping[str, str],
        patience: Patience,
        office: Office,
        spawner: ThreadPoolExecutor,
        serves: frozenset[Lane] = frozenset(Lane),
    ) -> None:
        self.name, self.device, self.serves = name, device, serves
        self.state: State = "down"
        self.restarts = 0
        self.failures = 0  # starts in a row that came to nothing
        self.error: EgaoError | None = None  # what its workbench could not be made for
        self.start_seconds = 10.0  # that building the workbench took the last time
        self.since = monotonic()  # when the present start was begun
        self.away = self.since  # since when nobody is ready here
        self.lanes: dict[Lane, dict[int, Job]] = {lane: {} for lane in Lane}
        self._setup, self._environment = setup, environment
        self._patience, self._office, self._spawner = patience, office, spawner
        self._process: Process | None = None
        self._fruitless = 0  # lives in a row that answered nothing
        self._task: asyncio.Task[None] | None = None
        self._units = 0  # in the batch of the quick lane
        self._at: tuple[int, ...] = ()
        self._heard = monotonic()
        self._doomed: dict[int, float] = {}  # cancelled jobs, and when patience with them ends
        self._verdict = ""  # why we ended the process, if we did
        self._leaving = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def jobs(self) -> dict[int, Job]:
        return {number: job for lane in self.lanes.values() for number, job in lane.items()}

    @property
    def hopeless(self) -> bool:
        """Whether no worker comes up here: start after start says why, or has come to nothing for long."""
        known = self.error is not None or monotonic() - self.away > self._patience.despair
        return self.failures >= HOPELESS and known

    def stats(self) -> WorkerStats:
        return WorkerStats(self.name, self.device, self.state, self.pid, self.restarts, len(self.jobs))

    def free(self, lane: Lane) -> bool:
        able = lane in self.serves and self.state == "ready" and not self._leaving.is_set()
        return able and not self.lanes[lane]

    def assign(self, lane: Lane, jobs: Sequence[Job], units: int) -> None:
        """Give a free lane its next job, or its next batch."""
        assert self._process is not None
        if not self.jobs:
            self._heard, self._at = monotonic(), ()
        self.lanes[lane] = {job.id: job for job in jobs}
        for job in jobs:
            job.begin()
        if lane is Lane.QUICK:
            self._units = units
            self._process.send(Quick(tuple(job.id for job in jobs), tuple(job.request for job in jobs)))
        else:
            assert isinstance(jobs[0].request, Project | Animate)
            self._process.send(Begin(jobs[0].id, jobs[0].request))

    def drop(self, job: Job) -> None:
        """Have a stepwise job stopped between two steps, or its worker ended if it does not get there in time."""
        if self._process is not None and job.id in self.jobs and job.lane is not Lane.QUICK:
            self._doomed[job.id] = monotonic() + self._patience.cancel
            self._process.send(Drop(job.id))

    def open(self) -> None:
        """Put a process in the seat and keep one there until `leave`."""
        self._task = asyncio.create_task(self._run())

    async def leave(self) -> None:
        """Ask the process to go, and see to it that it goes."""
        self._leaving.set()
        if self._task is None:
            return
        if self._process is not None:
            self._process.send(Stop())
        _, slow = await asyncio.wait([self._task], timeout=self._patience.stop)
        if slow:
            self._end("it did not leave")
            await asyncio.wait(slow)

    async def _run(self) -> None:
        while not self._leaving.is_set():
            await self._live()
            if self._leaving.is_set():
                return
            self.restarts += 1
            if self.failures:
                self._office.failing(self)
            if self._fruitless:
                longest = 30.0 if self.failures else 2.0
                delay = min(longest, self._patience.backoff * 2 ** min(self._fruitless - 1, 10))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._leaving.wait(), delay)

    async def _live(self) -> None:
        """One process from its start to its end."""
        self.state, self._verdict, self._at = "starting", "", ()
        self._heard = self.since = monotonic()
        if not self.failures:
            self.away = self.since
        self.failures += 1
        self._fruitless += 1
        try:
            process = await Process.start(self.name, self._setup, self._environment, self._spawner)
        except OSError as error:
            log.error("%s cannot be started: %s", self.name, error)
            self.state = "down"
            return
        self._process = process
        if self._leaving.is_set():  # meanwhile
            process.kill()
        watch = asyncio.create_task(self._watch(process))
        try:
            while (message := await process.read()) is not None:
                self._heard = monotonic()
                self._take(message)
        except BadFrame as error:
            self._end(f"it sent nonsense: {error}")
        finally:
            watch.cancel()
            self.state = "down"
            status = await asyncio.shield(process.finish())
            self._process = None
            self._report(process, status)
            self._bereave()

    def _take(self, message: object) -> None:
        match message:
            case Ready(seconds):
                self.state, self.start_seconds, self.failures = "ready", seconds, 0
                self.error = None
                self._office.ready(self)
            case Unready(error):
                self.error = error
                self._verdict = "the workbench could not be made"
            case At(jobs):
                self._at = jobs
            case Step(number, progress):
                if (job := self.jobs.get(number)) is not None:
                    self._office.progressed(job, progress)
            case Done(number):
                self._fruitless = 0
                self._answered(message)
            case Dropped(number):
                self._release(number)
                self._office.freed()

    def _answered(self, done: Done) -> None:
        job = self._release(done.job)
        if job is None:
            return
        self._office.answered(job, done, self._units if job.lane is Lane.QUICK else job.units)
        if not self.lanes[job.lane]:
            self._office.freed()

    def _release(self, number: int) -> Job | None:
        self._doomed.pop(number, None)
        for lane in self.lanes.values():
            if number in lane:
                return lane.pop(number)
        return None

    async def _watch(self, process: Process) -> None:
        """End a process that is silent for too long, and notice the end of one whose children hold its socket."""
        patience, looked, starved, heard = self._patience, monotonic(), Starved(process.pid), 0.0
        while True:
            await asyncio.sleep(0.1)
            now = monotonic()
            if (slept := now - looked) > _ASLEEP:
                # this process did not run (a suspended machine, a starved one), so it could not hear anything either
                self._heard += slept
                self._doomed = {number: end + slept for number, end in self._doomed.items()}
            looked = now
            if heard != self._heard:
                heard = self._heard
                starved.begin()
            silence = now - heard - (starved.seconds() if self.jobs else 0.0)
            if process.gone():
                process.kill()
            elif self.state == "starting" and now - self._heard > patience.start:
                self._end("it did not start")
            elif self.jobs and silence > patience.silence:
                self._end("it hung")
            elif any(now > end for end in self._doomed.values()):
                self._end("a cancelled job did not stop")

    def _end(self, verdict: str) -> None:
        self._verdict = self._verdict or verdict
        if self._process is not None:
            self._process.kill()

    def _report(self, process: Process, status: int) -> None:
        if self._leaving.is_set():
            log.debug("%s left (%s)", self.name, describe(status))
            return
        words = "\n".join(process.last_words)
        log.warning("%s ended: %s %s\n%s", self.name, describe(status), self._verdict, words)

    def _bereave(self) -> None:
        """Tell whose fault it was: the jobs that the worker said it was at; a slow canceller has been answered."""
        jobs = self.jobs
        self.lanes = {lane: {} for lane in Lane}
        self._doomed.clear()
        guilty = set() if self._verdict == "a cancelled job did not stop" else set(self._at)
        blamed = [job for number, job in jobs.items() if number in guilty]
        bystanders = [job for number, job in jobs.items() if number not in guilty]
        self._office.bereaved(blamed, bystanders, self._verdict == "it hung")
