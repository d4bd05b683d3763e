"""The page's server: aiohttp on the loopback address, with a path for each request of the page.

`TOKEN/` is the page, `TOKEN/tab` a WebSocket that stays open as long as the page: when it closes, the page's photo is
forgotten. Requests below `TOKEN/tab/NAME/` give a photo, learn a face, preview edits and make pictures. If the browser aborts
a request, its work is cancelled too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from importlib.resources import files
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from aiohttp import WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.edit.scale import LIMIT
from core.errors import BadOption, EgaoError
from core.expressions import named as expression_named
from core.expressions import names
from core.languages import translation
from core.pictures import SUFFIXES
from core.play.guard import Guard
from core.play.held import Choice, Held
from core.play.refusal import Refusal, malformed, no_such_page, not_held
from core.play.studio import Learned, Learning, Studio, sample
from core.play.tabs import Tabs
from core.play.words import language_of, said_of, script
from core.play.worker import Worker

Asked = TypeVar("Asked", bound=BaseModel)
Part = TypeVar("Part")
HOST: Final = "127.0.0.1"  # not a setting: elsewhere it would need users and permissions, which it does not have
MOST_FILES: Final = 2  # photos that are read at once, each of 250 MB at most; what else is sent waits where it is
JSON_BYTES = 64 * 2**10  # of a request: forty faces take four thousand
WORDS: Final = "words.js"  # the only file of the page that is not one: in each language another
ALIVE = 20.0  # seconds between two looks whether a page is still there
_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_silent = logging.getLogger(f"{__name__}.protocol")  # aiohttp's messages about malformed requests quote them with the token
_silent.disabled = True


class _Learn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    face: int = Field(ge=0)
    expression: str = ""


class _Choices(BaseModel):
    model_config = ConfigDict(extra="forbid")
    choices: list[Choice] = Field(max_length=64)
    face: int = Field(0, ge=0)  # the one that is being changed


class PlayServer:
    """The server for one person's pages. Entering it raises BadSetting if the port is not available."""

    def __init__(self, studio: Studio, port: int = 0) -> None:
        self._studio, self._port = studio, port
        self._settings = studio.editor.models.settings
        self.guard, self.tabs, self.worker = Guard(), Tabs(), Worker()
        self.reading = asyncio.Semaphore(MOST_FILES)
        folder = files("core.play") / "page"
        self._files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in _TYPES}
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """The address to open, with the token."""
        return f"http://{HOST}:{self.guard.port}/{self.guard.token}/"

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self.guard.middleware], client_max_size=JSON_BYTES)
        app.on_response_prepare.append(self.guard.mark)
        app.router.add_routes(self._routes())
        # handler_cancellation: a page that breaks a request off ends the work
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, logger=_silent, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise BadOption(name="--port", reason=f"{self._port}: {error.strerror}") from None
        self.guard.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self.worker.close()

    def _routes(self) -> list[web.RouteDef]:
        root, tab = "/{token}", "/{token}/tab/{tab}"
        return [
            web.get(f"{root}/", self._index), web.get(f"{root}/page/{{name}}", self._file), web.get(f"{root}/tab", self._live),
            web.post(f"{tab}/photo", self._give), web.post(f"{tab}/sample", self._give_sample),
            web.get(f"{tab}/photo", self._photo), web.delete(f"{tab}/photo", self._delete),
            web.get(f"{tab}/faces/{{face:\\d{{1,3}}}}", self._face), web.post(f"{tab}/learn", self._learn),
            web.post(f"{tab}/quick", self._quick), web.post(f"{tab}/picture", self._make),
            web.get(f"{tab}/picture/{{version:\\d{{1,9}}}}", self._picture),
            web.get(f"{tab}/file/{{version:\\d{{1,9}}}}", self._download),
        ]  # fmt: skip

    async def _index(self, _: web.Request) -> web.Response:
        return self._sent("index.html")

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == WORDS:
            return web.Response(body=script(language_of(request)), content_type=_TYPES["js"], charset="utf-8")
        return self._sent(name)

    def _sent(self, name: str) -> web.Response:
        """Answer with a file of the page. They are read once, at the start, so no path of a request ever reaches the disk."""
        if name not in self._files:
            raise no_such_page()
        kind = _TYPES[name.rpartition(".")[2]]
        return web.Response(body=self._files[name], content_type=kind, charset="utf-8")

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        """Keep the WebSocket of a page open, and forget all that belongs to the page when it closes."""
        socket = web.WebSocketResponse(heartbeat=ALIVE, max_msg_size=1024)
        tab = self.tabs.open()
        try:
            await socket.prepare(request)
            await socket.send_json(
                {"tab": tab, "sample": sample() is not None, "limit": LIMIT, "expressions": _expressions(language_of(request))}
            )
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
        finally:
            self.tabs.close(tab)
        return socket

    async def _give(self, request: web.Request) -> web.Response:
        """Read a photo's file from the request, and answer with its faces. Raises PhotoError, Refusal."""
        editor = self._studio.editor
        self.tabs.check(request.match_info["tab"])
        if request.content_length is not None:
            editor.check_size(request.content_length)
        async with self.reading:
            data = bytearray()
            async for part in request.content.iter_any():
                data += part
                editor.check_size(len(data))
            return await self._held(request, bytes(data), request.query.get("name", ""))

    async def _give_sample(self, request: web.Request) -> web.Response:
        data = sample()
        if data is None:
            raise no_such_page()
        return await self._held(request, data, "sample")

    async def _held(self, request: web.Request, data: bytes, name: str) -> web.Response:
        tab = request.match_info["tab"]
        self.tabs.drop(tab)
        held = await self.worker.last(self._studio.open(data, name))
        assert held is not None
        self.tabs.put(tab, held)
        height, width = held.photo.pixels.shape[:2]
        sizes, language = (width, height, width, height), language_of(request)
        faces = [{"box": [round(edge / size, 4) for edge, size in zip(one.box, sizes, strict=True)]} for one in held.faces]
        return web.json_response(
            {"width": width, "height": height, "name": held.name, "faces": faces, "kind": held.photo.manner.own,
             "left_out": [translation(language).get("reason", one) for one in held.photo.left_out]}
        )  # fmt: skip

    async def _photo(self, request: web.Request) -> web.Response:
        held = self._of(request)
        return _jpeg(await self.worker.call(lambda: self._studio.shown(held)))

    async def _face(self, request: web.Request) -> web.Response:
        held, number = self._of(request), int(request.match_info["face"])
        return _jpeg(await self.worker.call(lambda: self._studio.thumbnail(held, number)))

    async def _delete(self, request: web.Request) -> web.Response:
        self.tabs.drop(request.match_info["tab"])
        return web.json_response({})

    async def _learn(self, request: web.Request) -> web.StreamResponse:
        """Learn a face, answering with a line of JSON for each step; the last line has the result or the error."""
        held, asked = self._of(request), await _read(request, _Learn)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        async with aclosing(self._still_held(request, held, self._studio.learn(held, asked.face, asked.expression))) as parts:
            first = await anext(parts)  # an immediate refusal is sent with its HTTP status
            await response.prepare(request)
            await response.write(_line(first))
            try:
                async for part in parts:
                    await response.write(_line(part))
            except EgaoError as error:
                await response.write(_packed({"error": error.code, "sentence": said_of(error, language_of(request))}))
            except Refusal as refusal:
                await response.write(_packed({"error": refusal.code, "sentence": said_of(refusal, language_of(request))}))
        await response.write_eof()
        return response

    async def _quick(self, request: web.Request) -> web.Response:
        held, asked = self._of(request), await _read(request, _Choices)
        return _jpeg(await self.worker.call(lambda: self._studio.glance(held, asked.choices, asked.face)))

    async def _make(self, request: web.Request) -> web.Response:
        """Make the picture in full quality, and answer with the verdict on each face."""
        held, asked = self._of(request), await _read(request, _Choices)
        made = None
        async with aclosing(self._still_held(request, held, self._studio.picture(held, asked.choices))) as parts:
            async for part in parts:
                made = part
        assert made is not None
        told = [
            {"face": choice.face, "told": None if one.told is None else said_of(one.told, language_of(request)),
             "before": _score(one.before), "after": _score(one.after)}
            for choice, one in zip(asked.choices, made.verdicts, strict=True)
        ]  # fmt: skip
        return web.json_response({"version": made.version, "edited": bool(made.choices), "faces": told})

    async def _picture(self, request: web.Request) -> web.Response:
        held = self._made(request)
        return _jpeg(await self.worker.call(lambda: self._studio.result_shown(held)))

    async def _download(self, request: web.Request) -> web.Response:
        held, asked = self._made(request), request.query.get("kind", "")
        kind = next((one for one in SUFFIXES if one == asked), None)
        if asked and kind is None:
            raise malformed()
        content, name, made = await self.worker.call(lambda: self._studio.file(held, kind))
        plain = f"attachment; filename=\"egao.{SUFFIXES[made]}\"; filename*=UTF-8''{quote(f'{name}.{SUFFIXES[made]}')}"
        return web.Response(body=content, content_type=f"image/{made}", headers={"Content-Disposition": plain})

    def _of(self, request: web.Request) -> Held:
        return self.tabs.held(request.match_info["tab"])

    def _made(self, request: web.Request) -> Held:
        """Return the page's photo if its result is still the version asked for. Raises Refusal."""
        held = self._of(request)
        if held.result is None or held.version != int(request.match_info["version"]):
            raise no_such_page()
        return held

    async def _still_held(self, request: web.Request, held: Held, work: Iterator[Part]) -> AsyncGenerator[Part, None]:
        """Run the work on a photo in parts. Raises Refusal if the page no longer holds that photo."""
        async with aclosing(self.worker.parts(work)) as parts:
            async for part in parts:
                if self._of(request) is not held:
                    raise not_held()
                yield part


async def _read(request: web.Request, kind: type[Asked]) -> Asked:
    """Parse a request's JSON. Raises Refusal."""
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError:
        raise malformed() from None


def _expressions(language: str) -> list[dict[str, str]]:
    said = [(name, expression_named(name).said(language)) for name in names()]
    return [{"name": name, "said": words.name, "strength": words.strength} for name, words in said]


def _jpeg(content: bytes) -> web.Response:
    return web.Response(body=content, content_type="image/jpeg")


def _line(part: Learning | Learned) -> bytes:
    if isinstance(part, Learned):
        return _packed({"neutral": round(part.neutral, 3), "now": _score(part.now)})
    picture = None if part.picture is None else base64.b64encode(part.picture).decode()
    return _packed({"share": round(part.share, 3), "eta": round(part.eta, 1), "picture": picture})


def _packed(data: dict[str, Any]) -> bytes:
    return json.dumps(data).encode() + b"\n"


def _score(score: float) -> float | None:
    return None if score != score else round(score, 3)
