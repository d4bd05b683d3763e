"""The worker process: builds a workbench and shares its one thread of work among the jobs it is given.

Run as `python -m core.executor.worker FD`, FD being its end of a socket to the bot. A second thread only listens.
The rule of the work loop: take in what has come; answer one batch of quick requests if there is one; do one step of
one long job, of each in turn; repeat. So a picture waits for one step at most, and pictures never stop a projection.
(On a processor, where a step takes several times as long as a picture, the executor starts two workers instead and
gives the long jobs to one that stands back; this loop is then the rule within each.)
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from core.errors import EgaoError
from core.executor import wire
from core.executor.confine import confine, stand_back
from core.executor.requests import (
    Animated,
    FindFaces,
    FoundFaces,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
    Request,
    Result,
    Workbench,
)
from core.executor.wire import At, BadFrame, Begin, Done, Drop, Dropped, FromWorker, Log, Quick, Setup, Step, Stop

log = logging.getLogger("core.executor.worker")
_POISONED = 70  # exit status after an error that no later job in this process would survive


class Line:
    """The worker's end of the socket. Any thread may send."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Send, or raise BadFrame if the message holds something that must not cross."""
        frame = wire.checked(message)
        with self._lock:
            wire.write_blocking(self._sock, frame)

    def listen(self, inbox: queue.SimpleQueue[Any]) -> None:
        """Hand on what comes; when the bot is gone, go at once, whatever the work thread is doing."""
        while (message := wire.read_blocking(self._sock)) is not None:
            inbox.put(message)
        if os.getpgrp() == os.getpid():  # with whatever helpers a compiler has left in the group
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


