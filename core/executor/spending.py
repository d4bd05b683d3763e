"""Counts the seconds of work that each member and each server had lately, of all kinds together."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from time import monotonic
from typing import Final

from core.executor.queue import Tenant

WINDOW: Final = 600.0  # seconds that are looked back on: long enough for a few photos, short enough to wait for
_GRAIN: Final = 1.0  # seconds within which work counts as one entry, so that many small requests take no more memory


class Spending:
    """The work of the last `WINDOW` seconds. It starts empty with the process: no member can restart that."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._spent: OrderedDict[Hashable, deque[tuple[float, float]]] = OrderedDict()  # the one charged last at the end

    def charge(self, owner: Tenant, seconds: float) -> None:
        """Note work done for an owner: it counts for the member wherever they asked, and for the server."""
        now = self._clock()
        for party in _parties(owner):
            entries = self._spent.setdefault(party, deque())
            if entries and now - entries[-1][0] < _GRAIN:
                entries[-1] = (entries[-1][0], entries[-1][1] + seconds)
            else:
                entries.append((now, seconds))
            while entries[0][0] <= now - WINDOW:
                entries.popleft()
            self._spent.move_to_end(party)
        while self._spent and next(iter(self._spent.values()))[-1][0] <= now - WINDOW:
            self._spent.popitem(last=False)

    def of_member(self, member_id: Hashable, within: float = WINDOW) -> float:
        """Sum the seconds of work for this member in the last `within` seconds, on all servers and in direct messages."""
        after = self._clock() - within
        newest_first = reversed(self._spent.get(("member", member_id), ()))
        return math.fsum(seconds for _, seconds in itertools.takewhile(lambda entry: entry[0] > after, newest_first))

    def member_wait(self, owner: Tenant, most: float) -> float:
        """Compute the seconds until this member has had less than `most` seconds of work in the last `WINDOW`; 0 if so now."""
        return self._wait(("member", owner.member_id), most)

    def server_wait(self, owner: Tenant, most: float) -> float:
        """Compute the seconds until the owner's server has had less than `most` seconds of work in the last `WINDOW`.

        0 if that is so now, and in direct messages.
        """
        return 0.0 if owner.guild_id is None else self._wait(("server", owner.guild_id), most)

    def _wait(self, party: Hashable, most: float) -> float:
        now = self._clock()
        entries = deque(entry for entry in self._spent.get(party, ()) if entry[0] > now - WINDOW)
        total, wait = math.fsum(seconds for _, seconds in entries), 0.0
        while entries and total >= most:
            at, seconds = entries.popleft()
            total, wait = total - seconds, at + WINDOW - now
        return wait


def _parties(owner: Tenant) -> Iterator[Hashable]:
    yield "member", owner.member_id
    if owner.guild_id is not None:
        yield "server", owner.guild_id
