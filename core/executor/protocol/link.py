"""Defines a link to a worker, wherever it runs: all that the dispatcher knows of the worker.

Links lead to a process on this machine (core.executor.worker.process) or on another (core.cluster). Anything else that
carries the messages of core.executor.protocol.messages both ways can replace them: dispatcher and supervisors use only these
two protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from core.executor.protocol.messages import FromWorker, Setup, ToWorker


class BadFrame(Exception):
    """The other side sent something that is not one of our messages, or an invalid message was to be sent."""


class Link(Protocol):
    """The link to one worker process, from its start to its end."""

    @property
    def pid(self) -> int | None:
        """The id of its process on this machine; None if it is elsewhere."""
        ...

    def send(self, message: ToWorker) -> None:
        """Send a message after all earlier ones. It is lost if the worker is gone, which `receive` tells."""
        ...

    async def receive(self) -> FromWorker | None:
        """Wait for the next message; None once the worker is gone. Raises BadFrame."""
        ...

    def alive(self) -> bool:
        """Tell whether the worker still runs, even while something else keeps `receive` waiting."""
        ...

    @property
    def severed(self) -> bool:
        """Tell, once `receive` has come to its end, whether the way to the worker broke: then its work is not to blame."""
        ...

    def stop(self) -> None:
        """End the worker at once; `receive` then returns None."""
        ...

    async def finish(self) -> str:
        """Stop the worker if it still runs, clean up after it, and say in words how it ended."""
        ...


class Launcher(Protocol):
    """Something that starts workers."""

    async def launch(self, name: str, setup: Setup, environment: Mapping[str, str]) -> Link:
        """Start a worker and send it its setup. Raises OSError."""
        ...

    async def close(self) -> None:
        """Free what launching needed, once every link is finished."""
        ...
