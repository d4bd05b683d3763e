"""Getting an answer to its member while Discord is slow, down, or finds it too large."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final

import aiohttp
import discord

from bot.answers import TOO_LARGE, will_pass
from bot.layouts import Page
from bot.run import Run
from bot.work import Work

log = logging.getLogger(__name__)

RETRIES: Final = (1, 3, 10, 30, 60, 60, 120, 120, 300)  # seconds between two tries: more than ten minutes in all


async def deliver(run: Run, work: Work, page: Page) -> None:
    """Show the page in the message of the request, however long it takes.

    Raises AnswerGone if the message was deleted, and what Discord says if that won't change by waiting.
    """
    for pause in (*RETRIES, None):
        try:
            return await run.answer.show(page)
        except discord.HTTPException as error:
            if error.status == 413 or error.code == TOO_LARGE:
                largest = max((len(part.data) for part in page.attached if part.data), default=run.ask.limit)
                run.ask = replace(run.ask, limit=largest // 2)
                page = await work.draw(run)
            elif not will_pass(error):
                raise
            if pause is None:
                raise
            log.warning("answer of job %d not taken (%d), trying again", run.job_id, error.status)
        except (OSError, aiohttp.ClientError):
            if pause is None:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")
