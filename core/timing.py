"""Fair timing: the calls to compare take turns in random order, so that other load on the machine affects all alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping


def take_turns(
    peers: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Time each call, by name, once in each of `rounds` rounds: seconds by name. Two uncounted calls warm each up first."""
    for call in peers.values():
        call()
        call()
    order, shuffle, seconds = list(peers), random.Random(0), {name: list[float]() for name in peers}  # noqa: S311
    for _ in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            began = clock()
            peers[name]()
            seconds[name].append(clock() - began)
    return seconds


def spread(seconds: list[float]) -> dict[str, float]:
    """Compute the median and the fastest of times; the fastest is least affected by other load. Raises for an empty list."""
    return {"median": statistics.median(seconds), "fastest": min(seconds)}
