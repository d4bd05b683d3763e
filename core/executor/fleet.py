"""Defines where workers can run: sites that come and go. This machine alone is the usual one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.executor.protocol.link import Launcher


@dataclass(frozen=True)
class Site:
    """One machine with workers: one for each place, or two where the work is split."""

    name: str  # in the names of its workers; "" for this machine
    places: tuple[tuple[str, Launcher], ...]  # the device of each, and what starts workers there


class Fleet(Protocol):
    """Knows the sites there are."""

    async def open(self, changed: Callable[[Sequence[Site]], None]) -> None:
        """Call `changed` with all sites, and again whenever one has come or gone. Returns after the first time."""
        ...

    async def close(self) -> None:
        """Call no more, and give up what the sites took, once every worker has left."""
        ...
