"""What the bot does again and again by itself, and whether each of it still gets done."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import EgaoError

log = logging.getLogger(__name__)

MISSED: Final = 3  # periods without success until that counts as trouble: one or two are a store or a Discord that is busy


class Chores:
    """Runs each chore so that nothing which it raises ends the loop around it, and remembers when each last succeeded."""

    def __init__(self, periods: dict[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        """`periods`: seconds between two runs of each chore, by its name."""
        self._periods, self._clock = periods, clock
        self._done = dict.fromkeys(periods, clock())

    async def do(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it once. What goes wrong is logged; the next time comes all the same."""
        try:
            await work()
        except EgaoError as error:
            log.error("%s failed and will be tried again: %s", name, error)
        except Exception:
            log.exception("%s failed and will be tried again", name)
        else:
            self._done[name] = self._clock()

    def overdue(self) -> str | None:
        """Say what has not been done for long, in words for the operator; None if all is done in time."""
        now = self._clock()
        late = [name for name, period in self._periods.items() if now - self._done[name] > MISSED * period]
        return f"not done for {MISSED} periods: {', '.join(late)}" if late else None
