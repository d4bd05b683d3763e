"""The door: how much may wait, and when to come again if it is too much."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from core.errors import QueueFull
from core.executor.job import Job, Place


@dataclass(frozen=True)
class Limits:
    """How much may wait, and how much is done at once."""

    waiting: int = 256  # jobs in the queue
    per_guild: int = 128  # unfinished jobs of one guild
    per_member: int = 16  # unfinished jobs of one member in one guild
    bytes: int = 512 * 2**20  # of the photos and latents of all unfinished jobs
    longest_wait: float | None = None  # seconds until the result beyond which a request is refused
    pictures: int = 8  # in one batch of renders
    attempts: int = 2  # times that a job may bring a worker down, alone or in a batch
    memory: int | None = None  # bytes of data that a worker may hold; None: what the machine has


def crowded(job: Job, jobs: Collection[Job], waiting: int, share: int, limits: Limits) -> list[Job] | None:
    """The jobs of which one has to end before this one is let in; None if there is room now."""
    guild = [other for other in jobs if other.owner.guild_id == job.owner.guild_id]
    member = [other for other in guild if other.owner.member_id == job.owner.member_id]
    if len(member) >= limits.per_member:
        return member
    if len(guild) >= share:
        return guild
    full = waiting >= limits.waiting or (jobs and sum(other.size for other in jobs) + job.size > limits.bytes)
    return list(jobs) if full else None


def refusal(blockers: Collection[Job], forecast: Mapping[Job, Place]) -> QueueFull:
    """QueueFull with the time until the first of the jobs in the way will be done."""
    return too_long(min((forecast[job].eta_seconds for job in blockers if job in forecast), default=1.0))


def too_long(seconds: float) -> QueueFull:
    return QueueFull(seconds=max(1, math.ceil(seconds)))
