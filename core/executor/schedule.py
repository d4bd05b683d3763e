"""Schedules waiting items: which is next, in which batch, and when. Dispatch and forecasts use the same rules."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Final

from core.executor.estimate import Estimates
from core.executor.item import Place, WorkItem
from core.executor.kinds import Lane, Mode
from core.executor.queue import FairQueue
from core.executor.supervisor import Supervisor

# Of one batch, as estimated. Whoever comes next waits for all of it, so what is slow goes by itself; small pictures, where
# handing them over one by one would be felt, go together.
BATCH_SECONDS: Final = 1.0
# In which a worker is thought to be there where there is none: a node that was started again takes about that long.
NOBODY_SECONDS: Final = 60.0


class Schedule:
    """The waiting items of every lane."""

    def __init__(self, estimates: Estimates, batch: int) -> None:
        self._estimates = estimates
        self._most = batch  # units in one batch
        self._queues: dict[Lane, FairQueue[WorkItem]] = {lane: FairQueue() for lane in Lane}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def push(self, item: WorkItem) -> None:
        self._queues[item.lane].push(item, item.owner, self._estimates.seconds(item.request))

    def put_back(self, item: WorkItem) -> None:
        self._queues[item.lane].put_back(item, item.owner, self._estimates.seconds(item.request))

    def settle(self, item: WorkItem, seconds: float) -> None:
        """Charge the owner of a taken item what it really took."""
        self._queues[item.lane].settle(item, seconds)

    def remove(self, item: WorkItem) -> bool:
        return self._queues[item.lane].remove(item)

    def seconds(self, item: WorkItem) -> float:
        """Estimate the seconds of work that an item takes."""
        return self._estimates.seconds(item.request)

    def waiting(self, lane: Lane) -> int:
        return len(self._queues[lane])

    def take(self, lane: Lane, may: Callable[[WorkItem], bool] = lambda item: True) -> list[WorkItem]:
        """Take the next item, or batch of items, of a lane, among those that `may` be begun; [] if there is none."""
        batch = next(self._batches(filter(may, self._queues[lane].order())), [])
        for item in batch:
            self._queues[lane].take(item)
        return batch

    def rest(self, lane: Lane) -> None:
        """Reset a lane's counts: nobody has anything waiting or being done in it."""
        self._queues[lane].rest()

    def _batches(self, order: Iterable[WorkItem]) -> Iterator[list[WorkItem]]:
        """Divide an order into batches of neighbours of one kind, up to a limit of units and seconds.

        An item of a kind that is not batched is a batch of its own.
        """
        batch: list[WorkItem] = []
        units, seconds = 0, 0.0
        for item in order:
            more, longer = self._estimates.units(item.request), self._estimates.seconds(item.request)
            fits = units + more <= self._most and seconds + longer <= BATCH_SECONDS
            if batch and not (fits and _joins(batch[0], item)):
                yield batch
                batch, units, seconds = [], 0, 0.0
            batch.append(item)
            units += more
            seconds += longer
        if batch:
            yield batch

    def units(self, batch: Sequence[WorkItem]) -> int:
        return sum(self._estimates.units(item.request) for item in batch)

    def forecast(self, workers: Iterable[Supervisor]) -> dict[WorkItem, Place]:
        """Predict for each unfinished item its place, and the seconds until it is done if nothing else comes."""
        workers = list(workers)
        places: dict[WorkItem, Place] = {}
        for lane in Lane:
            places.update(self._forecast(lane, [worker for worker in workers if lane in worker.serves]))
        return places

    def _forecast(self, lane: Lane, workers: Sequence[Supervisor]) -> dict[WorkItem, Place]:
        places: dict[WorkItem, Place] = {}
        free: list[float] = []  # when each worker will have room in this lane
        for worker in workers:
            running, rooms = worker.going(lane), worker.at_once(lane)
            groups = [[item] for item in running] if rooms > 1 else [running] if running else []
            places.update((item, Place(0, self._remaining(group))) for group in groups for item in group)
            begins = 0.0 if worker.state == "ready" else _until_ready(worker)
            rest = [self._remaining(group) for group in groups] + [begins] * (rooms - len(groups))
            free += rest
            left = min(rest)
            held = [item for item in worker.lanes[lane].values() if item not in running]  # these go on when it is free
            places.update((item, Place(0, left + self._remaining([item]))) for item in held)
        if not free:  # no site of a fleet is here
            free.append(NOBODY_SECONDS)
        heapq.heapify(free)
        ahead = 0
        for batch in self._batches(self._queues[lane].order()):
            end = heapq.heappop(free) + self._elapsed(batch)
            heapq.heappush(free, end)
            for item in batch:
                ahead += 1
                places[item] = Place(ahead, end)
        return places

    def _remaining(self, running: Sequence[WorkItem]) -> float:
        return running[0].remaining(self._elapsed(running))

    def _elapsed(self, batch: Sequence[WorkItem]) -> float:
        return self._estimates.elapsed(batch[0].request, self.units(batch))


def _joins(first: WorkItem, other: WorkItem) -> bool:
    """Tell whether two items may share a batch."""
    return first.kind is other.kind and first.kind.mode is Mode.BATCH and not first.alone and not other.alone


def _until_ready(worker: Supervisor) -> float:
    return max(0.5, worker.start_seconds - (monotonic() - worker.since))
