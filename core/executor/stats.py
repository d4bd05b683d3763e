"""The counters of an executor, for the status command and the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass
class Tally:
    """The answered requests of one kind, without cancelled and refused ones."""

    done: int = 0
    failed: int = 0
    work_seconds: float = 0.0
    waited_seconds: float = 0.0  # from the request until a worker began, the last time
    elapsed_seconds: float = 0.0  # from the request to the answer

    def add(self, ok: bool, work: float, waited: float, elapsed: float) -> None:
        self.done += ok
        self.failed += not ok
        self.work_seconds += work
        self.waited_seconds += waited
        self.elapsed_seconds += elapsed


@dataclass(frozen=True)
class WorkerStats:
    name: str
    device: str
    state: str  # starting, ready or down
    pid: int | None
    restarts: int
    running: int  # requests that it has, cancelled ones that it has not let go of included
    site: str = ""  # the machine that it is on; "" for this one
    answered: int = 0  # requests, errors of theirs included
    work_seconds: float = 0.0  # that these answers took


@dataclass(frozen=True)
class Stats:
    """The counters since the start, and the present state."""

    waiting: Mapping[str, int]  # by lane
    running: int
    done: int
    failed: int
    cancelled: int
    refused: int
    restarts: int
    oldest_seconds: float  # since the oldest unfinished request was made
    kinds: Mapping[str, Tally]
    costs: Mapping[str, tuple[float, float]]  # seconds = a * n + b, by kind and method
    workers: Sequence[WorkerStats]
