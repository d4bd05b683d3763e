"""Getting words and answers to their member while Discord is slow, down, or finds them too large."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import aiohttp
import discord

from bot.answers import TOO_LARGE, will_pass
from bot.layouts import Page
from bot.run import Run
from bot.work import Work

log = logging.getLogger(__name__)

RETRIES: Final = (1, 3, 10, 30, 60, 60, 120, 120, 300)  # seconds between two tries: more than ten minutes in all
SMALLER: Final = 8  # times that the pictures of a page are halved before Discord's refusal is believed


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


async def deliver(run: Run, work: Work, page: Page) -> None:
    """Show the page in the message of the request, however long it takes.

    Raises AnswerGone if the message was deleted, and what Discord says if that won't change by waiting.
    """

    async def show() -> None:
        nonlocal page
        for _ in range(SMALLER):
            try:
                await run.answer.show(page)
            except discord.HTTPException as error:
                if error.status != 413 and error.code != TOO_LARGE:
                    raise
            else:
                return
            largest = max((len(part.data) for part in page.attached if part.data), default=run.ask.limit)
            run.ask = replace(run.ask, limit=largest // 2)
            page = await work.draw(run)
        await run.answer.show(page)

    await insist(show, f"answer of job {run.job_id}")
