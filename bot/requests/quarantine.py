"""Photos that crashed a worker: they are refused for a while, so that one file can't do that again and again."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from core.errors import JobTimedOut, PhotoStoppedWorker, WorkerDied

REFUSED_SECONDS: Final = 3600.0  # long enough that a worker's two minutes for such a file weigh nothing
REMEMBERED: Final = 10_000  # photos


class Quarantine:
    """The photos that crashed a worker lately, remembered by a hash under a key of this process, which identifies no photo."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._key = clock, secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def check(self, photo_sha256: str) -> None:
        """Check that a photo didn't crash a worker lately. Raises PhotoStoppedWorker."""
        left = self._until.get(self._hash(photo_sha256), 0.0) - self._clock()
        if left > 0:
            raise PhotoStoppedWorker(minutes=math.ceil(left / 60))

    def note(self, photo_sha256: str, error: JobTimedOut | WorkerDied) -> bool:
        """Remember the photo if it was the cause of a worker's death or time-out, and return whether it was."""
        own = isinstance(error, JobTimedOut) or bool(error.facts.get("own"))
        if own:
            self._until[self._hash(photo_sha256)] = self._clock() + REFUSED_SECONDS
            if len(self._until) > REMEMBERED:
                self._until.popitem(last=False)
        return own

    def _hash(self, photo_sha256: str) -> bytes:
        return hmac.digest(self._key, photo_sha256.encode(), "sha256")
