"""Declares what a kind of work is. Executor, estimates, wire and worker read it from here, and know no kind by name.

A kind is a file in this folder: its request, its answer, and one `register(Kind(...))` that tells how to treat them. Requests
and answers are frozen dataclasses of bytes, numbers, strings and tuples, so that a worker on another machine could do them as
well as a local process. No request contains a path, a handle or a callback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from core.learned import Learned

Answer = TypeVar("Answer", covariant=True)


class Asks(Generic[Answer]):
    """Base of a request that is answered by an `Answer`."""


Request = Asks[Any]
Result = Any  # an answer of any kind


class Lane(StrEnum):
    """A lane of requests. Lanes do not wait for each other; a worker alternates between them."""

    QUICK = "quick"  # pictures of bounded size: run whole, several at once
    LOOK = "look"  # the first examination of a photo, whose cost is unknown
    MOVING = "moving"  # some seconds, step by step
    FULL = "full"  # pictures as large as may be
    LONG = "long"  # a minute, step by step


class Mode(StrEnum):
    """How a worker runs a request."""

    WHOLE = "whole"  # by itself, in one go
    BATCH = "batch"  # handed over together with neighbours of its kind, and answered one by one
    STEPS = "steps"  # step by step: between two it can be cancelled or held, and others get in there


@dataclass(frozen=True)
class Progress:
    """How far a request is. While it waits, `place` counts from 1; while it is worked on, `place` is 0.

    A workbench sets `step`, `steps` and, now and then, `preview` and `checkpoint`. The executor adds `place`, and, if it is
    None, `eta_seconds` (the time until the result).
    """

    step: int
    steps: int
    eta_seconds: float | None = None
    preview: bytes | None = None  # a small encoded picture, not at every step
    place: int = 0
    checkpoint: bytes | None = None  # enough to go on from here, see `Kind.resume`


@dataclass(frozen=True)
class Cost:
    """The expected seconds of n units, a * n + b, before any was timed.

    `low` and `high` are the values of n that count as first observations.
    """

    a: float
    b: float
    low: int
    high: int


@dataclass(frozen=True)
class Material:
    """What requests are made of: a kept face, and files of photos."""

    latent: bytes  # of a face that is kept
    learned: Learned  # what is known of it in `photo`, where it is face number `face`
    photo: bytes  # one face, as large as photos may be
    face: int = 0
    crowd: bytes = b""  # some hundred faces


@dataclass(frozen=True)
class Kind:
    """The properties of one kind of work.

    `run(workbench, request)` does the work in the worker, with a method of the workbench or with its `door`
    (core.executor.door). In mode WHOLE it returns the answer. In mode BATCH it gets a list of requests and returns, or yields
    one by one, an answer or an EgaoError for each. In mode STEPS it returns an iterator that yields a `Progress` after each
    step and the answer last. An EgaoError reaches whoever asked if its class is defined in core and `of_workers`; any other
    error becomes an InternalError.
    """

    request: type[Request]
    answer: type
    lane: Lane
    mode: Mode
    cost: Cost
    run: Callable[[Any, Any], Any]
    units: Callable[[Any], int | None] = lambda request: 1  # the n of the cost; None: as many as the last request had
    usual_units: int = 1  # where none have been seen
    variant: Callable[[Any], str] = lambda request: ""  # requests with different variants are estimated apart
    fresh: Callable[[Any], bool] = lambda request: True  # whether it is to be done from its beginning
    resume: Callable[[Any, bytes], Any] | None = None  # (request, checkpoint): the request that goes on from there
    worst: Callable[[Material], tuple[Any, ...]] = lambda material: ()  # costly requests of it, for `egao bench hostile`
    told: bool = True  # whether its steps are reported to the callback
    shared: str = ""  # the field of bytes that several requests may have in common, such as a photo: sent to a worker once

    @property
    def name(self) -> str:
        """The kind's name in logs, statistics and messages."""
        return self.request.__name__


_KINDS: dict[type[Request], Kind] = {}
_CARRIED: dict[str, type] = {}  # requests and answers by name


def register(kind: Kind) -> Kind:
    """Make a kind known to this process and return it. Raises ValueError if another kind has a request or answer of that name."""
    for one in (kind.request, kind.answer):
        if _CARRIED.get(one.__name__, one) is not one:
            raise ValueError(f"{one.__name__} is a name of another kind of work")
    _KINDS[kind.request] = kind
    _CARRIED.update({one.__name__: one for one in (kind.request, kind.answer)})
    return kind


def carried(name: str) -> type | None:
    """Return the request or answer class of this name, of any kind; None if there is none."""
    return _CARRIED.get(name)


def kind_of(request: Request) -> Kind:
    """Return the kind of a request. Raises TypeError if it is no request."""
    kind = _KINDS.get(type(request))
    if kind is None:
        raise TypeError(f"{type(request).__name__} is no registered kind of work")
    return kind


def kinds() -> tuple[Kind, ...]:
    """List all kinds that this process knows."""
    return tuple(_KINDS.values())


def modules() -> tuple[str, ...]:
    """List the modules that a worker must import to know the same kinds."""
    return tuple(dict.fromkeys(kind.request.__module__ for kind in _KINDS.values()))
