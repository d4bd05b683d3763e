"""Time and ids of the fake platform."""

from __future__ import annotations

import time
from datetime import UTC, datetime

EPOCH_MS = 1420070400000  # Discord's: the first millisecond of 2015


class Clock:
    """Real time, plus what a test has added. Deadlines are judged by it; ids are not.

    Ids keep the real time because discord.py reads it back out of them, and the bot's own clock is not moved.
    """

    def __init__(self) -> None:
        self._start = time.time() - time.monotonic()
        self._added = 0.0
        self._last_id = 0

    def now(self) -> float:
        """Seconds since 1970 on the platform's clock; never goes back."""
        return self._start + time.monotonic() + self._added

    def advance(self, seconds: float) -> None:
        """Let time pass for tokens and signed links, without waiting."""
        self._added += seconds

    def snowflake(self, age: float = 0.0) -> int:
        """A new id, unique and rising; `age` seconds in the past makes a thing look older than it is."""
        made = (int((time.time() - age) * 1000) - EPOCH_MS) << 22
        if age:
            return made | (self._last_id + 1) & 0x3FFFFF
        self._last_id = max(made, self._last_id + 1)
        return self._last_id


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
