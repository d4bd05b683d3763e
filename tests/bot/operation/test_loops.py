"""Retention, taking up and reconciling go on whatever happens to them once, and /healthz tells when they don't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from bot.client import TAKE_UP, EgaoBot
from bot.ops.chores import Chores
from bot.requests import recovery
from core.errors import StoreBusy
from core.store import Owner
from tests.bot.kit import World, running
from tests.core.store.kit import keep_face


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        yield made


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.01)


async def test_a_broken_line_at_the_start_keeps_no_loop_from_starting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.guilds.set(42, retention_hours=3)
    world.store.guilds.set(43, retention_hours=3)

    async def fetch_guild(self: Any, guild_id: int, **_: Any) -> Any:
        raise aiohttp.ClientOSError(104, "Connection reset by peer")

    monkeypatch.setattr(EgaoBot, "fetch_guild", fetch_guild)
    await world.restart()
    assert all(loop.is_running() for loop in world.bot.loops)
    assert {42, 43} <= world.store.guilds.all().keys(), "an outage is no farewell"
    monkeypatch.undo()
    await world.bot.reconcile()
    assert not {42, 43} & world.store.guilds.all().keys(), "asked again"


@pytest.mark.parametrize("error", [StoreBusy(path="here"), RuntimeError("a mistake in the code")])
@pytest.mark.parametrize("which", ["sweep", "look_after", "reconcile"])
async def test_no_error_ends_a_loop(world: World, which: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = 0

    def fail(*_: Any) -> Any:
        nonlocal failed
        failed += 1
        raise error

    loop = {"sweep": world.bot.sweep, "look_after": world.bot.look_after, "reconcile": world.bot.reconcile}[which]
    part, name = {
        "sweep": (world.store, "expire"), "look_after": (world.store.jobs, "recover"), "reconcile": (world.store, "owners"),
    }[which]  # fmt: skip
    loop.cancel()
    await until(lambda: not loop.is_running())
    monkeypatch.setattr(part, name, fail)
    world.bot.unreconciled = True
    loop.change_interval(seconds=0.01)
    loop.start()
    await until(lambda: failed >= 2)
    assert loop.is_running()
    loop.cancel()
    await until(lambda: not loop.is_running())
    assert world.complaints(), "the operator hears of it"


async def test_a_choice_that_cannot_be_closed_does_not_keep_requests_from_being_taken_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr(world.bot.service, "close_choices", fail)
    done = world.bot.chores._done[TAKE_UP]
    await world.bot.look_after()
    assert world.bot.chores._done[TAKE_UP] > done
    assert len(world.complaints()) == 1


async def test_health_tells_of_what_has_not_run_for_long(world: World) -> None:
    assert world.bot.trouble() is None
    now = 0.0
    chores = world.bot.chores = Chores({"one": 10.0, "two": 1000.0}, lambda: now)
    now = 25.0
    assert world.bot.trouble() is None
    now = 35.0
    assert world.bot.trouble() == "not done for 3 periods: one"

    async def well() -> None:
        pass

    async def badly() -> None:
        raise RuntimeError

    await chores.do("one", badly)
    assert world.bot.trouble() == "not done for 3 periods: one"
    await chores.do("one", well)
    assert world.bot.trouble() is None
    assert len(world.complaints()) == 1


async def test_a_server_that_was_left_during_an_outage_is_noticed_at_the_next_ready(world: World) -> None:
    world.store.guilds.set(42, retention_hours=720)
    keep_face(world.store, Owner(42, 5))
    await world.bot.on_ready()
    assert 42 not in world.store.guilds.all()
    assert world.store.faces.count(42).faces == 0


async def test_who_left_with_a_report_and_no_face_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.reports.add(world.guild.id, world.ben.id, channel_id=1, message_id=2, reason="ben's words")
    await world.bot.get_guild(world.guild.id).kick(discord.Object(world.ben.id))  # type: ignore[union-attr]
    monkeypatch.setattr(recovery, "PAUSE", 0.0)
    await world.bot.on_ready()
    assert not world.store.reports.by(world.owner(world.ben))
