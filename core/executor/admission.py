"""Decides whether a request is let in: how much may wait, and when to come again if it is too much."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from core.errors import OwnShareFull, QueueFull, ServerShareFull
from core.executor.item import Place, WorkItem


@dataclass(frozen=True)
class Capacity:
    """How much may wait, and how much is done at once."""

    waiting: int = 256  # items in the queue
    per_guild: int = 128  # unfinished items of one guild
    per_member: int = 16  # unfinished items of one member in one guild
    bytes: int = 512 * 2**20  # of the photos and latents of all unfinished items
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
        """The error, with the time until the first of the items in the way will be done."""
        first = min((forecast[item].eta_seconds for item in self.items if item in forecast), default=1.0)
        return self.cause(seconds=whole_seconds(first))


def crowd(new: WorkItem, items: Collection[WorkItem], waiting: int, capacity: Capacity) -> Crowd | None:
    """What keeps a new item out; None if there is room. `items` are all unfinished ones, `waiting` of them in the queue."""
    guild = [item for item in items if item.owner.guild_id == new.owner.guild_id]
    member = [item for item in guild if item.owner.member_id == new.owner.member_id]
    if len(member) >= capacity.per_member:
        return Crowd(OwnShareFull, member)
    if len(guild) >= capacity.per_guild:
        return Crowd(ServerShareFull, guild)
    full = waiting >= capacity.waiting or (items and sum(item.size for item in items) + new.size > capacity.bytes)
    return Crowd(QueueFull, items) if full else None


def whole_seconds(seconds: float) -> int:
    """As an error tells them: at least 1."""
    return max(1, math.ceil(seconds))
