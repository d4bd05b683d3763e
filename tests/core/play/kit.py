"""A page's requests without a browser, to the real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import aiohttp

from core.edit import Editor, Models, PhotoEditor
from core.play import PlayServer, Studio
from core.play.held import Choice, Held
from core.play.studio import Learned, Learning, Made
from core.settings import Settings


class Counting(Studio):
    """The studio, and how many parts of learning and of making pictures it has done."""

    parts = made = 0

    def learn(self, held: Held, number: int, expression: str) -> Iterator[Learning | Learned]:
        for part in super().learn(held, number, expression):
            self.parts += 1
            yield part

    def picture(self, held: Held, choices: Sequence[Choice]) -> Iterator[Made | None]:
        for part in super().picture(held, choices):
            self.made += 1
            yield part


class Page:
    """What one open page asks."""

    def __init__(self, server: PlayServer, session: aiohttp.ClientSession, tab: str) -> None:
        self.server, self._session, self.tab = server, session, tab

    def address(self, path: str) -> str:
        return f"{self.server.address}tab/{self.tab}/{path}"

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status, and JSON or bytes."""
        async with self._session.request(method, self.address(path), **options) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if answer.content_type == "application/json" else body

    async def ok(self, method: str, path: str, **options: Any) -> Any:
        status, body = await self.ask(method, path, **options)
        assert status == 200, body
        return body

    async def learn(self, face: int = 0) -> list[dict[str, Any]]:
        """Every line of a face's learning."""
        body = await self.ok("POST", "learn", json={"face": face})
        return [json.loads(line) for line in body.splitlines()]

    def learning(self, face: int = 0) -> Any:
        """The same as a response to read from, or to break off."""
        return self._session.post(self.address("learn"), json={"face": face})

    @property
    def held(self) -> Held:
        return self.server.tabs.held(self.tab)


def choice(strength: float | str, face: int = 0) -> dict[str, Any]:
    return {"face": face, "strength": strength}


@contextlib.asynccontextmanager
async def opened(server: PlayServer) -> AsyncIterator[Page]:
    """A page, until it is closed."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.address}tab") as socket:
        hello = await socket.receive_json()
        yield Page(server, session, hello["tab"])


async def until(done: Callable[[], bool]) -> None:
    """Wait until `done()` is true, asking every 10 ms. Raises TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 - the product has no event for it
            await asyncio.sleep(0.01)


def bare(settings: Settings) -> PlayServer:
    """A server none of whose networks is loaded yet."""
    return PlayServer(Studio(PhotoEditor(Editor(Models(settings)))))
