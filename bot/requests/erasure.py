"""Erases data and ends the work on it, in one call.

Every erasure (`/forget`, a ban, a deleted message, an admin, retention) goes through here, so that no caller can erase rows
and forget the requests in progress, or those that wait for consent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.requests.ask import Ask
from core.errors import EgaoError
from core.store import Erased, Job, Owner, PhotoPlace, Store

log = logging.getLogger(__name__)

REMEMBERED: Final = 10_000  # erasures that a request which is just being taken in is held against
RETRIES: Final = (1, 5, 30, 60, 300, 900, 3600)  # seconds until a store that fails is asked again


@dataclass(frozen=True)
class Scope:
    """The range of an erasure: everything that any of the fields covers."""

    member_id: int | None = None
    guild_id: int | None = None
    here: Owner | None = None  # one member in one server, or in direct messages
    message_ids: frozenset[int] = frozenset()  # that held the photos
    channel_ids: frozenset[int] = frozenset()

    def covers(self, owner: Owner, photo: PhotoPlace | None = None) -> bool:
        """Tell whether an erasure covers a request of `owner` about that photo; also erasures of the photo's author count."""
        author_id = photo.author_id if photo is not None else None
        people = {owner} if author_id is None else {owner, Owner(owner.guild_id, author_id)}
        return (
            (self.member_id is not None and self.member_id in (owner.member_id, author_id))
            or (self.guild_id is not None and owner.guild_id == self.guild_id)
            or self.here in people
            or (photo is not None and (photo.message_id in self.message_ids or photo.channel_id in self.channel_ids))
        )


class Recent:
    """The latest erasures, for requests that were admitted before one of them and have no row yet."""

    def __init__(self) -> None:
        self._scopes: deque[tuple[float, Scope]] = deque(maxlen=REMEMBERED)

    def note(self, scope: Scope) -> None:
        """Remember an erasure. Call it before the store erases: see `struck`."""
        self._scopes.append((time.monotonic(), scope))

    def struck(self, since: float, owner: Owner, photo: PhotoPlace | None) -> bool:
        """Tell whether an erasure after `since` (time.monotonic()) covers a request that has no row yet.

        Call it in the transaction that makes the row: then either this sees the erasure, or the erasure sees the row.
        """
        return any(at >= since and scope.covers(owner, photo) for at, scope in list(self._scopes))


def photos_of(job: Job) -> Sequence[PhotoPlace]:
    """Return where the photos of a request are, from its row; empty if the row doesn't tell."""
    try:
        return Ask.load(job.request).photos if job.request is not None else ()
    except (ValueError, TypeError, KeyError):  # an older version wrote it
        return ()


class Erasure:
    """Erases in the store, then ends the work in memory with `end_jobs` and `end_waiting`."""

    def __init__(
        self,
        store: Store,
        recent: Recent,
        end_jobs: Callable[[Iterable[int]], Awaitable[None]],
        end_waiting: Callable[[Scope], None],
    ) -> None:
        self._store, self._recent, self._end_jobs, self._end_waiting = store, recent, end_jobs, end_waiting

    async def messages(self, *message_ids: int) -> Erased:
        """Erase what came from the photos of these deleted messages, and end the work on it. Raises StoreError."""
        scope = Scope(message_ids=frozenset(message_ids))
        return await self._erase(scope, self._store.forget_source_message, *sorted(message_ids))

    async def edited(self, message_id: int, attachment_ids: frozenset[int]) -> Erased:
        """Erase what came from a message's photo if an edit removed the photo; the message has these files now.

        Raises StoreError.
        """
        if attachment_ids and not await self._store.run(self._taken_out, message_id, attachment_ids):
            return Erased()
        return await self.messages(message_id)

    def _taken_out(self, message_id: int, attachment_ids: frozenset[int]) -> bool:
        """Tell whether a photo of a kept face or a request is no longer among the message's files.

        Runs on a thread of the store.
        """
        places = [face.source for face in self._store.faces.of_message(message_id)]
        places += [place for job in self._store.jobs.about(message_id) for place in photos_of(job)]
        here = [place for place in places if place is not None and place.message_id == message_id]
        return any(place.attachment_id not in attachment_ids for place in here)

    async def channels(self, *channel_ids: int) -> Erased:
        """Erase what came from these deleted channels or threads. Raises StoreError."""
        return await self._erase(Scope(channel_ids=frozenset(channel_ids)), self._store.forget_channel, *channel_ids)

    async def member(self, member_id: int) -> Erased:
        """Erase a member everywhere, with consent and preferences, and what others made of their photos. Raises StoreError."""
        return await self._erase(Scope(member_id=member_id), self._store.forget_member, member_id)

    async def member_here(self, owner: Owner) -> Erased:
        """Erase a member in one server, and what others made there of their photos. Raises StoreError."""
        return await self._erase(Scope(here=owner), self._store.forget, owner)

    async def server(self, guild_id: int) -> Erased:
        """Erase everything of a server that removed the bot, with its settings. Raises StoreError."""
        return await self._erase(Scope(guild_id=guild_id), self._store.forget_guild, guild_id)

    async def faces_of_server(self, guild_id: int) -> Erased:
        """Erase everything that came from a server, but not its settings: an admin's purge. Raises StoreError."""
        return await self._erase(Scope(guild_id=guild_id), self._store.purge_guild, guild_id)

    async def expired(self) -> None:
        """Erase what has expired, and end the work on requests that waited too long. Raises StoreError."""
        expired = await self._store.run(self._store.expire)
        await self._end_jobs(expired.lapsed)

    async def until_done(self, why: str, erase: Callable[[], Awaitable[Erased]]) -> None:
        """Erase, trying again while the store fails, since Discord reports an event only once. `why` is for the log."""
        for pause in (*RETRIES, None):
            try:
                erased = await erase()
            except EgaoError as error:  # in the end retention erases it; the operator has to know now
                log.error("%s: could not be erased%s: %s", why, "" if pause is None else " yet", error.code)
                if pause is None:
                    return
            else:
                if erased.faces or erased.jobs:
                    log.info("%s: %d faces and %d requests erased", why, erased.faces, erased.jobs)
                return
            await asyncio.sleep(pause)

    async def _erase(self, scope: Scope, erase: Callable[..., Erased], *of: int | Owner) -> Erased:
        self._recent.note(scope)
        self._end_waiting(scope)
        erased = await self._store.run(erase, *of)
        await self._end_jobs(erased.job_ids)
        return erased
