"""The executor: accepts requests, has workers do them, and gives each exactly one answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from time import monotonic
from typing import Self, TypeVar, cast

from core.errors import EgaoError, JobCancelled, JobTimedOut, QueueFull, ShuttingDown, WaitTooLong, WorkerDied
from core.executor.admission import Capacity, crowd, whole_seconds
from core.executor.devices import devices
from core.executor.estimate import Estimates
from core.executor.fleet import Fleet, Site
from core.executor.item import OnProgress, WorkItem
from core.executor.kinds import Asks, Cost, Lane, Mode, Progress, Request, Result
from core.executor.pool import Pool, make_pool, why_unserved
from core.executor.precedence import LINGERS, Precedence
from core.executor.protocol.link import Launcher
from core.executor.protocol.wire import fits
from core.executor.queue import Tenant
from core.executor.schedule import Schedule
from core.executor.spending import Spending
from core.executor.stats import Stats, Tally
from core.executor.supervisor import HOPELESS, Patience, Supervisor
from core.executor.worker.process import ProcessLauncher
from core.settings import Settings

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)
_TELL_EVERY = 0.2  # seconds between two rounds of telling people their place
_MOST_DEATHS = 5  # deaths of workers that an item may see without being blamed


class Executor:
    """The executor of a bot: `async with Executor(settings) as executor: result = await executor.submit(request, owner)`.

    It is the dispatcher of its workers (core.executor.supervisor): every free lane gets the next items of the schedule. Call
    all methods on the event loop that `start` was called on.
    """

    def __init__(
        self,
        settings: Settings,
        workbench: str = "core.workbench:create",
        *,
        devices: Sequence[str] | None = None,
        capacity: Capacity | None = None,
        patience: Patience | None = None,
        costs: Mapping[str, Cost] | None = None,
        split: bool | None = None,
        launcher: Launcher | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        """Prepare the executor without starting workers.

        `workbench` names a factory as "module:function". There is one worker for each of the `devices`; None finds them at
        the start. `split` makes it two workers, one for quick requests and one, of lower priority, for projections, so that a
        picture does not wait for the end of a step; None splits on a CPU and not on a GPU. `costs` replace the kinds' own, by
        name. `launcher` starts the workers; None starts processes. With a `fleet`, its sites replace `devices` and `launcher`.
        """
        self._settings, self._workbench = settings, workbench
        self._devices = devices
        self._launcher = launcher or ProcessLauncher()
        self._fleet = fleet
        self._capacity, self._patience = capacity or Capacity(), patience or Patience()
        self._estimates = Estimates(costs)
        self._schedule = Schedule(self._estimates, self._capacity.pictures)
        memory, patient = self._capacity.memory, self._patience
        self._pool = Pool(partial(make_pool, settings, workbench, count(), split, memory, patient, self), self._pump)
        self._workers = self._pool.workers
        self._items: dict[int, WorkItem] = {}  # unfinished
        self._tallies: dict[str, Tally] = {}
        self.spending = Spending()  # recent work for members and servers
        self._precedence = Precedence(self.spending, self._schedule.seconds)
        self._looking: asyncio.TimerHandle | None = None
        self._cancelled = self._refused = 0
        self._closing = False
        self._started: asyncio.Future[None] | None = None
        self._idle = asyncio.Event()
        self._telling: asyncio.TimerHandle | None = None
        self._told = 0.0

    # -- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the workers and wait until the first is ready. Raises what its workbench raised, or WorkerDied.

        Workers of a fleet are not waited for: its sites come and go, and requests wait for them.
        """
        if self._fleet is not None:
            await self._fleet.open(self._pool.rearrange)
            return
        self._started = asyncio.get_running_loop().create_future()
        names = self._devices if self._devices is not None else await asyncio.to_thread(devices, self._settings)
        self._pool.rearrange([Site("", tuple((name, self._launcher) for name in names))])
        try:
            await asyncio.shield(self._started)
        except BaseException:
            await self.close(0)
            raise

    async def close(self, grace: float = 10.0) -> None:
        """Accept no more work, let running work finish within `grace` seconds, and stop the workers.

        Requests that wait or can't finish in that time end with ShuttingDown; the last checkpoint of a projection was given
        to its callback before.
        """
        self._closing = True
        for worker in self._workers:
            worker.hold(lambda item: False)
        for item, place in self._schedule.forecast(self._workers).items():
            if place.place or place.eta_seconds > grace:
                self._abandon(item, ShuttingDown())
        if not self._items:
            self._rest()
        try:
            await asyncio.wait_for(self._idle.wait(), grace)
        except TimeoutError:
            for item in list(self._items.values()):
                self._abandon(item, ShuttingDown())
        for timer in (self._telling, self._looking):
            if timer is not None:
                timer.cancel()
        await self._pool.close()
        await self._launcher.close()
        if self._fleet is not None:
            await self._fleet.close()

    # -- work

    async def submit(
        self, request: Asks[Answer], owner: Tenant, on_progress: OnProgress | None = None, *, longest_wait: float | None = None
    ) -> Answer:
        """Submit with `enqueue` and wait for the result. Cancelling the awaiting task cancels the request.

        Raises the request's EgaoError, and as `enqueue` does.
        """
        item = self.enqueue(request, owner, on_progress, longest_wait=longest_wait)
        try:
            return cast(Answer, await item.result())
        except asyncio.CancelledError:
            self.cancel(item)
            raise

    def forget(self, data: bytes) -> None:
        """Make every worker drop bytes that requests shared, such as a photo, once no further request will carry them.

        Only this very object is dropped; an equal one of another request stays.
        """
        for worker in self._workers:
            worker.forget(data)

    def enqueue(
        self, request: Request, owner: Tenant, on_progress: OnProgress | None = None, *, longest_wait: float | None = None
    ) -> WorkItem:
        """Accept a request. Raises QueueFull, ShuttingDown or WorkerDied if it is refused, TypeError or BadFrame if it is none.

        `on_progress` is called on the event loop after each step, and whenever its place changes while it waits.
        `longest_wait` (seconds until the result) replaces that of the capacity.
        """
        if self._closing:
            raise ShuttingDown
        fits(request)
        item = WorkItem(request, owner, on_progress)
        if (error := why_unserved(self._workers, item.lane)) is not None:
            raise error
        found = crowd(item, self._items.values(), len(self._schedule), self._capacity)
        if found is not None:
            raise self._refusal(item, found.refusal(self._schedule.forecast(self._workers)))
        self._items[item.id] = item
        self._precedence.came(item)
        self._schedule.push(item)
        longest = self._capacity.longest_wait if longest_wait is None else longest_wait
        if longest is not None and (wait := self._schedule.forecast(self._workers)[item].eta_seconds) > longest:
            self._schedule.remove(item)
            del self._items[item.id]
            self._precedence.left(item)
            raise self._refusal(item, WaitTooLong(seconds=whole_seconds(wait - longest)))
        self._pump()
        return item

    def _refusal(self, item: WorkItem, error: QueueFull) -> QueueFull:
        self._refused += 1
        held = sum(one.size for one in self._items.values())
        counts = (item.kind.name, error.code, len(self._schedule), len(self._items), held >> 20, error.facts["seconds"])
        log.info("a %s is refused: %s (%d waiting, %d unfinished, %d MiB; again in %s s)", *counts)
        return error

    def cancel(self, item: WorkItem) -> bool:
        """End a request with JobCancelled; False if it has ended. A running one stops after its present step."""
        if item.done:
            return False
        self._abandon(item, JobCancelled())
        self._pump()
        return True

    def stats(self) -> Stats:
        """Return the counters since the start, and the present state."""
        workers = [worker.stats() for worker in self._workers]
        oldest = min((item.submitted for item in self._items.values()), default=None)
        return Stats(
            waiting={lane.value: self._schedule.waiting(lane) for lane in Lane},
            running=sum(worker.running for worker in workers),
            done=sum(tally.done for tally in self._tallies.values()),
            failed=sum(tally.failed for tally in self._tallies.values()),
            cancelled=self._cancelled,
            refused=self._refused,
            restarts=sum(worker.restarts for worker in workers),
            oldest_seconds=0.0 if oldest is None else monotonic() - oldest,
            kinds={kind: replace(tally) for kind, tally in self._tallies.items()},
            costs=self._estimates.table(),
            workers=workers,
        )

    # -- inside

    def _pump(self) -> None:
        """Give every free lane of every worker its next work, beginning with the least busy worker."""
        if not self._closing:
            self._precedence.look()
            for worker in self._workers:
                worker.hold(self._precedence.waits)
            for lane in Lane:
                while self._schedule.waiting(lane) and self._give(lane):
                    pass
                if not any(worker.lanes[lane] for worker in self._workers):
                    self._schedule.rest(lane)
            self._look_again()
        self._tell_soon()

    def _give(self, lane: Lane) -> bool:
        """Give the next item or batch of a lane to the least busy worker that is free for it; False if there is none."""
        for worker in sorted((one for one in self._workers if one.free(lane)), key=lambda one: len(one.items)):
            if batch := self._schedule.take(lane, partial(self._may, worker)):
                worker.assign(lane, batch)
                return True
        return False

    def _may(self, worker: Supervisor, item: WorkItem) -> bool:
        """Tell whether this worker should begin this item now."""
        if self._precedence.waits(item):
            return False
        if self._precedence.takes_much(item) and any(item.lane in one.relieves for one in self._workers):
            return item.lane in worker.relieves
        return item.lane in worker.serves

    def _look_again(self) -> None:
        """Call `_pump` again soon while anything is unfinished: who has precedence now may then be gone, or have had as much."""
        if self._looking is None and self._items:
            self._looking = asyncio.get_running_loop().call_later(LINGERS, self._looked)

    def _looked(self) -> None:
        self._looking = None
        self._pump()

    def _abandon(self, item: WorkItem, error: EgaoError) -> None:
        """End a request early with an error, wherever it is."""
        self._schedule.remove(item)
        for worker in self._workers:
            worker.cancel(item)
        if isinstance(error, JobCancelled):
            self._cancelled += 1
        self._finish(item, error)

    def _finish(self, item: WorkItem, answer: Result | EgaoError) -> None:
        if item.finish(answer):
            del self._items[item.id]
            self._precedence.left(item)
            if not self._items:
                self._rest()

    def _settle(self, item: WorkItem, answer: Result | EgaoError, work: float = 0.0) -> None:
        """Give a request the answer or the error of its work, and count it."""
        self._precedence.answered(item)
        if item.done:
            return
        now = monotonic()
        waited, elapsed = (item.started or now) - item.submitted, now - item.submitted
        self._tallies.setdefault(item.kind.name, Tally()).add(not isinstance(answer, EgaoError), work, waited, elapsed)
        self._finish(item, answer)

    def _charge(self, item: WorkItem, seconds: float) -> None:
        """Charge `seconds` of work to an item's owner: for the fair queue, and for the limits of member and server."""
        self._schedule.settle(item, seconds)
        self.spending.charge(item.owner, seconds)

    def _rest(self) -> None:
        """Note that nothing is unfinished: stop looking, and wake `close`."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._closing:
            self._idle.set()

    def _tell_soon(self) -> None:
        """Tell waiting people their places soon: at once, unless that was done just before."""
        if self._telling is None and len(self._schedule):
            wait = max(0.0, self._told + _TELL_EVERY - monotonic())
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell)

    def _tell(self) -> None:
        self._telling, self._told = None, monotonic()
        for item, place in self._schedule.forecast(self._workers).items():
            if place.place and place.place != item.place:
                item.place = place.place
                item.tell(Progress(0, 0, place.eta_seconds, place=place.place))

    # -- what the supervisors report

    def worker_ready(self, worker: Supervisor) -> None:
        """Give work to a worker that has built its workbench."""
        if self._started is not None and not self._started.done():
            self._started.set_result(None)
        self._pump()

    def worker_failing(self, worker: Supervisor) -> None:
        """Handle a worker that fails to start.

        During `start` that ends it; later, waiting requests fail while it keeps trying.
        """
        if (
            self._started is not None
            and not self._started.done()
            and all(worker.error or worker.failures >= HOPELESS for worker in self._workers)
        ):
            self._started.set_exception(worker.error or WorkerDied())
        for item in list(self._items.values()):
            if (error := why_unserved(self._workers, item.lane)) is not None:
                self._schedule.remove(item)
                self._settle(item, error)

    def progressed(self, item: WorkItem, progress: Progress) -> None:
        """Pass on the progress of an item."""
        item.step(progress)

    def answered(self, item: WorkItem, answer: Result | EgaoError, seconds: float) -> None:
        """Give the answer of an item, after `seconds` of work, to whoever asked."""
        if seconds > 0 and not isinstance(answer, EgaoError):
            units = item.units if item.kind.mode is Mode.STEPS else self._estimates.units(item.request)
            self._estimates.observe(item.request, units, seconds, monotonic() - (item.started or monotonic()))
        self._charge(item, seconds)
        self._settle(item, answer, seconds)

    def given_up(self, item: WorkItem, seconds: float) -> None:
        """Handle an item that has stopped after `seconds` of work: it was cancelled, or gives way and continues later."""
        self._charge(item, seconds)
        if self._closing:
            self._finish(item, ShuttingDown())
        elif not item.done:
            self._schedule.put_back(item)

    def lane_freed(self) -> None:
        """Begin waiting work, because a lane of a worker is idle."""
        self._pump()

    def worker_lost(self, blamed: Sequence[WorkItem], bystanders: Sequence[WorkItem], hung: bool) -> None:
        """Handle the end of a worker.

        Items `blamed` for it are tried once more, each as the only work of a worker; bystanders are queued again. An item with
        no attempt left fails with WorkerDied, the only one blamed for a `hung` worker with JobTimedOut.
        """
        for item in blamed:
            item.attempts += 1
        again = []
        for item in blamed:  # it had the worker to itself; for the others the estimate stands
            self._charge(item, monotonic() - (item.started or monotonic()))
        for item in (*blamed, *bystanders):
            item.deaths += not blamed
            if self._closing:
                self._finish(item, ShuttingDown())
            elif hung and blamed == [item]:
                self._settle(item, JobTimedOut(seconds=round(self._patience.silence)))
            elif item.attempts >= self._capacity.attempts or item.deaths >= _MOST_DEATHS:
                self._settle(item, WorkerDied(own=item.attempts >= self._capacity.attempts))  # alone, and again: by this item
            elif not item.done:
                item.alone = item.alone or item in blamed
                again.append(item)
        for item in reversed(again):
            self._schedule.put_back(item)
        self._pump()
