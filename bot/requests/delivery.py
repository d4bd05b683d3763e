"""Delivers answers while Discord is slow, down, or finds them too large."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

import discord

from bot.requests.run import Run
from bot.requests.steps import Work
from bot.transport.answer import TOO_LARGE
from bot.transport.retry import insist
from bot.ui.pages import Page

log = logging.getLogger(__name__)

SMALLER: Final = 8  # times that the pictures of a page are halved before Discord's refusal is believed


async def deliver(run: Run, work: Work, page: Page) -> None:
    """Show the page in the request's message, trying again however long Discord fails.

    If the files are too large, they are drawn again with half the limit, a few times. Raises AnswerGone if the message was
    deleted, and discord.py's errors that waiting won't change.
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

    await insist(show, f"answer of request R{run.job_id}")