class LineHandler(logging.Handler):
    """Log records as messages, so that they keep their level and their logger's name."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            self._line.send(Log(record.levelno, record.name, self.format(record)))


class Stepwise:
    """A job in the middle of its generator."""

    def __init__(self, job: int, steps: Iterator[Progress | Projected | Animated]) -> None:
        self.job = job
        self.seconds = 0.0
        self._steps = steps

    def advance(self) -> Progress | Result | EgaoError:
        began = time.perf_counter()
        try:
            outcome: Any = next(self._steps, None)
        except Exception as error:
            outcome = as_answer(error)
        self.seconds += time.perf_counter() - began
        if isinstance(outcome, Progress | Projected | Animated | EgaoError):
            return outcome
        log.error("the workbench ended a job with %s instead of an answer", type(outcome).__name__)
        return EgaoError()

    def close(self) -> None:
        close = getattr(self._steps, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                log.exception("a job did not close")


class Bench:
    """The work loop."""

    def __init__(self, line: Line, workbench: Workbench, inbox: queue.SimpleQueue[Any]) -> None:
        self._line = line
        self._workbench = workbench
        self._inbox = inbox
        self._quick: deque[Quick] = deque()
        self._long: deque[Stepwise] = deque()
        self._most = sys.maxsize  # renders in one batch; lowered when memory does not suffice for more

    def run(self) -> None:
        while self._take_in():
            if self._quick:
                self._answer(self._quick.popleft())
            if self._long:
                self._step(self._long.popleft())

    def _take_in(self) -> bool:
        """Read all that has come, waiting only if there is nothing to do. False: leave."""
        while True:
            idle = not self._quick and not self._long
            try:
                message = self._inbox.get(block=idle)
            except queue.Empty:
                return True
            match message:
                case Quick():
                    self._quick.append(message)
                case Begin(job, request):
                    start = self._workbench.project if isinstance(request, Project) else self._workbench.animate
                    self._begin(job, cast("Callable[[Request], Iterator[Any]]", start), request)
                case Drop(job):
                    self._drop(job)
                case Stop():
                    return False

    def _begin(self, job: int, start: Callable[[Request], Iterator[Any]], request: Request) -> None:
        self._line.send(At((job,)))
        try:
            self._long.append(Stepwise(job, iter(start(request))))
        except Exception as error:
            self._line.send(Done(job, as_answer(error), 0.0))

    def _drop(self, job: int) -> None:
        for stepwise in self._long:
            if stepwise.job == job:
                self._line.send(At((job,)))
                self._long.remove(stepwise)
                stepwise.close()
                self._line.send(Dropped(job))
                return

    def _step(self, stepwise: Stepwise) -> None:
        self._line.send(At((stepwise.job,)))
        outcome = stepwise.advance()
        try:
            if isinstance(outcome, Progress):
                self._line.send(Step(stepwise.job, outcome))
                self._long.append(stepwise)
                return
            self._line.send(Done(stepwise.job, outcome, stepwise.seconds))
        except BadFrame as error:
            log.error("a job's answer cannot be sent: %s", error)
            self._line.send(Done(stepwise.job, EgaoError(), stepwise.seconds))
        stepwise.close()

    def _answer(self, batch: Quick) -> None:
        self._line.send(At(batch.jobs))
        began = time.perf_counter()
        if all(isinstance(request, Render) for request in batch.requests):
            answers = self._render(cast("tuple[Render, ...]", batch.requests))
        else:
            answers = [self._find(request) for request in batch.requests]
        seconds = time.perf_counter() - began
        for job, answer in zip(batch.jobs, answers, strict=True):
            try:
                self._line.send(Done(job, answer, seconds))
            except BadFrame as error:
                log.error("a job's answer cannot be sent: %s", error)
                self._line.send(Done(job, EgaoError(), seconds))
            seconds = 0.0

    def _find(self, request: Request) -> Result | EgaoError:
        try:
            found = self._workbench.find_faces(cast(FindFaces, request))
        except Exception as error:
            return as_answer(error)
        return found if isinstance(found, FoundFaces) else EgaoError()

    def _render(self, requests: Sequence[Render]) -> list[Result | EgaoError]:
        """Answers in order. A batch that fails is tried again in halves, so that a bad request fails by itself."""
        if len(requests) > self._most:
            return self._halves(requests)
        try:
            answers = list(self._workbench.render(requests))
            if len(answers) != len(requests):
                raise ValueError(f"{len(answers)} answers to {len(requests)} renders")
        except Exception as error:
            if len(requests) == 1 or isinstance(error, EgaoError):
                log.info("a batch of %d renders failed: %s", len(requests), type(error).__name__)
            failure, scarce = as_answer(error), out_of_memory(error)
        else:
            return [wire.portable(a) if isinstance(a, EgaoError) else _rendered(a) for a in answers]
        # Out here the traceback is gone, and with it whatever tensors it held on to.
        gc.collect()
        if len(requests) == 1:
            return [failure]
        if scarce:
            self._most = max(1, len(requests) // 2)
        return self._halves(requests)

    def _halves(self, requests: Sequence[Render]) -> list[Result | EgaoError]:
        middle = len(requests) // 2
        return self._render(requests[:middle]) + self._render(requests[middle:])


def _rendered(answer: object) -> Rendered | EgaoError:
    return answer if isinstance(answer, Rendered) else EgaoError()


def as_answer(error: Exception) -> EgaoError:
    """What the one who asked is told. Ends the process if the error leaves it unable to do anything else."""
    if isinstance(error, EgaoError):
        return wire.portable(error)
    log.error("the workbench failed", exc_info=error)
    if "CUDA error" in str(error) and not out_of_memory(error):
        logging.shutdown()
        os._exit(_POISONED)
    return EgaoError()


def out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def build(setup: Setup) -> Workbench:
    module, _, function = setup.factory.partition(":")
    return cast(Workbench, getattr(importlib.import_module(module), function)(setup.settings))


def main(fd: int) -> None:
    faulthandler.enable()
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.setblocking(True)
    setup = wire.read_blocking(sock)
    if not isinstance(setup, Setup):
        return
    confine(setup)
    line = Line(sock)
    logging.basicConfig(level=setup.settings.log_level.upper(), handlers=[LineHandler(line)], format="%(message)s")
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=line.listen, args=(inbox,), daemon=True, name="listen").start()
    began = time.perf_counter()
    try:
        workbench = build(setup)
    except Exception as error:
        if not isinstance(error, EgaoError):
            log.error("the workbench %s cannot be made", setup.factory, exc_info=error)
        line.send(wire.Unready(wire.portable(error) if isinstance(error, EgaoError) else EgaoError()))
        return
    if setup.nice:
        stand_back(setup.nice)  # only now: a worker that starts keeps people waiting
    line.send(wire.Ready(time.perf_counter() - began))
    Bench(line, workbench, inbox).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # native libraries are not given the chance to crash while they are taken down


if __name__ == "__main__":
    main(int(sys.argv[1]))
