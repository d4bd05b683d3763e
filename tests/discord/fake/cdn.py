"""The CDN: signed links that run out, and every bad way of delivering a file."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from tests.discord.fake.world import World

if TYPE_CHECKING:
    from tests.discord.fake.messages import Attachment

SECRET = b"the fake signs its links with this"
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Delivery:
    """How a file is served. The default is at once, whole, and honest."""

    delay: float = 0.0  # seconds before the first byte
    drip: tuple[int, float] | None = None  # (bytes, seconds): so many bytes, then a pause, and so on
    declared: int | None = None  # Content-Length, if it lies; the body ends when the file does
    unbounded: bool = False  # no Content-Length, and bytes without end
    last: asyncio.Event | None = None  # the last piece waits for this
    cut_after: int | None = None  # break the connection after so many bytes
    redirect: str | None = None  # answer 302 to this URL
    status: int = 200
    content_type: str | None = None  # None: as the file name says


@dataclass
class Fetch:
    """One download, as the CDN saw it. Times are `time.monotonic()`."""

    path: str
    at: float
    status: int = 0
    sent: int = 0
    done: float = 0.0


class Cdn:
    """`deliver` sets how one file is served; `default` serves the others. `capacity` bounds what is remembered."""

    def __init__(self, world: World, capacity: int = 512 * 2**20) -> None:
        self.world, self.capacity = world, capacity
        self.base = ""  # set by the server once it listens
        self.default = Delivery()
        self.fetches: list[Fetch] = []
        self._kept: dict[int, Attachment] = {}
        self._special: dict[int, Delivery] = {}
        self._bytes = 0

    def keep(self, attachment: Attachment) -> None:
        """Hold a file; the oldest files are let go past `capacity` and then answer 404."""
        self._kept[attachment.id] = attachment
        self._bytes += attachment.size
        while self._bytes > self.capacity and len(self._kept) > 1:
            self.drop(next(iter(self._kept.values())))

    def drop(self, attachment: Attachment) -> None:
        if self._kept.pop(attachment.id, None):
            self._bytes -= attachment.size
            attachment.data = b""

    def deliver(self, attachment: Attachment, delivery: Delivery) -> None:
        """Answer requests for this attachment in this way from now on: slow, broken, gone."""
        self._special[attachment.id] = delivery

    def url(self, attachment: Attachment) -> str:
        """A link that works for `rules.link_life` seconds from now."""
        folder = "ephemeral-attachments" if attachment.ephemeral else "attachments"
        owner = self.world.application_id if attachment.ephemeral else attachment.channel.id
        path = f"/{folder}/{owner}/{attachment.id}/{attachment.filename}"
        now = int(self.world.clock.now())
        ends = f"{now + int(self.world.rules.link_life):x}"
        return f"{self.base}{path}?ex={ends}&is={now:x}&hm={_sign(path, ends)}"

    async def handle(self, raw: web.Request) -> web.StreamResponse:
        fetch = Fetch(raw.path, time.monotonic())
        self.fetches.append(fetch)
        self.world.changed()
        try:
            return await self._serve(raw, fetch)
        finally:
            fetch.done = time.monotonic()

    async def _serve(self, raw: web.Request, fetch: Fetch) -> web.StreamResponse:
        key = raw.path.split("/")[-2]
        attachment = self._kept.get(int(key)) if key.isdigit() else None
        ends = raw.query.get("ex", "0")
        fresh = int(ends, 16) > self.world.clock.now() and raw.query.get("hm") == _sign(raw.path, ends)
        how = self._special.get(int(key), self.default) if key.isdigit() else self.default
        if attachment is None or not fresh or how.status != 200:
            fetch.status = how.status if how.status != 200 else 404
            return web.Response(status=fetch.status, text="This content is no longer available.")
        await asyncio.sleep(how.delay)
        if how.redirect:
            fetch.status = 302
            return web.Response(status=302, headers={"Location": how.redirect})
        fetch.status = 200
        return await self._send(raw, attachment, how, fetch)

    async def _send(self, raw: web.Request, attachment: Attachment, how: Delivery, fetch: Fetch) -> web.StreamResponse:
        kind = how.content_type or attachment.content_type or "application/octet-stream"
        response = web.StreamResponse(headers={"Content-Type": kind})
        data = attachment.data
        if how.unbounded:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(data) if how.declared is None else how.declared
        size, pause = how.drip or (CHUNK, 0.0)
        with suppress(ConnectionError):
            await response.prepare(raw)
            while fetch.sent < len(data) or how.unbounded:
                piece = data[fetch.sent : fetch.sent + size] or b"\0" * size
                if how.last is not None and fetch.sent + len(piece) >= len(data):
                    await how.last.wait()
                await response.write(piece)
                fetch.sent += len(piece)
                if how.cut_after is not None and fetch.sent >= how.cut_after:
                    break
                await asyncio.sleep(pause)
            if how.cut_after is None and how.declared is None:
                await response.write_eof()
            elif raw.transport:
                raw.transport.close()  # short of what was declared, so the line just ends
        return response


def _sign(path: str, ends: str) -> str:
    return hmac.new(SECRET, f"{path}?{ends}".encode(), hashlib.sha256).hexdigest()
