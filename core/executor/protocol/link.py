"""Defines what the dispatcher knows of a worker: a link to it, wherever it runs.

Today's links lead to a process on this machine (core.executor.worker.process). Whatever else carries the
messages of core.executor.protocol.messages both ways can stand in their place: the dispatcher and its supervisors know
these two protocols alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from core.executor.protocol.messages import FromWorker, Setup, ToWorker


class BadFrame(Exception):
    """The other side sent something that is not one of our messages, or such a thing was to be sent."""


class Link(Protocol):
    """One life of one worker."""

    @property
    def pid(self) -> int | None:
        """Its process on this machine, if it is one."""
        ...

    def send(self, message: ToWorker) -> None:
        """Send after everything before it. Lost if the worker is gone, which `receive` tells."""
        ...

    async def receive(self) -> FromWorker | None:
        """Wait for the next message; None once the worker is gone. Raises BadFrame."""
        ...

    def alive(self) -> bool:
        """Tell whether the worker is still there, also where something else keeps `receive` waiting."""
        ...

    def stop(self) -> None:
        """End the worker at once; `receive` then comes to its end."""
        ...

    async def finish(self) -> str:
        """Stop the worker if it still runs, leave nothing of it behind, and say in words how it ended."""
        ...


class Launcher(Protocol):
    """Starts workers."""

    async def launch(self, name: str, setup: Setup, environment: Mapping[str, str]) -> Link:
        """Start a worker and send it its setup. Raises OSError."""
        ...

    async def close(self) -> None:
        """Give up what launching took, once every link is finished."""
        ...
