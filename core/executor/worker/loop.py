"""Runs a worker's requests: shares its one thread of work between short and stepwise requests.

The rule: read what has come; answer one batch of short requests if there is one, each as soon as it is done; do one step of
the stepwise request that has had the least time and is not held; repeat. So a picture waits for at most one step, and
pictures never stop a projection. (On a CPU, where a step takes several times as long as a picture, the executor starts two
workers and gives the long requests to the one of lower priority; the rule then holds within each.)
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from core.errors import EgaoError, InternalError
from core.executor.kinds import Kind, Mode, Progress, Request, Result, kind_of
from core.executor.protocol.link import BadFrame
from core.executor.protocol.messages import (
    Answered,
    Cancel,
    Cancelled,
    Forget,
    FromWorker,
    Hold,
    Run,
    Start,
    Stepped,
    Stop,
    ToWorker,
    Working,
)
from core.executor.protocol.shared import Held

log = logging.getLogger("core.executor.worker")
Pieces = deque[tuple[int, Request]]  # the items of a batch that are not answered yet, by number
_POISONED = 70  # exit status after an error that no later request in this process would survive


class Outlet(Protocol):
    """Where a worker's messages go."""

    def send(self, message: FromWorker) -> None:
        """Send a message. Raises BadFrame if it contains something that the bot would not accept."""
        ...


