"""The gateway: sessions that outlive their connection, numbered events, RESUME with replay."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.discord.fake.world import MEMBERS, MESSAGE_CONTENT, World

if TYPE_CHECKING:
    from tests.discord.fake.guilds import Guild

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, REQUEST_MEMBERS, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 8, 9, 10, 11
REPLAY = 20_000  # events a session keeps for RESUME


class Session:
    """What a client identified as. `socket` is None between a drop and the RESUME."""

    def __init__(self, shard: tuple[int, int], intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard, self.intents = shard, intents
        self.sequence = 0
        self.replay: deque[tuple[int, str]] = deque(maxlen=REPLAY)
        self.times: list[float] = []  # time.monotonic() of each event
        self.connection: Connection | None = None

    def owns(self, guild: Guild | None) -> bool:
        """Direct channels belong to shard 0."""
        return ((guild.id >> 22) % self.shard[1] if guild else 0) == self.shard[0]

    def push(self, event: str, data: Any) -> None:
        self.sequence += 1
        self.times.append(time.monotonic())
        frame = json.dumps({"op": DISPATCH, "t": event, "s": self.sequence, "d": data})
        self.replay.append((self.sequence, frame))
        if self.connection:
            self.connection.send(frame)


class Connection:
    """One websocket. Frames go through a queue, so that dispatching never waits."""

    def __init__(self, raw: web.Request, ws: web.WebSocketResponse) -> None:
        self.raw, self.ws = raw, ws
        self.session: Session | None = None
        self.ended_here = False  # this side closed it, so its close code says nothing of the client
        self._frames: asyncio.Queue[str] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: str) -> None:
        self._frames.put_nowait(frame)

    def op(self, code: int, data: Any = None) -> None:
        self.send(json.dumps({"op": code, "d": data, "s": None, "t": None}))

    async def _write(self) -> None:
        with suppress(ConnectionError, RuntimeError):
            while True:
                await self.ws.send_str(await self._frames.get())

    async def end(self) -> None:
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer
        if self.session and self.session.connection is self:
            self.session.connection = None

    def abort(self) -> None:
        """As when a cable is pulled: a reset, no close frame."""
        if self.raw.transport is None:
            return
        handle = self.raw.transport.get_extra_info("socket")
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.transport.abort()


class Gateway:
    """All sessions. `log` keeps what happened as (time.monotonic(), word): identify, resume, resumed, drop, ..."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""  # set by the server once it listens
        self.shards = 1
        self.heartbeat = 41.25  # seconds between heartbeats that HELLO asks for
        self.refusing = False  # answer 503 to new connections: the gateway is gone
        self.silent = False  # acknowledge no heartbeat
        self.sessions: dict[str, Session] = {}
        self.forgotten: dict[str, Session] = {}
        self.unheard: list[tuple[float, float]] = []  # from when until when no session took down what happened for the bot
        self._deaf: float | None = None  # since when that is so now
        self.connections: set[Connection] = set()
        self.log: list[tuple[float, str]] = []
        self.heartbeats = 0
        self._begun: dict[int, float] = {}  # when a session was last begun, by the shard's number modulo max_concurrency

    @property
    def connected(self) -> bool:
        """Whether every shard has a live session."""
        live = [s for s in self.sessions.values() if s.connection]
        return bool(live) and {s.shard[0] for s in live} == set(range(live[0].shard[1]))

    def count(self, word: str) -> int:
        return sum(entry == word for _, entry in self.log)

    async def wait_for(self, word: str, times: int = 1, within: float = 10.0) -> None:
        """Until `word` has been logged `times` times in all."""
        await self.world.until(lambda: self.count(word) >= times, within, f"gateway {word!r} x{times}")

    def note(self, word: str) -> None:
        self.log.append((time.monotonic(), word))
        self.world.changed()

    def dispatch(self, event: str, data: Any, *, guild: Guild | None, intent: int, without_content: Any = None) -> None:
        """Send to every session that owns `guild` and asked for `intent` (0: everyone), connected or not."""
        for session in self.sessions.values():
            if session.owns(guild) and (not intent or session.intents & intent):
                hide = without_content is not None and not session.intents & MESSAGE_CONTENT
                session.push(event, without_content if hide else data)
        self.world.changed()

    # --- troubles -----------------------------------------------------------------------------

    def _of(self, shard: int | None) -> list[Connection]:
        """The connections of one shard, or of all."""
        every = list(self.connections)
        return every if shard is None else [one for one in every if one.session and one.session.shard[0] == shard]

    async def drop(self, code: int | None = None, *, shard: int | None = None) -> None:
        """End every connection, or one shard's: with this close code, or as if the line broke. Sessions stay resumable."""
        self.note("drop")
        for connection in self._of(shard):
            connection.ended_here = True
            if code is None:
                connection.abort()
            else:
                await connection.ws.close(code=code)

    def ask_reconnect(self) -> None:
        """Op 7, as before a gateway's restart."""
        for connection in list(self.connections):
            connection.op(RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Op 9; without `resumable` the sessions are forgotten and the client must identify again."""
        if not resumable:
            self.forget()
        for connection in list(self.connections):
            connection.op(INVALID, resumable)

    def forget(self) -> None:
        """Lose every session, so that a RESUME is refused."""
        self.forgotten |= self.sessions
        self.sessions.clear()
        self._deaf = time.monotonic() if self._deaf is None else self._deaf

    # --- the protocol -------------------------------------------------------------------------

    async def handle(self, raw: web.Request) -> web.StreamResponse:
        if self.refusing:
            return web.Response(status=503)
        ws = web.WebSocketResponse(max_msg_size=0, autoping=True)
        await ws.prepare(raw)
        connection = Connection(raw, ws)
        self.connections.add(connection)
        connection.op(HELLO, {"heartbeat_interval": int(self.heartbeat * 1000), "_trace": []})
        try:
            async for frame in ws:
                if frame.type is WSMsgType.TEXT:
                    await self._take(connection, json.loads(frame.data))
        except ConnectionError:
            pass
        finally:
            self._gone(connection)
            await connection.end()
        return ws

    def _gone(self, connection: Connection) -> None:
        self.connections.discard(connection)
        session = connection.session
        if session and not connection.ended_here and connection.ws.close_code in (1000, 1001):  # left for good
            self.sessions.pop(session.id, None)
            self.note("left")
        else:
            self.note("lost")

    async def _take(self, connection: Connection, frame: dict[str, Any]) -> None:
        op, data = frame["op"], frame.get("d") or {}
        if op == HEARTBEAT:
            self.heartbeats += 1
            if not self.silent:
                connection.op(ACK)
        elif op == IDENTIFY:
            await self._identify(connection, data)
        elif op == RESUME:
            await self._resume(connection, data)
        elif op == REQUEST_MEMBERS:
            self._chunk(connection, data)

    async def _identify(self, connection: Connection, data: dict[str, Any]) -> None:
        self.note("identify")
        wanted, rules = data["intents"], self.world.rules
        if data["token"] != self.world.token:
            await connection.ws.close(code=4004, message=b"Authentication failed.")
            return
        if (wanted & MESSAGE_CONTENT and not rules.message_content) or (wanted & MEMBERS and not rules.members_intent):
            await connection.ws.close(code=4014, message=b"Disallowed intent(s).")
            return
        number, total = data.get("shard") or (0, 1)
        bucket, now = number % rules.max_concurrency, time.monotonic()
        if now - self._begun.get(bucket, -rules.identify_every) < rules.identify_every:
            self.note("too fast")
            connection.op(INVALID, False)
            return
        self._begun[bucket] = now
        for old in [s for s in self.sessions.values() if s.shard == (number, total) and not s.connection]:
            del self.sessions[old.id]
        session = Session((number, total), wanted)
        self.sessions[session.id] = session
        connection.session, session.connection = session, connection
        self._welcome(session)

    def _welcome(self, session: Session) -> None:
        guilds = [guild for guild in self.world.guilds.values() if session.owns(guild)]
        application = {"id": str(self.world.application_id), "flags": self.world.application()["flags"]}
        ready = {
            "v": 10,
            "user": self.world.bot.payload(),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": application,
        }
        session.push("READY", ready)
        for guild in guilds:
            everyone = bool(session.intents & MEMBERS)
            session.push("GUILD_CREATE", {**guild.payload(everyone=everyone), "unavailable": False})
        self.note("ready")
        if self._deaf is not None:
            self.unheard.append((self._deaf, time.monotonic()))
            self._deaf = None

    async def _resume(self, connection: Connection, data: dict[str, Any]) -> None:
        self.note("resume")
        session = self.sessions.get(data["session_id"])
        held = session.replay[0][0] - 1 if session and session.replay else 0
        if session is None or data["token"] != self.world.token or not held <= data["seq"] <= session.sequence:
            self.note("refused")
            missed = self.forgotten[data["session_id"]].times[data["seq"] :] if data["session_id"] in self.forgotten else []
            if missed and self._deaf is not None:  # it had not got all of them before
                self._deaf = min(self._deaf, missed[0])
            connection.op(INVALID, False)
            return
        connection.session, session.connection = session, connection
        for sequence, frame in session.replay:
            if sequence > data["seq"]:
                connection.send(frame)
        session.push("RESUMED", {"_trace": []})
        self.note("resumed")

    def _chunk(self, connection: Connection, data: dict[str, Any]) -> None:
        guild = self.world.guilds.get(int(data["guild_id"]))
        if guild is None or connection.session is None:
            return
        named = {int(key) for key in data.get("user_ids") or ()}
        found = [m for m in guild.members.values() if not named or m.user.id in named]
        if data.get("query"):
            found = [m for m in found if m.user.name.casefold().startswith(data["query"].casefold())]
        listed = [member.payload() for member in found[: data.get("limit") or None]]
        answer: dict[str, Any] = {"guild_id": str(guild.id), "members": listed}
        answer |= {"chunk_index": 0, "chunk_count": 1, "not_found": [], "presences": []}
        connection.session.push("GUILD_MEMBERS_CHUNK", {**answer, "nonce": data.get("nonce")})
