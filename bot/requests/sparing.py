"""Memory that stays small: a set that forgets its oldest, and how often somebody was told something."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)
REMEMBERED: Final = 10_000  # people


class Few(Generic[Thing]):
    """A set of at most so many things; the one added first gives way."""

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


class Sparing:
    """Lets something be done for each key at most `most` times in `seconds`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._done: OrderedDict[Hashable, list[float]] = OrderedDict()

    def wait(self, key: Hashable) -> float:
        """Count the seconds until it may be done again; 0 if it may now, which is then noted."""
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
        """Tell whether it may be done now, and if so count it."""
        return self.wait(key) == 0
