"""Decides whether a request is accepted: how much may wait, and when to try again if there is too much.

A member or server with unfinished items gets more only while it has no more than what is still free, in items and in bytes.
So one takes at most half of the room, two a third each, and there is always some left for others (Choudhury and Hahne,
Dynamic queue length thresholds for shared-memory packet switches, 1998). Whoever has nothing unfinished is accepted: as much
room again is kept for them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from core.errors import OwnShareFull, QueueFull, ServerShareFull
from core.executor.item import Place, WorkItem


@dataclass(frozen=True)
class Capacity:
    """The limits of what may wait, and of what is done at once."""

    waiting: int = 256  # items in the queue; as many again from parties without unfinished items
    per_guild: int = 128  # unfinished items of one guild, or of one member's direct messages
    per_member: int = 16  # unfinished items of one member, wherever they asked
    bytes: int = 512 * 2**20  # of photos and latents of all unfinished items; as many again from parties without unfinished items
    longest_wait: float | None = None  # seconds until the result beyond which a request is refused
    pictures: int = 8  # units in one batch
    attempts: int = 2  # times that an item may bring a worker down, alone or in a batch
    memory: int | None = None  # bytes of data that a worker may hold; None: no limit


@dataclass(frozen=True)
class Crowd:
    """The reason why there is no room: one of these items must end first."""

    cause: type[QueueFull]
    items: Collection[WorkItem]

    def refusal(self, forecast: Mapping[WorkItem, Place]) -> QueueFull:
        """Make the error, with the seconds until the first of these items is expected to be done."""
        first = min((forecast[item].eta_seconds for item in self.items if item in forecast), default=1.0)
        return self.cause(seconds=whole_seconds(first))


def crowd(new: WorkItem, items: Collection[WorkItem], waiting: int, capacity: Capacity) -> Crowd | None:
    """Find the reason why a new item must be refused; None if there is room.

    `items` are all unfinished ones, of which `waiting` are in the queue.
    """
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
    """The room that is still free; negative if parties without unfinished items were accepted beyond the limit."""

    items: int
    bytes: int

    def short_for(self, party: Collection[WorkItem], new: WorkItem) -> bool:
        """Tell whether there is no room for a new item of a party with these unfinished items."""
        more = sum(item.size for item in party) + new.size
        return bool(party) and (len(party) >= self.items or more > self.bytes)


def whole_seconds(seconds: float) -> int:
    """Round seconds up for an error's sentence, to at least 1."""
    return max(1, math.ceil(seconds))
