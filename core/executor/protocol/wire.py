"""Encodes messages as frames: a header of JSON, and beside it the bytes of photos and pictures, which are not copied.

    frame = length of the header, number of parts (two unsigned 32 bit numbers), length of each part (64 bit), header, parts

The JSON is [name of the message, fields]; bytes are replaced by {"\\0": number of the part}. Decoding only makes plain data
and calls nothing. A name that is no message, a field that is not of its type, an endless number, a part that does not exist,
a header of over `HEADER` bytes or a frame of over `LARGEST` raise BadFrame. The worker decodes pictures from strangers, so it
is not trusted.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

from core.executor.kinds import Request, kind_of
from core.executor.protocol.link import BadFrame
from core.executor.protocol.messages import FromWorker, ToWorker
from core.executor.protocol.payload import adapter, flatten

LARGEST: Final = 1 << 30  # bytes of one frame
HEADER: Final = 1 << 22  # bytes of its header: texts and numbers, of which 40 kB are usual
PARTS: Final = 256  # of one frame; a batch of renders has two for each request
NESTED: Final = 16  # levels of the header; messages have about six
_HEAD = struct.Struct("!II")
_REQUEST = HEADER >> 6  # letters and numbers of one request: a batch of them, escaped, still fits
_SLICE = 1 << 18  # bytes written between two looks at the other side's backlog
_PART = "\0"  # the key that stands for bytes

Message = ToWorker | FromWorker
_MESSAGES: Final[dict[str, type]] = {kind.__name__: kind for kind in (*get_args(ToWorker), *get_args(FromWorker))}


def encode(message: Message) -> list[bytes]:
    """Encode a message as a frame, a list of buffers to send one by one.

    Raises BadFrame for anything not plain, such as arrays.
    """
    parts: list[bytes] = []

    def put(value: object) -> object:
        if isinstance(value, bytes):
            parts.append(value)
            return {_PART: len(parts) - 1}
        if isinstance(value, Path):  # of the settings
            return str(value)
        raise TypeError(f"{type(value).__name__} is not plain")

    try:
        tree = [type(message).__name__, adapter(type(message)).dump_python(message, warnings="error")]
        header = json.dumps(tree, default=put, separators=(",", ":")).encode()
    except Exception as error:  # whatever fields may hold that they should not
        raise BadFrame(f"{type(error).__name__}: {error}") from None
    lengths = struct.pack(f"!{len(parts)}Q", *(len(part) for part in parts))
    if len(header) > HEADER or len(parts) > PARTS or sum(len(part) for part in parts) > LARGEST:
        raise BadFrame(f"a header of {len(header)} bytes and {len(parts)} parts")
    return [_HEAD.pack(len(header), len(parts)) + lengths + header, *parts]


def decode(header: bytes, parts: Sequence[bytes], expected: Any) -> Any:
    """Decode a message, one of the union `expected`, from a header and its parts. Raises BadFrame."""
    try:
        tree = json.loads(
            header,
            object_hook=lambda found: parts[_index(found[_PART])] if found.keys() == {_PART} else found,
            parse_float=_finite,
            parse_int=_small,
            parse_constant=_nan,
        )
        _shallow(tree, NESTED)
        name, fields = tree
        kind = _MESSAGES[name]
        if kind not in get_args(expected):
            raise ValueError(f"{name} is not said by this side")
        return adapter(kind).validate_python(fields)
    except Exception as error:  # readers of hostile bytes raise anything
        raise BadFrame(f"{type(error).__name__}: {str(error)[:300]}") from None


def _index(number: object) -> int:
    if type(number) is not int or number < 0:
        raise ValueError("no number of a part")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number without end")
    return number


def _small(text: str) -> int:
    if len(text) > 20:
        raise ValueError("a number of very many digits")
    return int(text)


def _nan(text: str) -> float:
    """Parse NaN, since a score may be unknown. Raises ValueError for anything else, such as Infinity."""
    if text != "NaN":
        raise ValueError(f"{text} is no number")
    return math.nan


def _shallow(tree: object, levels: int) -> None:
    if levels < 0:
        raise ValueError("nested too deep")
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for one in inner:
        _shallow(one, levels - 1)


def checked(message: FromWorker) -> list[bytes]:
    """Encode a message as a frame that the other side will accept. Raises BadFrame."""
    frame = encode(message)
    head = _HEAD.unpack_from(frame[0])
    decode(frame[0][-head[0] :], frame[1:], FromWorker)
    return frame


def fits(request: Request) -> None:
    """Check that a request can be sent to a worker. Raises BadFrame, or TypeError if it is no request."""
    kind_of(request)
    try:
        _, parts = flatten(request)
    except Exception as error:
        raise BadFrame(f"{type(error).__name__}: {error}") from None
    if sum(len(part) for part in parts.values() if isinstance(part, str | tuple)) > _REQUEST:
        raise BadFrame("a request of very many letters or numbers")


def _lengths(head: bytes) -> tuple[int, int]:
    """Read the size of the header, in bytes, and the number of parts. Raises BadFrame for more than is allowed."""
    size, count = _HEAD.unpack(head)
    if size > HEADER or count > PARTS:
        raise BadFrame(f"a header of {size} bytes and {count} parts")
    return size, count


def _sizes(packed: bytes) -> tuple[int, ...]:
    """Read the size of each part, in bytes. Raises BadFrame for more than LARGEST together."""
    sizes: tuple[int, ...] = struct.unpack(f"!{len(packed) // 8}Q", packed)
    if sum(sizes) > LARGEST:
        raise BadFrame(f"a frame of {sum(sizes)} bytes")
    return sizes


async def read(reader: asyncio.StreamReader, expected: Any = FromWorker) -> Any:
    """Read the next message, by default one of a worker; None when the connection is closed. Raises BadFrame."""
    try:
        size, count = _lengths(await reader.readexactly(_HEAD.size))
        sizes = _sizes(await reader.readexactly(8 * count))
        header = await reader.readexactly(size)
        parts = [await reader.readexactly(one) for one in sizes]
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return decode(header, parts, expected)


async def write(sock: socket.socket, message: ToWorker) -> None:
    """Send a message in slices, without blocking the event loop. Raises ConnectionError, BadFrame."""
    loop, frame = asyncio.get_running_loop(), encode(message)
    if sum(len(buffer) for buffer in frame) <= _SLICE:
        await loop.sock_sendall(sock, b"".join(frame))
        return
    for buffer in frame:
        view = memoryview(buffer)
        for start in range(0, len(view), _SLICE):
            await loop.sock_sendall(sock, view[start : start + _SLICE])
            await asyncio.sleep(0)  # sending alone gives no way as long as the worker keeps up


def read_blocking(sock: socket.socket, expected: Any = ToWorker) -> Any:
    """Read the next message for a worker; None when the connection is closed. Raises BadFrame."""
    if (head := _exactly(sock, _HEAD.size)) is None:
        return None
    size, count = _lengths(head)
    if (packed := _exactly(sock, 8 * count)) is None or (header := _exactly(sock, size)) is None:
        return None
    parts = [_exactly(sock, one) for one in _sizes(packed)]
    whole = [part for part in parts if part is not None]
    return decode(header, whole, expected) if len(whole) == count else None


def write_blocking(sock: socket.socket, frame: Sequence[bytes]) -> None:
    """Send a whole frame. Raises OSError."""
    for buffer in frame:
        sock.sendall(buffer)


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
