"""One request of one member, from its acceptance to its answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from itertools import count
from time import monotonic

from core.errors import EgaoError
from core.executor.kinds import Progress, Request, Result, kind_of
from core.executor.queue import Tenant, home

log = logging.getLogger(__name__)
_numbers = count(1)

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Place:
    """The place of a request: 0 if it is being worked on, 1 if it is next in its lane, and so on."""

    place: int
    eta_seconds: float  # until the result


class WorkItem:
    """An accepted request, made by `Executor.enqueue`.

    `await item.result()` returns the answer or raises its error, any number of times.
    """

    def __init__(self, request: Request, owner: Tenant, on_progress: OnProgress | None) -> None:
        self.id = next(_numbers)
        self.request = request
        self.owner = owner
        self.home = home(owner)
        self.kind = kind_of(request)
        self.lane = self.kind.lane
        self.size = _bytes_in(request)
        self.attempts = 0  # times that it, or a batch it was in, brought a worker down
        self.deaths = 0  # times that its worker died and no item was blamed
        self.alone = False  # not to be put in a batch with others again
        self.submitted = monotonic()
        self.started: float | None = None
        self.worked = 0.0  # seconds of work that it has taken since it was last begun, as far as its worker has told
        self._held: float | None = None  # since when it is held by its worker
        self.first: Progress | None = None  # since it was last begun
        self.last: Progress | None = None
        self.place: int | None = None  # as the callback was last told
        self._on_progress = on_progress
        self._due: float | None = None  # when its own pace says that it will be done
        self._began = 0.0  # when its first progress came
        self._future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._future.add_done_callback(lambda future: future.cancelled() or future.exception())  # asked for or not

    @property
    def done(self) -> bool:
        return self._future.done()

    async def result(self) -> Result:
        # not asyncio.shield: where nobody waits any more it logs the error as its own fault (from Python 3.14 on)
        await asyncio.wait([self._future])
        return self._future.result()

    def finish(self, answer: Result | EgaoError) -> bool:
        """Set the answer. False if there was one already."""
        if self._future.done():
            return False
        if isinstance(answer, EgaoError):
            self._future.set_exception(answer)
        else:
            self._future.set_result(answer)
        return True

    def begin(self) -> None:
        self.started, self._held, self.worked = monotonic(), None, 0.0
        self.first = self.last = self._due = None
        self.place = 0

    def hold(self, held: bool) -> None:
        """Note that its worker holds it, or continues it. Time on hold counts as if the item had been begun later."""
        now = monotonic()
        if held:
            self._held = self._held or now
        elif self._held is not None and self.started is not None:
            pause, self._held = now - self._held, None
            self.started += pause
            self._began += pause
            self._due = None if self._due is None else self._due + pause

    def step(self, progress: Progress) -> None:
        """Handle the worker's progress: keep its checkpoint, add an estimate of the seconds left, and pass it on."""
        if progress.checkpoint is not None and self.kind.resume is not None:
            self.request = self.kind.resume(self.request, progress.checkpoint)
        now = monotonic()
        if self.first is None:
            self.first, self._began = progress, now
        self.last = progress
        eta, done = progress.eta_seconds, progress.step - self.first.step
        if eta is None and done > 0:
            eta = (progress.steps - progress.step) * (now - self._began) / done
        if eta is not None and not eta >= 0:  # a worker may send anything, also NaN
            eta = None
        if eta is not None:
            self._due = now + eta
        if self.kind.told:
            self.tell(replace(progress, eta_seconds=eta, place=0))

    def tell(self, progress: Progress) -> None:
        """Call the request's callback; an exception of the callback is logged and stops nothing."""
        if self._on_progress is None or self.done:
            return
        try:
            self._on_progress(progress)
        except Exception:
            log.exception("a progress callback of work item %d failed", self.id)

    def remaining(self, usual: float) -> float:
        """Estimate the seconds until a begun request is done: from its own pace if known, else from the `usual` seconds."""
        now = monotonic()
        due = self._due if self._due is not None else (self.started or now) + usual
        return max(0.1, due - now)

    @property
    def units(self) -> int:
        """The number of steps done since it was last begun, at least 1."""
        if self.first is None or self.last is None:
            return 1
        return max(1, self.last.step - max(0, self.first.step - 1))  # the first report may come before the first step


def _bytes_in(value: object) -> int:
    """Count the bytes of photos and latents in a request, also those of its parts."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, tuple):
        return sum(map(_bytes_in, value))
    return sum(map(_bytes_in, vars(value).values())) if is_dataclass(value) else 0
