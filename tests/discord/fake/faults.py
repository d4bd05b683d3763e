"""Faults that a test asks for, and the rate limits that the platform has anyway."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass


@dataclass
class Fault:
    """What to do to requests that match. `path` is searched as a regular expression in e.g.
    `/channels/12/messages/34` or `/interactions/12/token/callback`; empty matches all.

    `applied` does the work first and spoils only the answer, the case in which a retry makes a duplicate.
    """

    path: str = ""
    method: str = ""  # empty: any
    times: int | None = 1  # how often; None: until removed
    chance: float = 1.0  # of each matching request
    status: int | None = None  # answer this instead; None answers as usual, after `delay`
    retry_after: float = 0.2  # seconds, of a 429
    is_global: bool = False
    via: bool = True  # a 429 without a Via header means a ban by the front end; discord.py does not retry it
    delay: float = 0.0  # seconds before anything happens
    reset: bool = False  # break the connection instead of answering
    applied: bool = False
    hits: int = 0


class Faults:
    """The faults in force; the first that matches a request is used. Random ones repeat with `seed`."""

    def __init__(self, seed: int = 0) -> None:
        self.active: list[Fault] = []
        self._random = random.Random(seed)

    def add(self, fault: Fault) -> Fault:
        self.active.append(fault)
        return fault

    def rate_limit(self, path: str = "", *, retry_after: float = 0.2, times: int | None = 1, **more: object) -> Fault:
        return self.add(Fault(path, status=429, retry_after=retry_after, times=times, **more))  # type: ignore[arg-type]

    def error(self, path: str = "", *, status: int = 500, times: int | None = 1, **more: object) -> Fault:
        return self.add(Fault(path, status=status, times=times, **more))  # type: ignore[arg-type]

    def reset(self, path: str = "", *, times: int | None = 1, **more: object) -> Fault:
        return self.add(Fault(path, reset=True, times=times, **more))  # type: ignore[arg-type]

    def delay(self, path: str = "", *, seconds: float, times: int | None = None, **more: object) -> Fault:
        return self.add(Fault(path, delay=seconds, times=times, **more))  # type: ignore[arg-type]

    def remove(self, fault: Fault) -> None:
        if fault in self.active:
            self.active.remove(fault)

    def clear(self) -> None:
        self.active.clear()

    def match(self, method: str, path: str) -> Fault | None:
        for fault in self.active:
            fits = fault.method in ("", method) and re.search(fault.path, path)
            if fits and self._random.random() < fault.chance:
                fault.hits += 1
                if fault.times is not None and fault.hits >= fault.times:
                    self.active.remove(fault)
                return fault
        return None


# (method, pattern) -> (requests, seconds). What Discord's headers usually say; it publishes no table. The groups of
# a pattern are the major parameters: each channel, or each token, has a bucket of its own.
BUCKETS: list[tuple[str, str, int, float]] = [
    ("POST", r"^/channels/(\d+)/messages$", 5, 5.0),
    ("PATCH", r"^/channels/(\d+)/messages/\d+$", 5, 5.0),
    ("DELETE", r"^/channels/(\d+)/messages/\d+$", 5, 1.0),
    ("POST", r"^/channels/(\d+)/typing$", 5, 5.0),
    ("", r"^/webhooks/(\d+/[^/]+)", 5, 2.0),
    ("", r"^/interactions/", 0, 0.0),  # no bucket and no global limit
]
OTHERS = (50, 1.0)
GLOBAL = (50, 1.0)


class Limits:
    """Fixed windows, per bucket and over all. `headers` is what the answer must carry."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, method: str, path: str) -> tuple[dict[str, str], tuple[float, bool] | None]:
        """(headers, None), or (headers, (retry_after, is_global)) when this request is one too many."""
        name, most, per = self._bucket(method, path)
        if not most:
            return {}, None
        over = self._count("global", *GLOBAL)
        if over[0] < 0:
            return {}, (over[1], True)
        left, reset = self._count(name, most, per)
        headers = {"X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(max(left, 0))}
        headers |= {"X-RateLimit-Reset-After": f"{reset:.3f}", "X-RateLimit-Bucket": name.partition(":")[0]}
        headers["X-RateLimit-Reset"] = f"{time.time() + reset:.3f}"
        return headers, (reset, False) if left < 0 else None

    def _bucket(self, method: str, path: str) -> tuple[str, int, float]:
        for index, (verb, pattern, most, per) in enumerate(BUCKETS):
            if verb in ("", method) and (found := re.search(pattern, path)):
                return f"bucket{index}:{found.group(1) if found.groups() else ''}", most, per
        shape = re.sub(r"\d+", "n", path)
        return f"{method.lower()}{shape.replace('/', '-')}:{path}", *OTHERS

    def _count(self, name: str, most: int, per: float) -> tuple[int, float]:
        now = time.monotonic()
        ends, used = self._windows.get(name, (0.0, 0))
        if now >= ends:
            ends, used = now + per, 0
        self._windows[name] = (ends, used + 1)
        return most - used - 1, ends - now
