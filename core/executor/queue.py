"""A queue that is fair across guilds, then across the members of a guild, then first in, first out.

Fair queueing with virtual time at both levels: every guild, and in it every member, has a count of what it has been
served, in seconds of work. The next job comes from the waiting guild with the least, in it from the member with the
least. Who arrives after a pause starts at the fair amount, what a party would have been served that had waited all
along: idling saves up no credit, and a burst of one member's items delays another's by one item, not by the burst.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar


class Tenant(Protocol):
    """Whose an item is: the server it was asked in (None: a direct message) and the member who asked."""

    @property
    def guild_id(self) -> Hashable: ...

    @property
    def member_id(self) -> Hashable: ...


Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True)
class _Entry(Generic[Item]):
    item: Item
    cost: float


# Among equals: who was put back, then who has just come, then who has been served.
_BACK, _NEW, _SERVED = range(3)


class _Turns:
    """Who has been served how much, among the parties of one level."""

    def __init__(self) -> None:
        self._served: dict[Hashable, tuple[float, int, int]] = {}  # served so far; for ties, its rank and since when
        self._fair = 0.0  # what a party would have been served by now that had waited all along
        self._clock = count()

    def enter(self, party: Hashable) -> None:
        known = self._served.get(party)
        if known is None or known[0] < self._fair:
            self._served[party] = (self._fair, _NEW, next(self._clock))

    def charge(self, party: Hashable, cost: float, parties: int) -> None:
        """`parties` waited, this one included. The fair amount moves on by what each of them would have got, so that
        a stream of newcomers, all entering there, cannot keep the others waiting for ever."""
        served = self._served[party][0]
        self._fair = max(self._fair + cost / parties, served)
        self._served[party] = (served + cost, _SERVED, next(self._clock))

    def refund(self, party: Hashable, cost: float) -> None:
        served, _, since = self._served[party]
        self._served[party] = (max(0.0, served - cost), _BACK, since)

    def prune(self, waiting: Container[Hashable]) -> list[Hashable]:
        """Forget parties that wait for nothing and have been served less than is fair; return them."""
        gone = [party for party, turn in self._served.items() if turn[0] < self._fair and party not in waiting]
        for party in gone:
            del self._served[party]
        return gone

    def merge(self, queues: dict[Hashable, Iterator[_Entry[Item]]]) -> Iterator[tuple[Hashable, _Entry[Item]]]:
        """All entries of all queues in the order in which they would be served if nobody else came."""
        parties = list(queues)
        order = [(*self._served[party], number) for number, party in enumerate(parties)]
        later = max((since for _, _, since, _ in order), default=0)
        heapq.heapify(order)
        while order:
            served, _, _, number = heapq.heappop(order)
            entry = next(queues[parties[number]], None)
            if entry is None:
                continue
            yield parties[number], entry
            later += 1
            heapq.heappush(order, (served + entry.cost, _SERVED, later, number))


@dataclass
class _Guild(Generic[Item]):
    turns: _Turns = field(default_factory=_Turns)
    members: dict[Hashable, deque[_Entry[Item]]] = field(default_factory=dict)

    def order(self) -> Iterator[_Entry[Item]]:
        return (entry for _, entry in self.turns.merge({name: iter(queue) for name, queue in self.members.items()}))


class FairQueue(Generic[Item]):
    """Items with an owner and a cost (seconds of work)."""

    def __init__(self) -> None:
        self._turns = _Turns()
        self._guilds: dict[Hashable, _Guild[Item]] = {}
        self._owners: dict[Item, Tenant] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def __contains__(self, item: Item) -> bool:
        return item in self._owners

    def push(self, item: Item, owner: Tenant, cost: float) -> None:
        """Put an item last among its member's."""
        self._queue_of(item, owner).append(_Entry(item, cost))

    def put_back(self, item: Item, owner: Tenant, cost: float) -> None:
        """Put an item that was served for nothing first among its member's, and give back what it was charged."""
        self._queue_of(item, owner).appendleft(_Entry(item, cost))
        self._turns.refund(owner.guild_id, cost)
        self._guilds[owner.guild_id].turns.refund(owner.member_id, cost)

    def _queue_of(self, item: Item, owner: Tenant) -> deque[_Entry[Item]]:
        if item in self._owners:
            raise ValueError("an item waits once")
        self._owners[item] = owner
        guild = self._guilds.get(owner.guild_id)
        if guild is None:
            guild = self._guilds[owner.guild_id] = _Guild()
        if not guild.members:
            self._turns.enter(owner.guild_id)
        queue = guild.members.get(owner.member_id)
        if queue is None:
            queue = guild.members[owner.member_id] = deque()
            guild.turns.enter(owner.member_id)
        return queue

    def order(self) -> Iterator[Item]:
        """All items in the order in which they are to be served, the next one first."""
        queues = {name: guild.order() for name, guild in self._guilds.items() if guild.members}
        return (entry.item for _, entry in self._turns.merge(queues))

    def take(self, item: Item) -> None:
        """Take a waiting item to serve it, and charge its owner."""
        self._take(item, charged=True)

    def pop(self) -> Item | None:
        """Take the next item to serve it; None when nothing waits."""
        item = next(self.order(), None)
        if item is not None:
            self.take(item)
        return item

    def remove(self, item: Item) -> bool:
        """Take an item out of turn, uncharged. False if it does not wait here."""
        if item not in self._owners:
            return False
        self._take(item, charged=False)
        return True

    def rest(self) -> None:
        """Nothing waits and nothing is being done: whoever comes next, all are level."""
        if not self._owners:
            self._guilds.clear()
            self._turns = _Turns()

    def _take(self, item: Item, charged: bool) -> None:
        owner = self._owners.pop(item)
        guild = self._guilds[owner.guild_id]
        queue = guild.members[owner.member_id]
        entry = next(entry for entry in queue if entry.item is item)
        queue.remove(entry)
        if charged:
            self._turns.charge(owner.guild_id, entry.cost, sum(bool(guild.members) for guild in self._guilds.values()))
            guild.turns.charge(owner.member_id, entry.cost, len(guild.members))
        if not queue:
            del guild.members[owner.member_id]
        guild.turns.prune(guild.members)
        for name in self._turns.prune([name for name, guild in self._guilds.items() if guild.members]):
            del self._guilds[name]
