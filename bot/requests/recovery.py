"""Continues what an earlier process left: its requests are taken up again, or their ends told."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import discord

from bot.requests.ask import Ask
from bot.requests.erasure import Erasure
from bot.requests.run import Run
from bot.requests.service import ANSWERING, CHOICE_SECONDS, CHOOSING, Service
from bot.transport.answer import Answer
from bot.transport.error_replies import trouble
from bot.transport.reasons import log_reason
from bot.transport.retry import will_pass
from core import errors
from core.store import Job, Store

log = logging.getLogger(__name__)
PAUSE = 0.5  # seconds between two members that are looked up: answers share Discord's limit of 50 requests a second
THREADS: Final = (discord.ChannelType.public_thread, discord.ChannelType.private_thread, discord.ChannelType.news_thread)
NO_CHANNEL: Final = 10003
NO_MEMBER: Final = (10007, 10013)  # unknown member, unknown user


async def take_up(bot: discord.Client, store: Store, service: Service, *, before: float) -> None:
    """Continue the unfinished requests accepted before the Unix second `before` that this process doesn't have in hand.

    At the start these are an earlier process's. Later they are requests that a full or locked store, or a failing Discord,
    kept from their end.
    """
    left = await store.run(store.jobs.recover, service.held(), before)
    for job_id in service.unnoted.keys() - {job.id for job in left.queued}:  # noted meanwhile, erased, or only untold
        del service.unnoted[job_id]
    for job in left.untold:
        run = await _run(bot, store, job)
        if job.id in service.held():  # taken up by another meanwhile
            continue
        if run is not None:
            error = _error(job)
            log_reason(f"request R{job.id}", job.message_id, error)
            service.ends.tell_meanwhile(run, trouble(run.ask.say, error, f"R{job.id}"))
        else:
            await store.run(store.jobs.told, job.id)
    for job in left.queued:
        run = await _run(bot, store, job)
        if job.id in service.held():
            continue
        same = service.unnoted.get(job.id)
        if run is None:
            await store.run(store.jobs.finish, job.id, "failed", error="WorkerDied", refund=True, told=True)
            continue
        if same is not None and run.answer.message_id is None:  # the store failed before it could note the message
            run.answer.message_id = same.answer.message_id
        if job.checkpoint is not None and job.checkpoint.startswith(CHOOSING):
            known = json.loads(job.checkpoint.removeprefix(CHOOSING))  # an earlier version's is the count of the faces
            run.faces = tuple(range(known) if isinstance(known, int) else known)
            service.choosing[job.id] = (run, time.monotonic() + CHOICE_SECONDS)
        elif job.checkpoint == ANSWERING:
            service.start(run, quiet=True)
        else:
            run.resume = job.checkpoint
            service.start(run)
    if left.queued or left.untold:
        log.info("taken up again: %d requests; to be told: %d", len(left.queued), len(left.untold))


async def reconcile(bot: discord.Client, store: Store, erasure: Erasure) -> bool:
    """Erase servers that removed the bot while it was off, and note those that it is in.

    False if Discord could not answer for all of them. Raises StoreError.
    """
    known, asked = await store.run(store.guilds.all), True
    present = {guild.id for guild in bot.guilds}
    for guild_id in present - known.keys():
        await store.run(store.guilds.note, guild_id)
    for guild_id in known.keys() - present:
        try:
            await bot.fetch_guild(guild_id, with_counts=False)  # an outage must not look like a farewell
        except (discord.NotFound, discord.Forbidden):
            erased = await erasure.server(guild_id)
            log.info("server %d was left while nobody listened: %d faces erased", guild_id, erased.faces)
        except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
            log.warning("server %d could not be asked for (%s); nothing is erased", guild_id, type(error).__name__)
            asked = False
    return asked


async def reconcile_members(bot: discord.Client, store: Store, erasure: Erasure) -> bool:
    """Erase members who are no longer in their server: banned or gone while the bot was off.

    False if Discord could not answer for all of them. Raises StoreError.
    """
    asked = True
    for owner in await store.run(store.owners):
        assert owner.guild_id is not None
        assert owner.member_id is not None
        try:
            await bot.http.get_member(owner.guild_id, owner.member_id)
        except discord.HTTPException as error:
            if error.code in NO_MEMBER:
                erased = await erasure.member_here(owner)
                log.info("a member left server %d: %d faces erased", owner.guild_id, erased.faces)
            else:
                asked = asked and not will_pass(error)
        except (OSError, aiohttp.ClientError) as error:
            log.warning("members could not be asked for: %s", type(error).__name__)
            return False
        await asyncio.sleep(PAUSE)
    return asked


async def reconcile_channels(bot: discord.Client, store: Store, erasure: Erasure, guild: discord.Guild | None = None) -> bool:
    """Erase what came from channels and threads that are gone, of one server or (None) of all.

    Discord is asked about each unknown one, since archived threads are not known beforehand. False if it could not answer for
    all. Raises StoreError.
    """
    asked = True
    for guild_id, channel_id in await store.run(store.channels):
        here = bot.get_guild(guild_id)
        if (guild is not None and guild.id != guild_id) or here is None or here.get_channel_or_thread(channel_id):
            continue
        try:
            gone = _orphan(here, await bot.http.get_channel(channel_id))
        except discord.NotFound as error:
            gone = error.code == NO_CHANNEL
        except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
            # A thread that the bot may not see is still there, unless a channel was deleted just now: then it is of that one.
            gone = guild is not None and isinstance(error, discord.Forbidden)
            asked = asked and not will_pass(error)
        if gone:
            erased = await erasure.channels(channel_id)
            log.info("a channel of server %d is gone: %d faces erased", guild_id, erased.faces)
        await asyncio.sleep(PAUSE)
    return asked


def _orphan(guild: discord.Guild, channel: Any) -> bool:
    """Tell whether this is a thread whose channel was deleted. All channels of a server are known, archived threads are not."""
    is_thread = discord.ChannelType(channel["type"]) in THREADS
    return is_thread and guild.get_channel(int(channel["parent_id"])) is None


async def _run(bot: discord.Client, store: Store, job: Job) -> Run | None:
    """Rebuild a request from its row; None if the row doesn't tell enough (an older version wrote it)."""
    if job.request is None or job.owner.member_id is None:
        return None
    try:
        ask = Ask.load(job.request)
    except (ValueError, TypeError, KeyError):
        log.warning("request R%d can't be read and is given up", job.id)
        return None
    expires = datetime.fromtimestamp(job.token_expires, UTC) if job.token_expires is not None else None
    answer = Answer(
        bot,
        ask.say,
        job.owner.member_id,
        job.channel_id,
        job.message_id,
        job.token,
        expires,
        ask.private,
        ask.away,
        reply_to=job.source_message_id,
        nonce=f"egao{job.id}",
        unsure=True,
    )
    return Run(job.id, job.owner, ask, answer, await store.run(store.guilds.get, job.owner.guild_id))


def _error(job: Job) -> errors.EgaoError:
    """Make the error of a failed job again; WorkerDied, which asks to try again, if an older version left its facts out."""
    error = errors.revive(job.error, job.facts)
    known = not isinstance(error, errors.InternalError) or job.error in {"InternalError", "EgaoError"}
    return error if known else errors.WorkerDied()
