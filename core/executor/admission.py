"""Decides whether a request is let in: how much may wait, and when to come again if it is too much.

Whoever has something unfinished, a member or a server, gets more only as long as that is no more than what is still free,
in items and in bytes: so one takes half of the room at most, two a third each, and there is always some for others
(Choudhury and Hahne, Dynamic queue length thresholds for shared-memory packet switches, 1998). Who has nothing unfinished
gets in; as much room again is kept for them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from core.errors import OwnShareFull, QueueFull, ServerShareFull
from core.executor.item import Place, WorkItem


@dataclass(frozen=True)
class Capacity:
    """How much may wait, and how much is done at once."""

    waiting: int = 256  # items in the queue; as many again of those who have no other
    per_guild: int = 128  # unfinished items of one guild, or of one member's direct messages
    per_member: int = 16  # unfinished items of one member, wherever they asked
    bytes: int = 512 * 2**20  # of the photos and latents of all unfinished items; as many again of those who have no other
    longest_wait: float | None = None  # seconds until the result beyond which a request is refused
    pictures: int = 8  # units in one batch
    attempts: int = 2  # times that an item may bring a worker down, alone or in a batch
    memory: int | None = None  # bytes of data that a worker may hold; None: what the machine has


@dataclass(frozen=True)
class Crowd:
    """Why there is no room: one of these items has to end first."""

    cause: type[QueueFull]
    items: Collection[WorkItem]

    def refusal(self, forecast: Mapping[WorkItem, Place]) -> QueueFull:
        """Make the error, with the time until the first of the items in the way will be done."""
        first = min((forecast[item].eta_seconds for item in self.items if item in forecast), default=1.0)
        return self.cause(seconds=whole_seconds(first))


def crowd(new: WorkItem, items: Collection[WorkItem], waiting: int, capacity: Capacity) -> Crowd | None:
    """Find what keeps a new item out; None if there is room. `items` are all unfinished ones, `waiting` of them in the queue."""
    guild = [item for item in items if item.home == new.home]
    member = [item for item in items if item.owner.member_id == new.owner.member_id]
    held = sum(item.size for item in items)
    room = _Room(capacity.waiting - waiting, capacity.bytes - held)
    if len(member) >= capacity.per_member or room.short_for(member, new):
        return Crowd(OwnShareFull, member)
    if len(guild) >= capacity.per_guild or room.short_for(guild, new):
        return Crowd(ServerShareFull, guild)
    full = waiting >= 2 * capacity.waiting or (items and held + new.size > 2 * capacity.bytes)
    return Crowd(QueueFull, items) if full else None


@dataclass(frozen=True)
class _Room:
    """What is still free; below 0 where those who had nothing were let in beyond it."""

    items: int
    bytes: int

    def short_for(self, party: Collection[WorkItem], new: WorkItem) -> bool:
        """Tell whether a party with these unfinished items has to wait with a new one."""
        more = sum(item.size for item in party) + new.size
        return bool(party) and (len(party) >= self.items or more > self.bytes)


def whole_seconds(seconds: float) -> int:
    """Round seconds as an error tells them: up, and to at least 1."""
    return max(1, math.ceil(seconds))
