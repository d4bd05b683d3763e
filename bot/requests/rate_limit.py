"""Memories of bounded size: a set that forgets its oldest members, and a limit of how often something is done."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)
REMEMBERED: Final = 10_000  # people


class BoundedSet(Generic[Thing]):
    """A set of at most `most` things; adding another one removes the oldest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[Thing, None] = OrderedDict()

    def __contains__(self, thing: object) -> bool:
        return thing in self._things

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: Thing) -> None:
        self._things[thing] = None
        if len(self._things) > self._most:
            self._things.popitem(last=False)

    def discard(self, thing: Thing) -> None:
        self._things.pop(thing, None)


class RateLimit:
    """A limit for each key: at most `most` times in `seconds`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._done: OrderedDict[Hashable, list[float]] = OrderedDict()

    def wait(self, key: Hashable) -> float:
        """Return the seconds until it may be done again for the key; 0 if it may now, which then counts as done."""
        now = self._clock()
        done = [at for at in self._done.get(key, ()) if at > now - self._seconds]
        if len(done) >= self._most:
            return done[0] + self._seconds - now
        self._done[key] = [*done, now]
        self._done.move_to_end(key)
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        return 0.0

    def may(self, key: Hashable) -> bool:
        """Tell whether it may be done now for the key, and if so count it as done."""
        return self.wait(key) == 0
