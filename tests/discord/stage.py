"""The stage of the end-to-end tests and of the bench: the real bot as a process, and what members do in front of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.discord.fake import Attachment, Channel, FakeDiscord, Guild, Interaction, Member, Message, replies_to
from tests.discord.process import BotProcess

STARTING = 240.0  # seconds that loading the networks may take on a slow and busy machine
WORKING = 400.0  # seconds that one request may take there
STRENGTH = re.compile(r"Strength ([+−]?[\d.]+)")


@dataclass
class Stage:
    """One server with an open channel, an admin, and the bot's process."""

    discord: FakeDiscord
    bot: BotProcess
    guild: Guild
    photos: Channel
    boss: Member

    async def restart(self) -> None:
        """Start the stopped bot again and wait until it is back."""
        await come_back(self.discord, self.bot)

    async def open(self, **limits: str) -> None:
        """What an admin does first: `/egao settings`, choose the channel, fill in the limits."""
        await open_channel(self.boss, self.photos, **limits)

    async def drop(self, member: Member, photo: bytes) -> Message:
        """The member's photo in the open channel, with the question for consent answered: the bot's message."""
        posted = member.upload(self.photos, photo)
        reply = await self.photos.wait_message(replies_to(posted), WORKING)
        if "I agree" in reply.labels:
            await agree(member, reply)
        return reply

    async def result(self, reply: Message) -> Message:
        """Wait until the bot's message has become a result."""
        return await until_shown(self.discord, reply)


TICKED = ["adult", "allowed"]


async def agree(member: Member, question: Message) -> Interaction:
    """Press "I agree", tick both things in the form and send it."""
    form = await member.press(question, "I agree").wait_modal(WORKING)
    return await member.submit_modal(form, ticked=TICKED).wait_answer(WORKING)


async def come_back(discord: FakeDiscord, bot: BotProcess) -> None:
    """Start the stopped bot and wait until it is back."""
    before = discord.gateway.count("ready")
    await bot.start()
    await bot.alive_until(discord.gateway.wait_for("ready", before + 1, STARTING))


async def open_channel(boss: Member, channel: Channel, **limits: str) -> None:
    """The channel is chosen in `/egao settings`, and what `limits` names is changed there."""
    panel = await boss.slash("egao settings", channel).wait_message(within=WORKING)
    await boss.select(panel, str(channel.id), menu="egao:set:channels").wait_answer(WORKING)
    forms = {"Limits": {"cooldown_seconds", "daily_quota", "work_seconds"}, "Queue": {"queue_share", "longest_wait_seconds"}}
    for form, names in forms.items():
        if named := {name: value for name, value in limits.items() if name in names}:
            modal = await boss.press(panel, form).wait_modal(WORKING)
            await boss.submit_modal(modal, **named).wait_answer(WORKING)


async def until_shown(discord: FakeDiscord, reply: Message, within: float = WORKING) -> Message:
    """Until the message is a result: with pictures, a strength and the buttons to change it."""
    await discord.world.until(lambda: is_result(reply), within, "result", lambda: "\n" + reply.channel.transcript())
    return reply


def is_result(message: Message) -> bool:
    return not message.loading and bool(STRENGTH.search(message.text)) and "Original" in message.labels


def strength_of(message: Message) -> float:
    """The strength that a result says it shows."""
    found = STRENGTH.search(message.text)
    assert found, message
    return float(found.group(1).replace("−", "-"))


def picture(message: Message, kind: str) -> Attachment:
    """The one picture of a result whose file is called original, neutral or edited."""
    (found,) = (one for one in message.pictures if one.filename.startswith(f"{kind}."))
    return found


def results_for(member: Member, channel: Channel) -> list[Message]:
    """The living results in a channel that were asked for by the member."""
    return [one for one in channel.messages if not one.deleted and is_result(one) and f"<@{member.id}>" in one.text]


async def answered(used: Interaction) -> Message:
    """The result that an interaction led to."""
    return await used.wait_message(is_result, WORKING)


@asynccontextmanager
async def staged(home: Path, **environ: str) -> AsyncIterator[Stage]:
    """Everything up and running; the bot's process is gone at the end."""
    async with FakeDiscord() as discord:
        guild = discord.guild("Studio")
        photos, boss = guild.channel("photos"), guild.admin("Boss")
        settings: Mapping[str, str] = {"EGAO_DEVICE": "cpu", "EGAO_PROGRESS_SECONDS": "0.2", **environ}
        async with BotProcess(discord, "bot", home=home, environ=settings) as bot:
            await bot.alive_until(discord.wait_ready(STARTING))
            yield Stage(discord, bot, guild, photos, boss)
            if bot.running:
                await bot.stop(60.0)


@asynccontextmanager
async def opened(home: Path, **environ: str) -> AsyncIterator[Stage]:
    """A stage with its channel open. At its end nothing was asked of Discord that Discord has not, and nothing went wrong."""
    async with staged(home, **environ) as stage:
        # Seconds are measured by `make bench-bot`; here it is told what comes before what, on however slow a machine.
        stage.discord.rules.answer_within = WORKING
        await stage.open(cooldown_seconds="0")
        yield stage
        assert stage.discord.rest.unknown == []
        assert "Traceback" not in stage.bot.log
