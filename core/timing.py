"""Fair timing: peers take turns, in an order that changes, so that what else the machine does meets them all alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping


def take_turns(peers: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time each peer, in seconds, in each of `rounds` rounds; two calls before them, which are not counted, warm a peer up."""
    for call in peers.values():
        call()
        call()
    order, shuffle, seconds = list(peers), random.Random(0), {name: list[float]() for name in peers}  # noqa: S311
    for _ in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            began = time.perf_counter()
            peers[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def spread(seconds: list[float]) -> dict[str, float]:
    """The median, and the fastest, which disturbances by others move least."""
    return {"median": statistics.median(seconds), "fastest": min(seconds)}
