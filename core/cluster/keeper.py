"""Keeps one worker of a node: the actor that Ray runs there. It starts the process that a bot on that node would, and relays.

What comes from the bot is opened here and what the worker says is sealed here, so Ray, its store and its daemons carry
what they can't read. The worker's settings are the node's own; of the bot's, those alone that say what work is to be like.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Final

from core.cluster.sealing import NotSealed, Opener, Sealer, Side
from core.cluster.secret import read_secret
from core.cluster.wording import BEAT, ORPHANED, PIECE, Record
from core.executor.devices import worker_environment, worker_settings
from core.executor.protocol import wire
from core.executor.protocol.link import BadFrame, Link
from core.executor.protocol.messages import Log, Setup, ToWorker
from core.executor.worker.process import ProcessLauncher
from core.settings import Settings

log = logging.getLogger("core.executor.worker")
_BACKLOG: Final = 2 * PIECE  # bytes that may wait to be asked for; then the worker is not listened to
# what the bot decides: what its members' work is to be like. Where files lie and what a worker may touch is the node's.
_OF_THE_BOT: Final = (
    "generator", "max_pixels", "max_bytes", "gates", "gate_explicit", "gate_young", "log_level", "projection_steps",
)  # fmt: skip


def own_setup(setup: Setup, settings: Settings, device: str, workers: int) -> Setup:
    """Make the setup of one of `workers` workers on this node, for one of its devices, of the one that the bot sent."""
    decided = {name: getattr(setup.settings, name) for name in _OF_THE_BOT}
    own = worker_settings(settings, device, workers)
    return replace(setup, settings=own.model_copy(update={**decided, "cluster": ""}))


class Keeper:
    """One life of one worker on this node. Every method is called by the bridge, through Ray."""

    def __init__(self, device: str, workers: int) -> None:
        """`device` is one of this node's, which has `workers` workers in all."""
        self._settings = Settings.load({**_own(os.environ)})
        self._device, self._workers = device, workers
        self._side = Side(read_secret(self._settings).frames, bot=False)
        self._launcher = ProcessLauncher()
        self._link: Link | None = None
        self._said = bytearray()  # frames of the worker, not asked for yet
        self._ending: str | None = None
        self._changed = asyncio.Event()  # something is there to be asked for
        self._taken = asyncio.Event()
        self._asked = monotonic()
        self._turn = asyncio.Condition()
        self._next = 1  # number of the record that is to be opened next
        self._sealer: Sealer | None = None
        self._opener: Opener | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def meet(self, public: bytes) -> bytes:
        """Begin: take the bot's public key and return this side's own."""
        self._sealer, self._opener = self._side.meet(public)
        self._heard = asyncio.StreamReader(limit=PIECE)  # here: it belongs to the running loop
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._watch())]
        return self._side.public

    async def push(self, number: int, sealed: bytes) -> None:
        """Take record `number` of the bot's, after those before it."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._next == number)
            try:
                assert self._opener is not None
                self._heard.feed_data(self._opener.open(sealed))
            except NotSealed as error:
                self._end(f"the bot's words do not open: {error}")
            self._next += 1
            self._turn.notify_all()

    async def pull(self) -> bytes:
        """Return the next record for the bot, sealed: as soon as there is something, or a beat."""
        self._asked = monotonic()
        if not self._said and self._ending is None:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), BEAT)
        self._asked = monotonic()
        record = self._record()
        assert self._sealer is not None
        return self._sealer.seal(record)

    def _record(self) -> bytes:
        if self._said:
            piece = bytes(self._said[:PIECE])
            del self._said[:PIECE]
            self._taken.set()
            return bytes([Record.STREAM]) + piece
        if self._ending is not None:
            return bytes([Record.ENDED]) + self._ending.encode()
        return bytes([Record.BEAT])

    def _end(self, words: str) -> None:
        self._ending = self._ending or words
        self._changed.set()

    async def _work(self) -> None:
        """See the worker from its start to its end, and tell both."""
        try:
            await self._live()
        except BadFrame as error:
            self._end(f"the bot sent nonsense: {error}")
        except Exception as error:
            log.exception("a worker can't be kept")
            self._end(f"it could not be started: {type(error).__name__}")

    async def _live(self) -> None:
        setup = await wire.read(self._heard, ToWorker)
        if not isinstance(setup, Setup):
            self._end("the bot sent no setup")
            return
        own = own_setup(setup, self._settings, self._device, self._workers)
        environment = worker_environment(own.settings, self._device, _own(os.environ))
        self._link = link = await self._launcher.launch("worker", own, environment)
        logging.getLogger().addHandler(_Told(self))
        logging.getLogger().setLevel(own.settings.log_level.upper())
        hearing = asyncio.create_task(self._listen(link))
        nonsense = ""
        try:
            while (message := await link.receive()) is not None:
                await self.say(wire.encode(message))
        except BadFrame as error:
            nonsense = f"it sent nonsense: {error}\n"
        finally:
            hearing.cancel()
            self._end(nonsense + await asyncio.shield(link.finish()))

    async def _listen(self, link: Link) -> None:
        """Hand on what the bot says."""
        try:
            while (message := await wire.read(self._heard, ToWorker)) is not None:
                link.send(message)
        except BadFrame:
            log.exception("the bot sent nonsense")
        link.stop()

    async def say(self, frame: list[bytes]) -> None:
        """Have a frame asked for. Waits while much is there already."""
        while len(self._said) > _BACKLOG:
            self._taken.clear()
            await self._taken.wait()
        self.note(frame)

    def note(self, frame: list[bytes]) -> None:
        """Have a frame asked for, at once."""
        for buffer in frame:
            self._said += buffer
        self._changed.set()

    async def _watch(self) -> None:
        """End everything when the bot asks no more: it has given the work to another by then."""
        while monotonic() - self._asked < ORPHANED:
            await asyncio.sleep(BEAT)
            if self._link is not None and not self._link.alive():
                self._link.stop()
        if self._link is not None:
            self._link.stop()
        await asyncio.sleep(BEAT)
        os._exit(0)


class _Told(logging.Handler):
    """Tells the bot what a worker and its keeper log, as a worker here would."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(BadFrame, RuntimeError):
            frame = wire.encode(Log(record.levelno, record.name, self.format(record)))
            self._loop.call_soon_threadsafe(self._keeper.note, frame)


def _own(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out what Ray and the bot's own settings bring along."""
    return {name: value for name, value in environ.items() if not name.startswith("RAY_") and name != "EGAO_CLUSTER"}
