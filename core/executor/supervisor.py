"""Supervises one worker: starts it, watches it, restarts it, and knows which items it works on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Protocol

from core.errors import EgaoError, InternalError
from core.executor.item import WorkItem
from core.executor.kinds import Lane, Mode, Progress, Result
from core.executor.protocol.link import BadFrame, Launcher, Link
from core.executor.protocol.messages import (
    Answered,
    Cancel,
    Cancelled,
    Forget,
    FromWorker,
    Hold,
    NotReady,
    Ready,
    Run,
    Setup,
    Start,
    Stepped,
    Stop,
    Working,
)
from core.executor.protocol.shared import Sent
from core.executor.starved import Starved
from core.executor.stats import WorkerStats

log = logging.getLogger(__name__)
WorkerState = Literal["down", "starting", "ready"]

ON_HOLD = 1  # stepwise requests that a worker has in one lane beside those that it works on
TOGETHER = 8  # projections that a GPU does at once: one alone leaves most of it idle (core.fast.many); each holds a photo
LOOKS = 4  # the same of first looks: three on hold, and one that has precedence; each holds a photo in memory
HOPELESS = 3  # failed starts in a row after which a worker is not waited for
_HUNG = "it hung"
_SLOW_TO_CANCEL = "a cancelled request did not stop"
_STAYED = "it did not leave"
_SEVERED = "the way to it broke"
_ASLEEP = 1.0  # seconds between two looks at a worker that ought to be a tenth apart
_QUIET = 0.02  # of the silence that ends a worker: until then nothing asks how long it waited for a processor


@dataclass(frozen=True)
class Patience:
    """The seconds to wait for a worker in different situations."""

    start: float = 300.0  # to load its models
    silence: float = 120.0  # between two signs of life while it has work and a processor; longer than any step or batch
    cancel: float = 60.0  # to come to the end of the step in which its request was cancelled
    stop: float = 3.0  # to leave when asked
    backoff: float = 0.25  # before the second start that came to nothing; doubled each time, up to 30
    despair: float = 30.0  # of failing starts before waiting requests fail: three may fail in one second


class Dispatcher(Protocol):
    """What a supervisor reports to; `core.executor.executor.Executor` documents the methods."""

    def worker_ready(self, worker: Supervisor) -> None: ...
    def worker_failing(self, worker: Supervisor) -> None: ...
    def worker_lost(self, blamed: Sequence[WorkItem], bystanders: Sequence[WorkItem], hung: bool) -> None: ...
    def progressed(self, item: WorkItem, progress: Progress) -> None: ...
    def answered(self, item: WorkItem, answer: Result | EgaoError, seconds: float) -> None: ...
    def given_up(self, item: WorkItem, seconds: float) -> None: ...
    def lane_freed(self) -> None: ...


class Supervisor:
    """Keeps one worker running, restarting it after growing pauses, and knows the items it works on."""

    def __init__(
        self,
        name: str,
        device: str,
        setup: Setup,
        environment: Mapping[str, str],
        patience: Patience,
        dispatcher: Dispatcher,
        launcher: Launcher,
        serves: frozenset[Lane] = frozenset(Lane),
        relieves: frozenset[Lane] = frozenset(),
        site: str = "",
    ) -> None:
        """Prepare to run a worker, on the machine `site`, that serves the lanes `serves`.

        `relieves` are lanes of another worker, from which it takes the requests of members who had much work lately.
        """
        self.name, self.device, self.serves, self.relieves, self.site = name, device, serves, relieves, site
        self.state: WorkerState = "down"
        self.restarts = 0
        self.answered, self.work_seconds = 0, 0.0
        self.failures = 0  # starts in a row that came to nothing
        self.error: EgaoError | None = None  # why its workbench could not be made
        self.start_seconds = 10.0  # that building the workbench took the last time
        self.since = monotonic()  # when the present start was begun
        self.away = self.since  # since when no worker is ready here
        self.lanes: dict[Lane, dict[int, WorkItem]] = {lane: {} for lane in Lane}
        self._setup, self._environment = setup, environment
        self._patience, self._dispatcher, self._launcher = patience, dispatcher, launcher
        self._link: Link | None = None
        self._sent = Sent()
        self._unproductive = 0  # lives in a row that answered nothing
        self._task: asyncio.Task[None] | None = None
        self._working_on: tuple[int, ...] = ()
        self._heard = monotonic()  # the last message, or when it was given work after a pause
        self._on_hold: frozenset[int] = frozenset()  # items that others go before, of which it does no step
        self._cancelling: dict[int, float] = {}  # cancelled items, and when patience with them ends
        self._verdict = ""  # why we ended the worker, if we did
        self._closing = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._link.pid if self._link else None

    @property
    def items(self) -> dict[int, WorkItem]:
        """The items that the worker was given and has not ended, by number."""
        return {number: item for lane in self.lanes.values() for number, item in lane.items()}

    @property
    def hopeless(self) -> bool:
        """Whether the worker keeps failing to start: several times, with a reason or for a long time."""
        known = self.error is not None or monotonic() - self.away > self._patience.despair
        return self.failures >= HOPELESS and known

    def stats(self) -> WorkerStats:
        counts = self.restarts, len(self.items), self.site, self.answered, self.work_seconds
        return WorkerStats(self.name, self.device, self.state, self.pid, *counts)

    def free(self, lane: Lane) -> bool:
        able = lane in self.serves | self.relieves and self.state == "ready" and not self._closing.is_set()
        at_once = self.at_once(lane)
        most = LOOKS if lane is Lane.LOOK else at_once + ON_HOLD
        return able and len(self.going(lane)) < at_once and len(self.lanes[lane]) < most

    def at_once(self, lane: Lane) -> int:
        """Tell how many items, or batches of items, of a lane it works on at the same time."""
        return TOGETHER if lane is Lane.LONG and self.device.startswith("cuda") else 1

    def going(self, lane: Lane) -> list[WorkItem]:
        """List the items of a lane that it works on, without those on hold."""
        return [item for number, item in self.lanes[lane].items() if number not in self._on_hold]

    def assign(self, lane: Lane, items: Sequence[WorkItem]) -> None:
        """Give a free lane its next item or batch."""
        assert self._link is not None
        if not self._busy():
            self._heard, self._working_on = monotonic(), ()
        self.lanes[lane].update({item.id: item for item in items})
        for item in items:
            item.begin()
        requests, shared = zip(*(self._sent.prepare(item.request) for item in items), strict=True)
        if items[0].kind.mode is Mode.STEPS:
            self._link.send(Start(items[0].id, requests[0], shared[0]))
        else:
            self._link.send(Run(tuple(item.id for item in items), requests, shared))
        self._tell_forget(self._sent.surplus())

    def hold(self, held: Callable[[WorkItem], bool]) -> None:
        """Pause those stepwise requests for which `held` is true, and continue the others."""
        able = [item for item in self.items.values() if item.kind.mode is Mode.STEPS and item.id not in self._cancelling]
        on_hold = frozenset(item.id for item in able if held(item))
        if on_hold == self._on_hold or self._link is None:
            return
        if not self._busy():
            self._heard = monotonic()
        for item in able:
            item.hold(item.id in on_hold)
        self._on_hold = on_hold
        self._link.send(Hold(tuple(sorted(on_hold))))

    def _busy(self) -> bool:
        """Tell whether it has work that is not on hold, so that messages from it are due."""
        return not self.items.keys() <= self._on_hold

    def forget(self, data: bytes) -> None:
        """Make the worker drop bytes that requests shared."""
        self._tell_forget(self._sent.drop(data))

    def _tell_forget(self, numbers: tuple[int, ...]) -> None:
        if numbers and self._link is not None:
            self._link.send(Forget(numbers))

    def cancel(self, item: WorkItem) -> None:
        """Stop a stepwise request after its present step; if the worker is too slow for that, the worker is ended."""
        there = self._link is not None and item.id in self.items and item.id not in self._cancelling
        if there and item.kind.mode is Mode.STEPS:
            assert self._link is not None
            self._cancelling[item.id] = monotonic() + self._patience.cancel
            self._link.send(Cancel(item.id))

    def open(self) -> None:
        """Start a worker and keep one running until `close`."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Ask the worker to leave, and end it if it doesn't in time."""
        self._closing.set()
        if self._task is None:
            return
        if self._link is not None:
            self._link.send(Stop())
        _, slow = await asyncio.wait([self._task], timeout=self._patience.stop)
        if slow:
            self._end(_STAYED)
            await asyncio.wait(slow)

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._live()
            if self._closing.is_set():
                return
            self.restarts += 1
            if self.failures:
                self._dispatcher.worker_failing(self)
            if self._unproductive:
                longest = 30.0 if self.failures else 2.0
                delay = min(longest, self._patience.backoff * 2 ** min(self._unproductive - 1, 10))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), delay)

    async def _live(self) -> None:
        """Run one worker from its start to its end."""
        self.state, self._verdict, self._working_on = "starting", "", ()
        self._heard = self.since = monotonic()
        if not self.failures:
            self.away = self.since
        self.failures += 1
        self._unproductive += 1
        try:
            link = await self._launcher.launch(self.name, self._setup, self._environment)
        except OSError as error:
            log.error("%s cannot be started: %s", self.name, error)
            self.state = "down"
            return
        self._link, self._sent = link, Sent()
        if self._closing.is_set():  # meanwhile
            link.stop()
        watch = asyncio.create_task(self._watch(link))
        try:
            while (message := await link.receive()) is not None:
                self._heard = monotonic()
                self._take(message)
        except BadFrame as error:
            self._end(f"it sent nonsense: {error}")
        finally:
            watch.cancel()
            self.state = "down"
            ending = await asyncio.shield(link.finish())
            if link.severed and not self._verdict:
                self._verdict = _SEVERED
            self._link = None
            self._report(ending)
            self._report_loss()

    def _take(self, message: FromWorker) -> None:
        match message:
            case Ready():
                self.state, self.start_seconds, self.failures = "ready", monotonic() - self.since, 0
                self.error = None
                self._dispatcher.worker_ready(self)
            case NotReady(error):
                self.error = error if isinstance(error, EgaoError) else InternalError()
                self._verdict = "the workbench could not be made"
            case Working(items):
                self._working_on = items
            case Stepped(number, progress, seconds):
                if (item := self.items.get(number)) is not None:
                    item.worked = _believed(seconds, item)
                    self._dispatcher.progressed(item, progress)
            case Answered():
                self._unproductive = 0
                self._take_answer(message)
            case Cancelled(number, seconds):
                if (item := self._release(number)) is not None:
                    self._dispatcher.given_up(item, _believed(seconds, item))
                self._dispatcher.lane_freed()

    def _take_answer(self, message: Answered) -> None:
        item = self._release(message.item)
        if item is None:
            return
        answer = message.answer
        if not isinstance(answer, item.kind.answer | EgaoError):
            log.error("%s answered a %s with %s", self.name, item.kind.name, type(answer).__name__)
            answer = InternalError()
        seconds = _believed(message.seconds, item)
        self.answered, self.work_seconds = self.answered + 1, self.work_seconds + seconds
        self._dispatcher.answered(item, answer, seconds)
        if not self.going(item.lane):
            self._dispatcher.lane_freed()

    def _release(self, number: int) -> WorkItem | None:
        self._cancelling.pop(number, None)
        self._on_hold -= {number}
        for lane in self.lanes.values():
            if number in lane:
                return lane.pop(number)
        return None

    async def _watch(self, link: Link) -> None:
        """End a worker that is silent for too long, and notice the end of one whose children keep its socket open."""
        patience, looked, starved, heard = self._patience, monotonic(), Starved(link.pid), 0.0
        while True:
            await asyncio.sleep(0.1)
            now = monotonic()
            if (slept := now - looked) > _ASLEEP:
                # this process did not run (a suspended machine, a starved one), so it could not hear anything either
                self._heard += slept
                self._cancelling = {number: end + slept for number, end in self._cancelling.items()}
            looked = now
            if heard != self._heard:
                heard = self._heard
                starved.begin()
            silence = now - heard
            if self._busy() and silence > patience.silence * _QUIET:
                silence -= starved.seconds()
            if not link.alive():
                link.stop()
            elif self.state == "starting" and now - self._heard > patience.start:
                self._end("it did not start")
            elif self._busy() and silence > patience.silence:
                self._end(_HUNG)
            elif any(now > end for end in self._cancelling.values()):
                self._end(_SLOW_TO_CANCEL)

    def _end(self, verdict: str) -> None:
        self._verdict = self._verdict or verdict
        if self._link is not None:
            self._link.stop()

    def _report(self, ending: str) -> None:
        if self._closing.is_set():
            log.debug("%s left (%s)", self.name, ending.partition("\n")[0])
            return
        status, _, output = ending.partition("\n")
        log.warning("%s ended: %s %s\n%s", self.name, status, self._verdict, output)

    def _report_loss(self) -> None:
        """Report the items of an ended worker. Those that it said it was working on are blamed, unless it was slow to cancel,
        was asked to leave, or the way to it broke.
        """
        items = self.items
        self.lanes = {lane: {} for lane in Lane}
        self._cancelling.clear()
        self._on_hold = frozenset()
        guilty = set() if self._verdict in (_SLOW_TO_CANCEL, _STAYED, _SEVERED) else set(self._working_on)
        blamed = [item for number, item in items.items() if number in guilty]
        bystanders = [item for number, item in items.items() if number not in guilty]
        self._dispatcher.worker_lost(blamed, bystanders, self._verdict == _HUNG)


def _believed(seconds: float, item: WorkItem) -> float:
    """Limit the seconds of work that a worker reports for an item to 0..the time since the item was begun."""
    elapsed = monotonic() - (item.started or monotonic())
    return min(seconds, elapsed) if seconds >= 0 else 0.0  # no number is not at least 0 either