class Stepwise:
    """A stepwise request in progress: its generator and its time."""

    def __init__(self, item: int, kind: Kind, steps: Iterator[Any]) -> None:
        self.item = item
        self.seconds = 0.0  # of work
        self.turn = 0.0  # the same, if it had been there as long as the others: steps of different lengths share the time
        self._kind, self._steps = kind, steps

    def advance(self) -> Progress | Result | EgaoError:
        """Do one step, and return its progress, or the answer or error that ends the request."""
        began = time.perf_counter()
        try:
            outcome: Any = next(self._steps, None)
        except Exception as error:
            outcome = as_answer(error)
        took = time.perf_counter() - began
        self.seconds += took
        self.turn += took
        return outcome if isinstance(outcome, Progress) else right_answer(self._kind, outcome)

    def close(self) -> None:
        """Close the generator, which drops all that it holds."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                log.exception("a generator did not close")


class WorkLoop:
    """The worker's loop: takes requests from `inbox` and sends the results to `outlet`, until it is told to stop."""

    def __init__(self, outlet: Outlet, workbench: object, inbox: queue.SimpleQueue[ToWorker]) -> None:
        self._outlet, self._workbench, self._inbox = outlet, workbench, inbox
        self._short: deque[Run] = deque()
        self._stepwise: list[Stepwise] = []
        self._on_hold: frozenset[int] = frozenset()
        self._held = Held()
        self._most = sys.maxsize  # requests in one batch; lowered when memory does not suffice for more

    def run(self) -> None:
        """Work until `Stop`."""
        while self._take_in():
            if self._short:
                self._answer(self._short.popleft())
            if going := self._going():
                self._step(min(going, key=lambda one: one.turn))

    def _going(self) -> list[Stepwise]:
        """List the stepwise requests that are not held."""
        return [one for one in self._stepwise if one.item not in self._on_hold]

    def _take_in(self) -> bool:
        """Read all messages that have come, waiting only if there is nothing to do. False means to leave."""
        while True:
            idle = not self._short and not self._going()
            try:
                if not self._take(self._inbox.get(block=idle)):  # no variable here: while the worker waits it would keep a photo
                    return False
            except queue.Empty:
                return True

    def _take(self, message: ToWorker) -> bool:
        """Handle a message. False means to leave."""
        match message:
            case Run(items, requests, shared):
                whole = tuple(self._held.complete(*pair) for pair in zip(requests, shared, strict=True))
                self._short.append(Run(items, whole, shared))
            case Start(item, request, shared):
                self._start(item, self._held.complete(request, shared))
            case Forget(shared):
                self._held.forget(shared)
            case Cancel(item):
                self._cancel(item)
            case Hold(items):
                self._hold(frozenset(items))
            case Stop():
                return False
        return True

    def _start(self, item: int, request: Request) -> None:
        self._outlet.send(Working((item,)))
        kind = kind_of(request)
        try:
            stepwise = Stepwise(item, kind, iter(kind.run(self._workbench, request)))
        except Exception as error:
            self._finish(item, as_answer(error), 0.0)
            return
        stepwise.turn = min((one.turn for one in self._going()), default=0.0)
        self._stepwise.append(stepwise)

    def _hold(self, items: frozenset[int]) -> None:
        """Hold exactly these requests.

        One that continues counts as having had as much time as the others, so it doesn't catch up.
        """
        least = min((one.turn for one in self._going()), default=0.0)
        for stepwise in self._stepwise:
            if stepwise.item in self._on_hold - items:
                stepwise.turn = max(stepwise.turn, least)
        self._on_hold = items

    def _cancel(self, item: int) -> None:
        for stepwise in self._stepwise:
            if stepwise.item == item:
                self._outlet.send(Working((item,)))
                self._stepwise.remove(stepwise)
                stepwise.close()
                self._outlet.send(Cancelled(item, stepwise.seconds))
                return

    def _step(self, stepwise: Stepwise) -> None:
        self._outlet.send(Working((stepwise.item,)))
        outcome = stepwise.advance()
        if isinstance(outcome, Progress):
            try:
                self._outlet.send(Stepped(stepwise.item, outcome, stepwise.seconds))
            except BadFrame as error:
                outcome = _fault("a request's progress cannot be sent: %s", error)
            else:
                return
        self._stepwise.remove(stepwise)
        self._finish(stepwise.item, outcome, stepwise.seconds)
        stepwise.close()

    def _answer(self, batch: Run) -> None:
        self._outlet.send(Working(batch.items))
        kind = kind_of(batch.requests[0])
        pieces = deque(zip(batch.items, batch.requests, strict=True))
        if kind.mode is Mode.BATCH:
            self._batch(kind, pieces)
            return
        for item, request in pieces:
            began = time.perf_counter()
            answer = self._whole(kind, request)
            self._finish(item, answer, time.perf_counter() - began)

    def _finish(self, item: int, answer: Result | EgaoError, seconds: float) -> None:
        try:
            self._outlet.send(Answered(item, answer, seconds))
        except BadFrame as error:
            self._outlet.send(Answered(item, _fault("a request's answer cannot be sent: %s", error), seconds))

    def _whole(self, kind: Kind, request: Request) -> Result | EgaoError:
        try:
            return right_answer(kind, kind.run(self._workbench, request))
        except Exception as error:
            return as_answer(error)

    def _batch(self, kind: Kind, left: Pieces) -> None:
        """Answer a batch. If it fails, the rest is tried again in halves, so that a bad request fails alone."""
        if len(left) > self._most:
            self._halves(kind, left)
            return
        began = time.perf_counter()
        try:
            self._pieces(kind, left)
            return
        except Exception as error:
            if len(left) == 1 or isinstance(error, EgaoError):
                log.info("a batch of %d %s failed: %s", len(left), kind.name, type(error).__name__)
            failure, scarce = as_answer(error), out_of_memory(error)
        # Out here the traceback is gone, and with it whatever tensors it held on to.
        gc.collect()
        if len(left) == 1:
            self._finish(left[0][0], failure, time.perf_counter() - began)
            return
        if scarce:
            self._most = max(1, len(left) // 2)
        self._halves(kind, left)

    def _halves(self, kind: Kind, left: Pieces) -> None:
        middle, pieces = len(left) // 2, list(left)
        for half in (pieces[:middle], pieces[middle:]):
            if half:
                self._batch(kind, deque(half))

    def _pieces(self, kind: Kind, left: Pieces) -> None:
        """Run the workbench on the requests `left`, in order, and send each answer when it is there, removing it from `left`.

        If the workbench returns a sequence of all answers, the time is divided equally; else each answer counts its own time.
        """
        began, count = time.perf_counter(), len(left)
        answers = kind.run(self._workbench, [request for _, request in left])
        together = isinstance(answers, Sequence)
        if together and len(answers) != count:
            raise ValueError(f"{len(answers)} answers to {count} requests")
        seconds = (time.perf_counter() - began) / count
        for answer in answers:
            if not together:
                began, seconds = (now := time.perf_counter()), now - began
            self._finish(left[0][0], right_answer(kind, answer), seconds)
            left.popleft()
        if left:
            raise ValueError(f"{len(left)} of {count} requests without an answer")


def right_answer(kind: Kind, answer: object) -> Result | EgaoError:
    """Return an answer of this kind or an EgaoError as it is; anything else becomes an InternalError."""
    if isinstance(answer, kind.answer | EgaoError):
        return answer
    return _fault("the workbench answered a %s with %s", kind.name, type(answer).__name__)


def as_answer(error: Exception) -> EgaoError:
    """Convert an exception to the error that is sent. Ends the process if the error leaves it unusable.

    The traceback is dropped: it would keep the photo and all that was made of it in memory.
    """
    if isinstance(error, EgaoError):
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return error
    told = _fault("the workbench failed", cause=error)
    if "CUDA error" in str(error) and not out_of_memory(error):
        logging.shutdown()
        os._exit(_POISONED)
    return told


def _fault(what: str, *args: object, cause: BaseException | None = None) -> InternalError:
    """Log a mistake in the code, and return the error that is sent for it. Both bear a number of six digits."""
    number = 100_000 + secrets.randbelow(900_000)
    log.error(f"fault %d: {what}", number, *args, exc_info=cause)
    return InternalError(fault=number)


def out_of_memory(error: Exception) -> bool:
    """Tell whether an error means that a smaller batch might work."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
