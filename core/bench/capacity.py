"""Simulates workers under load, to say how many are needed. Needs the extra `capacity`.

Uploads come at random (a Poisson stream). Each is what the bot asks for, one after the other: a look, a projection, pictures; and
is followed, after a pause, by presses that draw again. A worker does as the real one's loop does: a picture that waits first,
then one step of the stepwise request that has had the least time. A free lane of the least busy worker takes what has waited
longest: among members who ask for equally much, fairness comes to the same.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import BadOption, BadSetting

try:
    import simpy
except ModuleNotFoundError:  # an extra
    simpy = None  # type: ignore[assignment, unused-ignore]  # where it is not installed mypy knows nothing of it

Events = Generator[Any, Any, None]
LOOK, LONG, QUICK = "look", "long", "quick"
WARM: Final = 0.1  # share of the uploads at the beginning that are not counted: they find every queue empty
SHARE: Final = 0.95  # of the uploads that must be answered in time


@dataclass(frozen=True)
class Work:
    """What an upload asks of a worker, in measured seconds; and the presses that follow it."""

    look: float = 0.4
    looks: int = 2  # steps that others' work can come between
    project: float = 9.0  # with what a strength means for the face
    steps: int = 29
    draw: float = 1.3  # the pictures of an answer
    presses: float = 1.0  # that follow an upload, on average
    pause: float = 20.0  # seconds before each
    way: float = 0.02  # that each request spends between bot and worker

    @property
    def seconds(self) -> float:
        """Sum up an upload and its presses: seconds of one worker."""
        return self.look + self.project + self.draw * (1 + self.presses)


@dataclass
class _Item:
    lane: str
    steps: int
    step: float  # seconds of each
    done: Any  # a SimPy event
    turn: float = 0.0  # seconds had, if it had been there as long as the others


@dataclass
class _Worker:
    lanes: dict[str, _Item] = field(default_factory=dict)
    wake: Any = None


class Simulation:
    """Simulates workers with their lanes serving uploads and presses (SimPy): how long each upload waits, in seconds."""

    def __init__(self, workers: int, work: Work, dice: random.Random) -> None:
        """Prepare a run. Raises BadSetting without SimPy."""
        if simpy is None:
            raise BadSetting(name="egao bench capacity", reason="it needs SimPy: pip install egao[capacity]")
        self.env = simpy.Environment()
        self.work, self.dice = work, dice
        self.waits: list[float] = []  # seconds from each upload to its answer, in the order of the uploads' ends
        self._queues: dict[str, deque[_Item]] = {lane: deque() for lane in (QUICK, LOOK, LONG)}
        self._workers = [_Worker() for _ in range(workers)]
        for worker in self._workers:
            self.env.process(self._loop(worker))

    def run(self, arrivals: Sequence[float]) -> list[float]:
        """Have an upload at each of these seconds; returns the seconds that each waited, in that order."""
        ends: list[float] = [math.nan] * len(arrivals)
        for number, at in enumerate(arrivals):
            self.env.process(self._upload(number, at, ends))
        self.env.run()
        return [end - at for end, at in zip(ends, arrivals, strict=True)]

    def _upload(self, number: int, at: float, ends: list[float]) -> Events:
        work = self.work
        yield self.env.timeout(at)
        for lane, steps, seconds in ((LOOK, work.looks, work.look), (LONG, work.steps, work.project), (QUICK, 1, work.draw)):
            yield from self._ask(lane, steps, seconds)
        ends[number] = self.env.now
        presses = int(work.presses) + (self.dice.random() < work.presses % 1)
        for _ in range(presses):
            yield self.env.timeout(self.dice.expovariate(1 / work.pause))
            yield from self._ask(QUICK, 1, work.draw)

    def _ask(self, lane: str, steps: int, seconds: float) -> Events:
        """Ask for one piece of work, and wait for it."""
        yield self.env.timeout(self.work.way)
        item = _Item(lane, steps, seconds / steps, self.env.event())
        self._queues[lane].append(item)
        self._pump()
        yield item.done

    def _pump(self) -> None:
        """Give every free lane what has waited longest, the least busy worker first."""
        for lane, queue in self._queues.items():
            for worker in sorted(self._workers, key=lambda worker: len(worker.lanes)) if queue else ():
                if queue and lane not in worker.lanes:
                    item = queue.popleft()
                    item.turn = min((one.turn for one in worker.lanes.values() if one.lane != QUICK), default=0.0)
                    worker.lanes[lane] = item
                    if worker.wake is not None and not worker.wake.triggered:
                        worker.wake.succeed()

    def _loop(self, worker: _Worker) -> Events:
        while True:
            if not worker.lanes:
                worker.wake = self.env.event()
                yield worker.wake
            if (picture := worker.lanes.get(QUICK)) is not None:
                yield from self._step(worker, picture)
            going = [item for lane, item in worker.lanes.items() if lane != QUICK]
            if going:
                yield from self._step(worker, min(going, key=lambda item: item.turn))

    def _step(self, worker: _Worker, item: _Item) -> Events:
        yield self.env.timeout(item.step)
        item.steps, item.turn = item.steps - 1, item.turn + item.step
        if not item.steps:
            del worker.lanes[item.lane]
            item.done.succeed()
            self._pump()


def arrivals(per_hour: float, count: int, dice: random.Random) -> list[float]:
    """Draw the seconds at which `count` uploads come, so many an hour on average."""
    now, found = 0.0, []
    for _ in range(count):
        now += dice.expovariate(per_hour / 3600)
        found.append(now)
    return found


def quantile(values: Sequence[float], share: float = SHARE) -> float:
    """Return the value that this share of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def waits(per_hour: float, workers: int, work: Work, *, count: int = 0, seed: int = 0) -> list[float]:
    """Simulate and return the seconds that uploads wait for their answers, without the first ones.

    `count` uploads; 0: an hour of them, at least 2000. They come as the seed has them, whatever the number of workers.
    """
    dice = random.Random(seed)  # noqa: S311 - the same each time
    count = count or max(2000, round(per_hour))
    found = Simulation(workers, work, random.Random(seed + 1)).run(arrivals(per_hour, count, dice))  # noqa: S311
    return found[round(count * WARM) :]


def least_workers(per_hour: float, limit: float, work: Work, say: Callable[[str], None]) -> tuple[int, float]:
    """Find the fewest workers with which 95 of 100 uploads are answered within `limit` seconds, and that 95th percentile.

    Raises BadSetting where an upload alone takes longer than that.
    """
    alone = work.look + work.project + work.draw + 3 * work.way
    if alone >= limit:
        raise BadOption(name="--wait", reason=f"an upload takes {alone:.1f} s where nobody else asks for anything")
    low = math.floor(per_hour / 3600 * work.seconds)  # with so few, more comes than is done
    high = low + 1
    while (found := quantile(waits(per_hour, high, work))) > limit:
        say(f"{high} workers: {found:.1f} s")
        low, high = high, high + max(1, (high - low) * 2)
    say(f"{high} workers: {found:.1f} s")
    while high - low > 1:
        middle = (low + high) // 2
        tried = quantile(waits(per_hour, middle, work))
        say(f"{middle} workers: {tried:.1f} s")
        if tried <= limit:
            high, found = middle, tried
        else:
            low = middle
    return high, found
