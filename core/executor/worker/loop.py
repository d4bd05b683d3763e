"""Runs a worker's requests: shares its one thread of work among the short ones and the stepwise ones.

The rule: take in what has come; answer one batch of short requests if there is one; do one step of one stepwise request, of
each in turn; repeat. So a picture waits for one step at most, and pictures never stop a projection. (On a processor, where
a step takes several times as long as a picture, the executor starts two workers instead and gives the long requests to one
of lower priority; this loop is then the rule within each.)
"""

from __future__ import annotations

import gc
import logging
import os
import queue
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
    Run,
    Start,
    Stepped,
    Stop,
    ToWorker,
    Working,
)
from core.executor.protocol.shared import Held

log = logging.getLogger("core.executor.worker")
_POISONED = 70  # exit status after an error that no later request in this process would survive


class Outlet(Protocol):
    """Where a worker's messages go."""

    def send(self, message: FromWorker) -> None:
        """Raises BadFrame if the message holds something that must not cross."""
        ...


class Stepwise:
    """A request in the middle of its generator."""

    def __init__(self, item: int, kind: Kind, steps: Iterator[Any]) -> None:
        self.item = item
        self.seconds = 0.0  # of work
        self._kind, self._steps = kind, steps

    def advance(self) -> Progress | Result | EgaoError:
        """Do one step: its progress, or what the request ends with."""
        began = time.perf_counter()
        try:
            outcome: Any = next(self._steps, None)
        except Exception as error:
            outcome = as_answer(error)
        self.seconds += time.perf_counter() - began
        return outcome if isinstance(outcome, Progress) else right_answer(self._kind, outcome)

    def close(self) -> None:
        """Drop everything that its generator holds."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                log.exception("a generator did not close")


class WorkLoop:
    """Takes requests from `inbox` and sends what comes of them to `outlet`, until it is told to stop."""

    def __init__(self, outlet: Outlet, workbench: object, inbox: queue.SimpleQueue[ToWorker]) -> None:
        self._outlet, self._workbench, self._inbox = outlet, workbench, inbox
        self._short: deque[Run] = deque()
        self._stepwise: deque[Stepwise] = deque()
        self._held = Held()
        self._most = sys.maxsize  # requests in one batch; lowered when memory does not suffice for more

    def run(self) -> None:
        """Work until `Stop`."""
        while self._take_in():
            if self._short:
                self._answer(self._short.popleft())
            if self._stepwise:
                self._step(self._stepwise.popleft())

    def _take_in(self) -> bool:
        """Read all that has come, waiting only if there is nothing to do. False: leave."""
        while True:
            idle = not self._short and not self._stepwise
            try:
                if not self._take(self._inbox.get(block=idle)):  # no variable here: while the worker waits it would keep a photo
                    return False
            except queue.Empty:
                return True

    def _take(self, message: ToWorker) -> bool:
        """Note what has come. False: leave."""
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
            case Stop():
                return False
        return True

    def _start(self, item: int, request: Request) -> None:
        self._outlet.send(Working((item,)))
        kind = kind_of(request)
        try:
            self._stepwise.append(Stepwise(item, kind, iter(kind.run(self._workbench, request))))
        except Exception as error:
            self._finish(item, as_answer(error), 0.0)

    def _cancel(self, item: int) -> None:
        for stepwise in self._stepwise:
            if stepwise.item == item:
                self._outlet.send(Working((item,)))
                self._stepwise.remove(stepwise)
                stepwise.close()
                self._outlet.send(Cancelled(item))
                return

    def _step(self, stepwise: Stepwise) -> None:
        self._outlet.send(Working((stepwise.item,)))
        outcome = stepwise.advance()
        if isinstance(outcome, Progress):
            try:
                self._outlet.send(Stepped(stepwise.item, outcome))
            except BadFrame as error:
                log.error("a request's progress cannot be sent: %s", error)
                outcome = InternalError()
            else:
                self._stepwise.append(stepwise)
                return
        self._finish(stepwise.item, outcome, stepwise.seconds)
        stepwise.close()

    def _answer(self, batch: Run) -> None:
        self._outlet.send(Working(batch.items))
        began = time.perf_counter()
        kind = kind_of(batch.requests[0])
        if kind.mode is Mode.BATCH:
            answers = self._batch(kind, batch.requests)
        else:
            answers = [self._whole(kind, request) for request in batch.requests]
        seconds = time.perf_counter() - began
        for item, answer in zip(batch.items, answers, strict=True):
            self._finish(item, answer, seconds)
            seconds = 0.0

    def _finish(self, item: int, answer: Result | EgaoError, seconds: float) -> None:
        try:
            self._outlet.send(Answered(item, answer, seconds))
        except BadFrame as error:
            log.error("a request's answer cannot be sent: %s", error)
            self._outlet.send(Answered(item, InternalError(), seconds))

    def _whole(self, kind: Kind, request: Request) -> Result | EgaoError:
        try:
            return right_answer(kind, kind.run(self._workbench, request))
        except Exception as error:
            return as_answer(error)

    def _batch(self, kind: Kind, requests: Sequence[Request]) -> list[Result | EgaoError]:
        """Answers in order. A batch that fails is tried again in halves, so that a bad request fails by itself."""
        if len(requests) > self._most:
            return self._halves(kind, requests)
        try:
            answers = list(kind.run(self._workbench, requests))
            if len(answers) != len(requests):
                raise ValueError(f"{len(answers)} answers to {len(requests)} requests")
        except Exception as error:
            if len(requests) == 1 or isinstance(error, EgaoError):
                log.info("a batch of %d %s failed: %s", len(requests), kind.name, type(error).__name__)
            failure, scarce = as_answer(error), out_of_memory(error)
        else:
            return [right_answer(kind, answer) for answer in answers]
        # Out here the traceback is gone, and with it whatever tensors it held on to.
        gc.collect()
        if len(requests) == 1:
            return [failure]
        if scarce:
            self._most = max(1, len(requests) // 2)
        return self._halves(kind, requests)

    def _halves(self, kind: Kind, requests: Sequence[Request]) -> list[Result | EgaoError]:
        middle = len(requests) // 2
        return self._batch(kind, requests[:middle]) + self._batch(kind, requests[middle:])


def right_answer(kind: Kind, answer: object) -> Result | EgaoError:
    """The answer if it is one of this kind, or an error."""
    if isinstance(answer, kind.answer | EgaoError):
        return answer
    log.error("the workbench answered a %s with %s", kind.name, type(answer).__name__)
    return InternalError()


def as_answer(error: Exception) -> EgaoError:
    """What the one who asked is told. Ends the process if the error leaves it unable to do anything else.

    Without the way that it came: that holds on to the photo, and to whatever was made of it until then.
    """
    if isinstance(error, EgaoError):
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return error
    log.error("the workbench failed", exc_info=error)
    if "CUDA error" in str(error) and not out_of_memory(error):
        logging.shutdown()
        os._exit(_POISONED)
    return InternalError()


def out_of_memory(error: Exception) -> bool:
    """Whether a smaller batch might do."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
