"""The regular chores of the bot, and whether each still gets done."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import EgaoError

log = logging.getLogger(__name__)

MISSED: Final = 3  # periods without success until that counts as trouble: one or two are a store or a Discord that is busy


class Chores:
    """Runs the chores. No error of one ends the loop around it, and the last success of each is remembered."""

    def __init__(self, periods: dict[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        """`periods` are the seconds between two runs of each chore, by its name."""
        self._periods, self._clock = periods, clock
        self._done = dict.fromkeys(periods, clock())

    async def do(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run a chore once; errors are logged."""
        try:
            await work()
        except EgaoError as error:
            log.error("%s failed and will be tried again: %s", name, error)
        except Exception:
            log.exception("%s failed and will be tried again", name)
        else:
            self._done[name] = self._clock()

    def overdue(self) -> str | None:
        """Say which chores have not succeeded for long, in words for the operator; None if all are in time."""
        now = self._clock()
        late = [name for name, period in self._periods.items() if now - self._done[name] > MISSED * period]
        return f"not done for {MISSED} periods: {', '.join(late)}" if late else None
