"""Saying something again and again until Discord takes it."""

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
    """Have something said, however long Discord fails. `say` makes the same of each try: a nonce, or an edit.

    Raises what Discord says if that won't change by waiting, or has not by the last of the `pauses` (seconds; `RETRIES`).
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
    """Tell whether it is worth trying again later: Discord or the line to it fails, not what was asked of it."""
    return not isinstance(error, discord.HTTPException) or error.status >= 500 or error.status == 429
