"""Shortens discord.py's waits before it reconnects to the gateway. They double up to 17 minutes, so that after an outage of
ten minutes the bot could stay away for as long again. This replaces an internal class, which is checked at import.
"""

from __future__ import annotations

import time
from typing import Final, Literal

from discord import backoff, client

LONGEST: Final = 30.0  # seconds
CALM: Final = 120.0  # seconds without a failure, after which the waits begin short again; the library's is half an hour
NAME: Final = "ExponentialBackoff"


class Backoff(backoff.ExponentialBackoff[Literal[False]]):
    """The library's waits, but never longer than `LONGEST`, and short again after `CALM`."""

    def __init__(self) -> None:
        super().__init__()
        self._failed = time.monotonic()

    def delay(self) -> float:
        if time.monotonic() - self._failed > CALM:
            super().__init__()
        wait = min(super().delay(), LONGEST)
        self._failed = time.monotonic() + wait
        return wait


def shorten_waits() -> None:
    """Shorten the waits of all clients of this process."""
    setattr(client, NAME, Backoff)


assert getattr(client, NAME) is backoff.ExponentialBackoff, "discord.py takes it from elsewhere now"
