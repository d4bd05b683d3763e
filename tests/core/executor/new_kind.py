"""Two kinds of work that egao does not come with. This file is all that is written for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.errors import EgaoError, NoFace
from core.executor.kinds import Asks, Cost, Kind, Lane, Mode, Progress, register


@dataclass(frozen=True)
class Reverse(Asks["Reversed"]):
    """Turn bytes around. Several at once."""

    data: bytes
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reversed:
    """Bytes turned around."""

    data: bytes
    words: tuple[str, ...]
    pid: int
    batch: int


@dataclass(frozen=True)
class Count(Asks["Counted"]):
    """Count to a number, step by step, and crash at some."""

    to: int
    begun: int = 0
    crash_at: int = 0


@dataclass(frozen=True)
class Counted:
    """A number, and from where it was counted."""

    begun: int
    to: int


def reverse(workbench: object, requests: Sequence[Reverse]) -> list[Reversed | EgaoError]:
    """Bytes without any are refused."""
    one = len(requests)
    return [Reversed(r.data[::-1], r.words[::-1], os.getpid(), one) if r.data else NoFace() for r in requests]


def count(workbench: object, request: Count) -> Iterator[Progress | Counted]:
    """A checkpoint at each number."""
    for number in range(request.begun, request.to):
        if number + 1 == request.crash_at != request.begun + 1:
            os.abort()
        yield Progress(number + 1, request.to, checkpoint=b"%d" % (number + 1))
    yield Counted(request.begun, request.to)


COSTS = Cost(a=0.001, b=0.0, low=1, high=100)
register(Kind(Reverse, Reversed, Lane.QUICK, Mode.BATCH, COSTS, reverse, units=lambda request: len(request.data)))
register(
    Kind(
        Count,
        Counted,
        Lane.MOVING,
        Mode.STEPS,
        COSTS,
        count,
        units=lambda request: request.to,
        resume=lambda request, checkpoint: replace(request, begun=int(checkpoint)),
    )
)
