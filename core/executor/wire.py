"""What the bot's process and a worker say to each other: pickled messages, each after its length in 8 bytes.

The worker decodes pictures from strangers, so its word is not taken for everything: the reading side rebuilds only
the message, request and error classes of this package (`load`), and no frame may be longer than `LARGEST`.
"""

from __future__ import annotations

import asyncio
import io
import pickle
import socket
import struct
from dataclasses import dataclass, is_dataclass
from typing import Any

import core.errors
from core.errors import EgaoError
from core.executor.requests import Animate, Progress, Project, Request, Result
from core.settings import Settings

LARGEST = 1 << 30  # bytes of one frame
_LENGTH = struct.Struct("!Q")
_ASIDE = 1 << 21  # bytes from which a frame is made or rebuilt off the event loop
_SLICE = 1 << 18  # bytes written between two looks at the other side's backlog
_TRUSTED = ("core.executor.requests", "core.executor.wire")
_PLAIN = (str, int, float, bool, bytes, type(None))


# -- to the worker


@dataclass(frozen=True)
class Setup:
    """The first message: what to build."""

    factory: str  # "module:function"
    settings: Settings  # without secrets
    parent: int  # the process that the worker must not outlive
    memory: int | None = None  # bytes of its own data that it may hold
    nice: int = 0  # how far it stands back for others, 0 to 19


@dataclass(frozen=True)
class Quick:
    """Short requests of one kind, to be answered before the next step of anything long."""

    jobs: tuple[int, ...]
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Begin:
    """A request worked on step by step."""

    job: int
    request: Project | Animate


@dataclass(frozen=True)
class Drop:
    """Give up a stepwise job at its next yield; answered by `Dropped` if it was still there."""

    job: int


@dataclass(frozen=True)
class Stop:
    """Leave in good order."""


# -- from the worker


@dataclass(frozen=True)
class Ready:
    seconds: float  # that building the workbench took


@dataclass(frozen=True)
class Unready:
    error: EgaoError


@dataclass(frozen=True)
class At:
    """Work on these jobs begins now: whatever happens until the next message happens because of them."""

    jobs: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    job: int
    progress: Progress


@dataclass(frozen=True)
class Done:
    job: int
    answer: Result | EgaoError
    seconds: float  # of work, not of waiting for other jobs; a batch is counted by its first answer


@dataclass(frozen=True)
class Dropped:
    job: int


@dataclass(frozen=True)
class Log:
    level: int
    name: str
    text: str


ToWorker = Setup | Quick | Begin | Drop | Stop
FromWorker = Ready | Unready | At | Step | Done | Dropped | Log


class BadFrame(Exception):
    """The other side sent something that is not one of our messages."""


class _Loader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = None
        if "." not in name and module in _TRUSTED:
            found = getattr(__import__(module, fromlist=[name]), name, None)
            found = found if isinstance(found, type) and is_dataclass(found) else None
        elif module == "core.errors":
            found = getattr(core.errors, name, None)
            if name != "_rebuild" and not (isinstance(found, type) and issubclass(found, EgaoError)):
                found = None
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} has no business in a message")
        return found


def dump(message: ToWorker | FromWorker) -> bytes:
    return pickle.dumps(message, protocol=5)


def load(frame: bytes) -> FromWorker:
    """Rebuild a worker's message from its own plain parts only. Raises BadFrame."""
    try:
        message = _Loader(io.BytesIO(frame)).load()
    except Exception as error:
        raise BadFrame(f"{type(error).__name__}: {error}") from None
    if not isinstance(message, FromWorker):
        raise BadFrame(f"{type(message).__name__} is not a message")
    return message


def portable(error: EgaoError) -> EgaoError:
    """The same error as the other side can rebuild it: a class of core.errors with plain facts."""
    kind = type(error)
    if kind.__module__ != "core.errors" or getattr(core.errors, kind.__name__, None) is not kind:
        return EgaoError()
    facts = {name: fact if type(fact) in _PLAIN else str(fact) for name, fact in error.facts.items()}
    whole: EgaoError = kind(**facts)
    return whole


def checked(message: FromWorker) -> bytes:
    """A frame that the other side will accept. Raises BadFrame for parts that are not plain, such as arrays."""
    frame = dump(message)
    load(frame)
    return frame


def weight(request: object) -> int:
    """Bytes of the files in a request."""
    return sum(len(part) for part in vars(request).values() if isinstance(part, bytes))


async def read(reader: asyncio.StreamReader) -> FromWorker | None:
    """The next message of a worker; None when it has hung up."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > LARGEST:
            raise BadFrame(f"a frame of {length} bytes")
        frame = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return await asyncio.to_thread(load, frame) if length > _ASIDE else load(frame)


async def write(sock: socket.socket, message: ToWorker) -> None:
    """Send without holding the event loop: pickled aside, handed over in slices. Raises ConnectionError."""
    loop = asyncio.get_running_loop()
    requests = message.requests if isinstance(message, Quick) else (message,)
    bulky = sum(weight(getattr(request, "request", request)) for request in requests) > _ASIDE
    frame = memoryview(await asyncio.to_thread(dump, message) if bulky else dump(message))
    await loop.sock_sendall(sock, _LENGTH.pack(len(frame)))
    for start in range(0, len(frame), _SLICE):
        await loop.sock_sendall(sock, frame[start : start + _SLICE])
        await asyncio.sleep(0)  # sending alone gives no way as long as the worker keeps up


def read_blocking(sock: socket.socket) -> Any:
    """The next message for a worker; None when the other side has hung up. It comes from the bot and is trusted."""
    head = _exactly(sock, _LENGTH.size)
    frame = _exactly(sock, _LENGTH.unpack(head)[0]) if head is not None else None
    return None if frame is None else pickle.loads(frame)  # noqa: S301


def write_blocking(sock: socket.socket, frame: bytes) -> None:
    sock.sendall(_LENGTH.pack(len(frame)))
    sock.sendall(frame)


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    frame = bytearray(count)
    view = memoryview(frame)
    while view:
        try:
            got = sock.recv_into(view)
        except OSError:
            return None
        if not got:
            return None
        view = view[got:]
    return bytes(frame)
