"""Repeats a call to Discord until it succeeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp
import discord

log = logging.getLogger(__name__)

RETRIES: Final = (1, 3, 10, 30, 60, 60, 120, 120, 300)  # seconds between two tries: more than ten minutes in all


async def insist(say: Callable[[], Awaitable[Any]], what: str, pauses: Sequence[float] | None = None) -> None:
    """Call `say` until Discord accepts it, with pauses. Each call must have the same effect: by a nonce, or as an edit.

    Raises discord.py's errors that waiting won't change, and the last error after all `pauses` (seconds; None: `RETRIES`).
    `what` is for the log: ids, no names.
    """
    for pause in (*(RETRIES if pauses is None else pauses), None):
        try:
            await say()
        except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
            if pause is None or not will_pass(error):
                raise
            log.warning("%s not taken (%s), trying again", what, getattr(error, "status", type(error).__name__))
        else:
            return
        await asyncio.sleep(pause)


def will_pass(error: Exception) -> bool:
    """Tell whether trying again later may help: Discord or the connection failed, and the request was not refused."""
    return not isinstance(error, discord.HTTPException) or error.status >= 500 or error.status == 429
