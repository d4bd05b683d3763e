"""Leads to a worker on a node, from the bot's side: frames sealed and opened, its beats heard, its end told from its loss."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from time import monotonic
from typing import Final

from core.cluster.sealing import PUBLIC, NotSealed, Opener, Sealer, Side
from core.cluster.wording import LARGEST, PIECE, RECORD, SILENCE, Record
from core.executor.protocol import wire
from core.executor.protocol.link import BadFrame
from core.executor.protocol.messages import FromWorker, Log, ToWorker
from core.executor.worker.process import WorkerLog, shown

log = logging.getLogger(__name__)
_FULL: Final = 2 * PIECE  # bytes of frames that wait to be taken; then the node is not listened to
_LONGEST_ENDING: Final = 4000  # letters


class NodeLink:
    """One life of one worker on a node. Ends as `severed` unless the node says that the worker itself has ended."""

    pid = None

    def __init__(self, name: str, side: Side, sock: socket.socket, started: float) -> None:
        """`sock` is the bot's end of the link at the bridge; `started`: seconds that the node has to begin."""
        self.severed = True
        self._log = WorkerLog(name)
        self._side = side
        self._sock = sock
        self._flow = _Flow()
        self._frames = asyncio.StreamReader(limit=_FULL)
        self._frames.set_transport(self._flow)
        self._outbox: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._met: asyncio.Future[Sealer] = asyncio.get_running_loop().create_future()
        self._ending = "out of reach"
        self._due = monotonic() + started
        self._over = False
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._write())]

    def send(self, message: ToWorker) -> None:
        self._outbox.put_nowait(message)

    async def receive(self) -> FromWorker | None:
        """Log messages are logged on the way."""
        while True:
            message: FromWorker | None = await wire.read(self._frames)
            if not isinstance(message, Log):
                return message
            self._log.take(message)

    def alive(self) -> bool:
        """Tell whether the node was heard of lately."""
        return not self._over and monotonic() < self._due

    def stop(self) -> None:
        """Hang up: the bridge then ends the worker, and its keeper does where the bridge can't reach the node."""
        if not self._over:
            self._over = True
            self._frames.feed_eof()
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    async def finish(self) -> str:
        self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sock.close()
        return self._ending

    async def _write(self) -> None:
        try:
            sealer = await self._met
            while True:
                frame = wire.encode(await self._outbox.get())
                for piece in _pieces(frame):
                    sealed = sealer.seal(piece)
                    for part in (RECORD.pack(len(sealed)), sealed):  # apart: joined, a photo would be copied once more
                        await asyncio.get_running_loop().sock_sendall(self._sock, part)
        except OSError:
            self.stop()
        except BadFrame:
            log.exception("a node could not be sent a message")
            self.stop()

    async def _hear(self) -> None:
        """Take in what the node sends, until it says that the worker has ended, or is heard no more."""
        try:
            sealer, opener = self._side.meet(await self._exactly(PUBLIC))
            self._met.set_result(sealer)
            while not self._over and await self._take(opener):
                await self._flow.room.wait()
                self._due = monotonic() + SILENCE
        except (OSError, EOFError):
            pass
        except NotSealed as error:
            self._ending = f"what came from its node was not of its keeper: {error}"
        self.stop()

    async def _take(self, opener: Opener) -> bool:
        """Take one record. False: it was the last."""
        (length,) = RECORD.unpack(await self._exactly(RECORD.size))
        if length > LARGEST:
            raise NotSealed(f"a record of {length} bytes")
        record = opener.open(await self._exactly(length))
        kind, content = record[:1], record[1:]
        if kind == bytes([Record.STREAM]) and not self._over:
            self._frames.feed_data(content)
        elif kind == bytes([Record.ENDED]):
            self.severed = False
            self._ending = shown(content.decode(errors="replace")[:_LONGEST_ENDING])
            return False
        return True

    async def _exactly(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            piece = await asyncio.get_running_loop().sock_recv(self._sock, count - len(found))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)


class _Flow(asyncio.Transport):
    """Keeps a node from being listened to while much of what it said was not read yet."""

    def __init__(self) -> None:
        super().__init__()
        self.room = asyncio.Event()
        self.room.set()

    def pause_reading(self) -> None:
        self.room.clear()

    def resume_reading(self) -> None:
        self.room.set()


def _pieces(frame: list[bytes]) -> list[bytes]:
    """Cut a frame into what fits in records: whole, unless it is large."""
    whole = b"".join(frame)
    return [whole[start : start + PIECE] for start in range(0, len(whole), PIECE)]
