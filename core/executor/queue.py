"""A queue that is fair between servers (guilds), then between the members of a server, and first in, first out for a member.

It is fair queueing with virtual time at both levels. Every guild, and every member in it, has a count of the work it got, in
seconds: first the estimate, when its item is taken, later corrected to what that took. The next item comes from the waiting
guild with the lowest count, in it from the member with the lowest. Whoever comes after a pause starts at the fair amount,
which a party would have got that waited all along. So idling saves up no credit, and a burst of one member's items delays
another's by one item, not by the burst.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar


class Tenant(Protocol):
    """The owner of an item: the server it was asked in (None: a direct message) and the member who asked."""

    @property
    def guild_id(self) -> Hashable: ...

    @property
    def member_id(self) -> Hashable: ...


def home(owner: Tenant) -> Hashable:
    """Return whose turns and shares an item counts for: its server, or in direct messages the member."""
    return owner.guild_id if owner.guild_id is not None else ("direct", owner.member_id)


Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True)
class _Entry(Generic[Item]):
    item: Item
    cost: float


@dataclass(frozen=True)
class _Charge:
    """The estimated cost of an item being served, and how many guilds, and members of its guild, waited at that time."""

    owner: Tenant
    cost: float
    guilds: int
    members: int


# Among equals: who was put back, then who has just come, then who has been served.
_BACK, _NEW, _SERVED = range(3)


class _Turns:
    """The counts of work of the parties of one level."""

    def __init__(self) -> None:
        self._served: dict[Hashable, tuple[float, int, int]] = {}  # served so far; for ties, its rank and since when
        self._fair = 0.0  # the work that a party would have got that had waited all along
        self._clock = count()

    def enter(self, party: Hashable) -> None:
        known = self._served.get(party)
        if known is None or known[0] < self._fair:
            self._served[party] = (self._fair, _NEW, next(self._clock))

    def charge(self, party: Hashable, cost: float) -> None:
        """Begin to serve a party, at the estimated cost."""
        served = self._served[party][0]
        self._fair = max(self._fair, served)
        self._served[party] = (served + cost, _SERVED, next(self._clock))

    def refund(self, party: Hashable, cost: float) -> None:
        served, _, since = self._served[party]
        self._served[party] = (max(0.0, served - cost), _BACK, since)

    def settle(self, party: Hashable, cost: float, seconds: float, parties: int) -> None:
        """Replace the estimated cost of serving a party by the `seconds` that it took; `parties` were waiting then.

        The fair amount grows by what each of them would have got, so that a stream of newcomers, all starting there, can't
        keep the others waiting for ever. It doesn't grow earlier: newcomers would pay for an estimate that was too high.
        """
        served, rank, since = self._served[party]
        self._served[party] = (max(0.0, served + seconds - cost), rank, since)
        self._fair += seconds / parties

    def prune(self, busy: Container[Hashable]) -> list[Hashable]:
        """Forget, and return, parties below the fair amount for which nothing waits or is being done."""
        gone = [party for party, turn in self._served.items() if turn[0] < self._fair and party not in busy]
        for party in gone:
            del self._served[party]
        return gone

    def merge(self, queues: dict[Hashable, Iterator[_Entry[Item]]]) -> Iterator[tuple[Hashable, _Entry[Item]]]:
        """Merge the entries of all queues in the order in which they would be served if nothing else came."""
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
    """A queue of items, each with an owner and a cost (seconds of work)."""

    def __init__(self) -> None:
        self._turns = _Turns()
        self._guilds: dict[Hashable, _Guild[Item]] = {}
        self._owners: dict[Item, Tenant] = {}
        self._charged: dict[Item, _Charge] = {}  # being served

    def __len__(self) -> int:
        return len(self._owners)

    def __contains__(self, item: Item) -> bool:
        return item in self._owners

    def push(self, item: Item, owner: Tenant, cost: float) -> None:
        """Put an item last among its member's."""
        self._queue_of(item, owner).append(_Entry(item, cost))

    def put_back(self, item: Item, owner: Tenant, cost: float) -> None:
        """Put an item whose service failed first among its member's, and give back what it was charged."""
        charge = self._charged.pop(item, None)
        charged = charge.cost if charge is not None else 0.0  # one that was settled stays charged
        self._queue_of(item, owner).appendleft(_Entry(item, cost))
        self._turns.refund(home(owner), charged)
        self._guilds[home(owner)].turns.refund(owner.member_id, charged)

    def settle(self, item: Item, seconds: float) -> None:
        """Charge the owner of a served item what it really took, in place of the estimate."""
        if item not in self._charged:
            return
        charge = self._charged.pop(item)
        place = home(charge.owner)
        self._turns.settle(place, charge.cost, seconds, charge.guilds)
        self._guilds[place].turns.settle(charge.owner.member_id, charge.cost, seconds, charge.members)

    def _queue_of(self, item: Item, owner: Tenant) -> deque[_Entry[Item]]:
        if item in self._owners:
            raise ValueError("an item waits once")
        self._owners[item] = owner
        guild = self._guilds.get(home(owner))
        if guild is None:
            guild = self._guilds[home(owner)] = _Guild()
        if not guild.members:
            self._turns.enter(home(owner))
        queue = guild.members.get(owner.member_id)
        if queue is None:
            queue = guild.members[owner.member_id] = deque()
            guild.turns.enter(owner.member_id)
        return queue

    def order(self) -> Iterator[Item]:
        """Yield all items in the order of service, the next one first."""
        queues = {name: guild.order() for name, guild in self._guilds.items() if guild.members}
        return (entry.item for _, entry in self._turns.merge(queues))

    def take(self, item: Item) -> None:
        """Remove a waiting item to serve it, and charge its owner the estimate."""
        self._take(item, charged=True)

    def pop(self) -> Item | None:
        """Take the next item and settle it at its estimate; None if nothing waits."""
        item = next(self.order(), None)
        if item is not None:
            self.take(item)
            self.settle(item, self._charged[item].cost)
        return item

    def remove(self, item: Item) -> bool:
        """Remove an item without charging it. False if it does not wait here."""
        if item not in self._owners:
            return False
        self._take(item, charged=False)
        return True

    def rest(self) -> None:
        """Reset all counts, if nothing waits. Call it when nothing is being done either."""
        if not self._owners:
            self._guilds.clear()
            self._charged.clear()
            self._turns = _Turns()

    def _take(self, item: Item, charged: bool) -> None:
        owner = self._owners.pop(item)
        guild = self._guilds[home(owner)]
        queue = guild.members[owner.member_id]
        entry = next(entry for entry in queue if entry.item is item)
        queue.remove(entry)
        if charged:
            charge = _Charge(owner, entry.cost, sum(bool(guild.members) for guild in self._guilds.values()), len(guild.members))
            self._turns.charge(home(owner), entry.cost)
            guild.turns.charge(owner.member_id, entry.cost)
            self._charged[item] = charge
        if not queue:
            del guild.members[owner.member_id]
        serving = [one.owner for one in self._charged.values()]
        guild.turns.prune(guild.members.keys() | {one.member_id for one in serving if home(one) == home(owner)})
        busy = {name for name, guild in self._guilds.items() if guild.members} | {home(one) for one in serving}
        for name in self._turns.prune(busy):
            del self._guilds[name]
