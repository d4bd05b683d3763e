"""The data of a job, as the store returns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.store.owner import Owner

State = Literal["queued", "running", "done", "failed", "cancelled"]
Ending = Literal["done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """One accepted request."""

    id: int
    owner: Owner
    kind: str
    state: State
    request: bytes | None = field(repr=False)  # None once it was wiped
    checkpoint: bytes | None = field(repr=False)
    token: str | None = field(repr=False)  # lets the bot answer until `token_expires`
    token_expires: float | None
    attempts: int
    max_attempts: int
    lease: float | None
    channel_id: int | None  # of the reply
    message_id: int | None
    source_message_id: int | None  # that held the photo
    author_id: int | None  # who posted it, if that is not the owner
    created: float
    started: float | None
    finished: float | None
    error: str | None  # the code of an EgaoError
    facts: Mapping[str, Any]  # of that error; empty once the member was told, and in rows of an older version
    told: bool


@dataclass(frozen=True)
class Recovered:
    """The jobs that an earlier process left."""

    queued: list[Job]  # to be done, oldest first
    untold: list[Job]  # finished, the member doesn't know yet
