"""The messages between the bot's process and a worker."""

from __future__ import annotations

from dataclasses import dataclass

from core.executor.kinds import Progress, Request, Result
from core.executor.protocol.payload import Payload
from core.settings import Settings

# -- to the worker


@dataclass(frozen=True)
class Setup:
    """The first message: what to build, and the worker's limits."""

    factory: str  # "module:function", which takes the settings and returns the workbench
    kinds: tuple[str, ...]  # modules that declare kinds of work
    settings: Settings  # without secrets
    parent: int = 0  # the process that the worker must not outlive
    memory: int | None = None  # bytes of its own data that it may hold
    nice: int = 0  # how far it stands back for others, 0 to 19


@dataclass(frozen=True)
class Run:
    """Short requests of one kind, to be answered before the next step of anything long."""

    items: tuple[int, ...]
    requests: tuple[Payload[Request], ...]
    shared: tuple[int, ...]  # for each, the number of its shared bytes (core.executor.protocol.shared), or 0


@dataclass(frozen=True)
class Start:
    """A request to work on step by step."""

    item: int
    request: Payload[Request]
    shared: int = 0


@dataclass(frozen=True)
class Cancel:
    """Give up a stepwise request at its next yield; answered by `Cancelled` if it was still there."""

    item: int


@dataclass(frozen=True)
class Hold:
    """Pause exactly these stepwise requests until the next `Hold`."""

    items: tuple[int, ...]


@dataclass(frozen=True)
class Forget:
    """Drop the shared bytes that `Run` and `Start` sent under these numbers."""

    shared: tuple[int, ...]


@dataclass(frozen=True)
class Stop:
    """Leave in good order."""


# -- from the worker


@dataclass(frozen=True)
class Ready:
    """The workbench is built."""

    seconds: float  # that it took


@dataclass(frozen=True)
class NotReady:
    """The workbench could not be built."""

    error: Payload[Result]  # an EgaoError


@dataclass(frozen=True)
class Working:
    """Work on these items begins now: a crash before the next message is due to them."""

    items: tuple[int, ...]


@dataclass(frozen=True)
class Stepped:
    """A stepwise request has done a step."""

    item: int
    progress: Progress
    seconds: float  # of work that it has taken so far


@dataclass(frozen=True)
class Answered:
    """A request is done."""

    item: int
    answer: Payload[Result]  # of its kind, or an EgaoError
    seconds: float  # of work, not of waiting for others


@dataclass(frozen=True)
class Cancelled:
    """A stepwise request was given up."""

    item: int
    seconds: float  # of work that it had taken


@dataclass(frozen=True)
class Log:
    """A record of the worker's log."""

    level: int
    name: str
    text: str


ToWorker = Setup | Run | Start | Cancel | Hold | Forget | Stop
FromWorker = Ready | NotReady | Working | Stepped | Answered | Cancelled | Log
