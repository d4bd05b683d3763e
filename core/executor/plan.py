"""Who comes next, in which batch, and when: the same rules for dispatching and for telling people how long it takes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic

from core.executor.estimate import Estimates
from core.executor.job import Job, Lane, Place
from core.executor.queue import FairQueue
from core.executor.requests import Render
from core.executor.seat import Seat


class Plan:
    """The waiting jobs of every lane."""

    def __init__(self, estimates: Estimates, pictures: int) -> None:
        self._estimates = estimates
        self._pictures = pictures
        self._queues: dict[Lane, FairQueue[Job]] = {lane: FairQueue() for lane in Lane}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def push(self, job: Job) -> None:
        self._queues[job.lane].push(job, job.owner, self._estimates.seconds(job.request))

    def put_back(self, job: Job) -> None:
        self._queues[job.lane].put_back(job, job.owner, self._estimates.seconds(job.request))

    def remove(self, job: Job) -> bool:
        return self._queues[job.lane].remove(job)

    def waiting(self, lane: Lane) -> int:
        return len(self._queues[lane])

    def take(self, lane: Lane) -> list[Job]:
        """Take the next job of a lane, or the next batch of renders; empty if nothing waits."""
        batch = next(self._batches(self._queues[lane].order()), [])
        for job in batch:
            self._queues[lane].take(job)
        return batch

    def rest(self, lane: Lane) -> None:
        """Nobody has anything waiting or being done in this lane."""
        self._queues[lane].rest()

    def _batches(self, order: Iterable[Job]) -> Iterator[list[Job]]:
        """Cut an order into batches: neighbouring renders up to so many pictures, everything else by itself."""
        batch: list[Job] = []
        pictures = 0
        for job in order:
            more = self._estimates.units(job.request)
            if batch and not (_joins(batch[0]) and _joins(job) and pictures + more <= self._pictures):
                yield batch
                batch, pictures = [], 0
            batch.append(job)
            pictures += more
        if batch:
            yield batch

    def units(self, batch: Sequence[Job]) -> int:
        return sum(self._estimates.units(job.request) for job in batch)

    def forecast(self, seats: Iterable[Seat]) -> dict[Job, Place]:
        """Where every unfinished job stands and in how many seconds it will be done, if nobody else came."""
        seats = list(seats)
        places: dict[Job, Place] = {}
        for lane in Lane:
            places.update(self._forecast(lane, [seat for seat in seats if lane in seat.serves]))
        return places

    def _forecast(self, lane: Lane, seats: Sequence[Seat]) -> dict[Job, Place]:
        places: dict[Job, Place] = {}
        free: list[float] = []  # when each seat will have room in this lane
        for seat in seats:
            running = list(seat.lanes[lane].values())
            left = self._remaining(running) if running else 0.0 if seat.state == "ready" else _until_ready(seat)
            places.update((job, Place(0, left)) for job in running)
            free.append(left)
        heapq.heapify(free)
        ahead = 0
        for batch in self._batches(self._queues[lane].order()):
            end = heapq.heappop(free) + self._elapsed(batch)
            heapq.heappush(free, end)
            for job in batch:
                ahead += 1
                places[job] = Place(ahead, end)
        return places

    def _remaining(self, running: Sequence[Job]) -> float:
        return running[0].remaining(self._elapsed(running))

    def _elapsed(self, batch: Sequence[Job]) -> float:
        return self._estimates.elapsed(batch[0].request, self.units(batch))


def _joins(job: Job) -> bool:
    return isinstance(job.request, Render) and not job.alone


def _until_ready(seat: Seat) -> float:
    return max(0.5, seat.start_seconds - (monotonic() - seat.since))
