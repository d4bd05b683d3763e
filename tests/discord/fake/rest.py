"""The way into the REST API: authorisation, bodies, faults, rate limits, errors, and a record of it all."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.discord.fake.errors import ApiError, too_large, unauthorized, unknown_route
from tests.discord.fake.faults import Fault, Faults, Limits
from tests.discord.fake.world import World

PREFIX = "/api/v10"
CALLBACK = re.compile(r"/interactions/\d+/([^/]+)/callback$")


@dataclass
class Request:
    """One request as it was received, and how it was answered. Times are `time.monotonic()`."""

    method: str
    path: str  # without the prefix and the query
    at: float
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None  # the JSON, or a multipart's payload_json
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # number in files[n] -> (name, bytes)
    sizes: dict[str, int] = field(default_factory=dict)  # of `files`, kept after their bytes were let go
    status: int = 0
    code: int = 0  # Discord's error code
    fault: Fault | None = None
    done: float = 0.0

    def __repr__(self) -> str:
        return f"<{self.method} {self.path} -> {self.status}{f' ({self.code})' if self.code else ''}>"


Handler = Callable[..., Any]


class Rest:
    """Routes by method and pattern; `{names}` in a pattern become arguments of the handler."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world, self.faults, self.limits = world, faults, Limits()
        self.requests: list[Request] = []
        self._routes: list[tuple[str, re.Pattern[str], Handler, bool]] = []

    def route(self, method: str, pattern: str, handler: Handler, *, open_to_all: bool = False) -> None:
        """`handler(request, **names)` returns JSON or None (204). `open_to_all` needs no bot token."""
        expression = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", pattern)
        self._routes.append((method, re.compile(f"^{expression}$"), handler, open_to_all))

    @property
    def unknown(self) -> list[Request]:
        """Requests to routes that this fake does not have; a test should find none."""
        return [request for request in self.requests if request.status == 404 and request.code == 0]

    async def handle(self, raw: web.Request) -> web.StreamResponse:
        found = Request(raw.method, raw.path.removeprefix(PREFIX), time.monotonic(), dict(raw.query), dict(raw.headers))
        self.requests.append(found)
        if (told := CALLBACK.match(found.path)) and (about := self.world.interactions.get(told[1])):
            about.tried = found.at
        fault = found.fault = self.faults.match(found.method, found.path)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        try:
            await _read(raw, found, self.world.rules.request_limit)
            response = await self._limited(raw, found, fault)
        except ApiError as error:
            found.code = error.code
            response = _json(error.body(), error.status)
        except ConnectionError:  # the bot is gone in the middle of its request
            response = web.Response(status=499)
        found.status, found.done = response.status, time.monotonic()
        found.files = {}  # the bytes live on in the CDN; a long run must not keep them twice
        self.world.changed()
        if fault and fault.reset:
            _reset(raw)
        return response

    async def _limited(self, raw: web.Request, request: Request, fault: Fault | None) -> web.StreamResponse:
        headers: dict[str, str] = {"Via": "1.1 google"}
        if self.world.rules.rate_limits:
            more, refused = self.limits.take(request.method, request.path)
            headers |= more
            if refused:
                return _rate_limited(*refused, headers=headers)
        spoiled = fault is not None and (fault.status is not None or fault.reset)
        if not spoiled or (fault and fault.applied):
            response = _json(await self._answer(request), headers=headers)
        if not spoiled:
            return response
        assert fault
        if fault.status == 429:
            kept = headers if fault.via else {k: v for k, v in headers.items() if k != "Via"}
            return _rate_limited(fault.retry_after, fault.is_global, headers=kept)
        return _json({"message": f"{fault.status}: injected", "code": 1}, fault.status or 500, headers)

    async def _answer(self, request: Request) -> Any:
        for method, pattern, handler, open_to_all in self._routes:
            if method == request.method and (match := pattern.match(request.path)):
                if not open_to_all and request.headers.get("Authorization") != f"Bot {self.world.token}":
                    raise unauthorized()
                answer = handler(request, **match.groupdict())
                return await answer if isinstance(answer, Awaitable) else answer
        raise unknown_route()


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Discord's Content-Type has no charset, and discord.py parses nothing else."""
    if data is None:
        return web.Response(status=204, headers=headers)
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers, content_type="application/json")


def _rate_limited(retry_after: float, is_global: bool, *, headers: dict[str, str]) -> web.Response:
    scope = {"X-RateLimit-Scope": "global" if is_global else "user", "Retry-After": str(int(retry_after) + 1)}
    scope |= {"X-RateLimit-Global": "true"} if is_global else {}
    body = {"message": "You are being rate limited.", "retry_after": round(retry_after, 3), "global": is_global}
    return _json(body, 429, headers | scope)


async def _read(raw: web.Request, request: Request, limit: int) -> None:
    """Body and files, never more than `limit` bytes."""
    if (raw.content_length or 0) > limit:
        raise too_large()
    if raw.content_type.startswith("multipart/"):
        left = limit
        async for part in await raw.multipart():
            data = bytes(await part.read(decode=False))  # type: ignore[union-attr]
            left -= len(data)
            if left < 0:
                raise too_large()
            name = part.name or ""  # type: ignore[union-attr]
            if name == "payload_json":
                request.body = json.loads(data)
            elif number := re.fullmatch(r"files\[(\d+)\]", name):
                request.files[number[1]] = (part.filename or "file", data)  # type: ignore[union-attr]
        request.sizes = {key: len(data) for key, (_, data) in request.files.items()}
    elif raw.can_read_body:
        text = await raw.text()
        request.body = json.loads(text) if text else None


def _reset(raw: web.Request) -> None:
    """Break the connection the hard way: the other side gets ECONNRESET, not an end of file."""
    transport = raw.transport
    if transport is None:
        return
    handle = transport.get_extra_info("socket")
    if handle is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
