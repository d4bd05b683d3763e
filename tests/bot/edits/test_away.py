"""egao as an app of one's own: in a server that did not add it, and in conversations of members, under Discord's rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from simcord import interactions

from bot.client import EgaoBot
from core.store import Owner
from tests.bot.kit import World, agree, last_in, pictures, response_of, running, text
from tests.bot.workbench import photo, strength_in

EXTERNAL_APPS = discord.Permissions(use_external_apps=True).value


@pytest.fixture
async def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The world as Discord tells of it where Ann has egao for herself alone, and the bot's own token reaches nothing."""
    original, free = interactions.base_payload, [True]

    def payload(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        record, made = original(*args, **kwargs)
        user = made.get("user") or made["member"]["user"]
        made["authorizing_integration_owners"] = {"1": str(user["id"])}
        if "member" in made:
            allowed = int(made["member"]["permissions"])
            made["member"]["permissions"] = str(allowed | EXTERNAL_APPS if free[0] else allowed & ~EXTERNAL_APPS)
        return record, made

    monkeypatch.setattr(interactions, "base_payload", payload)
    async with running(tmp_path) as world:
        world.open()
        world.consent(world.ann, world.ben)
        for method in ("POST", "PATCH", "GET"):
            path = f"/channels/{world.channel.id}/messages*"
            world.env.inject_error(method, path, status=403, code=50001, message="Missing Access", times=None)
        world.free = free  # type: ignore[attr-defined]
        yield world


def direct(world: World, person: Any) -> list[Any]:
    return world.store.faces.of(Owner.direct(person.id))


async def test_a_photo_of_ones_own_works_and_only_its_member_sees_it(away: World) -> None:
    answer = await away.ann.slash(away.channel, "smile", strength=2.0, photo=("me.png", photo()))
    assert answer.ephemeral
    assert strength_in(pictures(away, answer.response)["edited.jpg"]) == pytest.approx(2.0, abs=0.06)
    assert not away.faces(away.ann), "nothing is kept in the name of a server that did not add egao"
    assert len(direct(away, away.ann)) == 1
    await away.ann.click(response_of(answer), label="+ More")
    assert strength_in(pictures(away, answer.response)["edited.jpg"]) == pytest.approx(2.2, abs=0.06)
    again = await away.ann.slash(away.channel, "smile", strength=1.0)
    assert "AI-edited" in text(again.response), "the kept face is found again"


async def test_everyone_sees_it_if_the_member_says_so_and_the_server_lets_them(away: World) -> None:
    shown = await away.ann.slash(away.channel, "smile", strength=1.0, photo=("me.png", photo()), show="public")
    assert not shown.ephemeral
    assert "AI-edited" in text(shown.response)
    away.free[0] = False  # type: ignore[attr-defined]
    hidden = await away.ann.slash(away.channel, "smile", strength=1.0, show="public")
    assert hidden.ephemeral, "Discord would hide it anyway, and what follows has to know"


async def test_only_photos_of_ones_own(away: World) -> None:
    away.set(whose_photos="any")  # what admins of that server said is not for an app that they did not add
    bens = await away.ben.send(away.channel, attachments=[("ben.png", photo())])
    refused = await away.ann.context_menu(away.channel, "Make it smile", bens)
    assert refused.ephemeral
    assert "posted yourself" in text(refused.response)
    mine = await away.ann.send(away.channel, attachments=[("me.png", photo(n=1))])
    done = await away.ann.context_menu(away.channel, "Make it smile", mine)
    assert done.ephemeral
    assert "AI-edited" in text(done.response)
    (face,) = direct(away, away.ann)
    assert face.source is not None
    assert face.source.message_id is None, "the bot could not read that message again"


async def test_a_group_is_one_answer_and_needs_no_further_messages(away: World) -> None:
    choice = await away.ann.slash(away.channel, "smile", strength=1.0, photo=("us.png", photo(7)))
    done = await away.ann.select(response_of(choice), ["all"])
    assert "7 faces" in text(choice.response)
    assert not choice.followups
    assert not done.followups
    assert len(direct(away, away.ann)) == 7


async def test_the_limits_of_a_member_hold(away: World) -> None:
    quota = away.store.guilds.get(None).daily_quota
    owner = Owner.direct(away.ann.id)
    away.store.limits.now = lambda: time.time() - 60  # longer ago than the pause between two edits
    for _ in range(quota):
        away.store.limits.take(owner, away.store.guilds.get(None), pause=False)
    away.store.limits.now = away.store.now
    told = await away.ann.slash(away.channel, "smile", strength=1.0, photo=("me.png", photo()))
    assert f"{quota}" in text(told.response)
    assert not direct(away, away.ann)
    away.parts.executor.spending.charge(Owner.direct(away.ben.id), 600)
    told = await away.ben.slash(away.channel, "smile", strength=1.0, photo=("me.png", photo()))
    assert "image worker's time" in text(told.response)


async def test_the_question_for_consent_is_for_the_member_alone_and_then_it_goes_on(away: World) -> None:
    away.consent_to_less(away.ann)
    asked = await away.ann.slash(away.channel, "smile", strength=1.0, photo=("me.png", photo()), show="public")
    assert asked.ephemeral
    await agree(away.ann, response_of(asked))
    assert "AI-edited" in text(asked.response)


async def test_what_takes_longer_than_a_token_comes_as_a_direct_message(away: World) -> None:
    gate = away.parts.executor.gate = asyncio.Event()  # type: ignore[attr-defined]
    await away.ann.slash(away.channel, "smile", strength=2.0, photo=("me.png", photo()))
    await away.env.advance_time(15 * 60 + 1)
    gate.set()
    await away.env.settle()
    assert "edited.jpg" in pictures(away, away.ann.user.dm_channel.last_message)


async def test_admins_commands_are_for_servers_that_added_it(away: World) -> None:
    told = await away.boss.slash(away.channel, "egao settings")
    assert "only on a server" in text(told.response)


async def test_the_commands_are_offered_to_both_kinds_of_installation(world: World) -> None:
    for command in world.bot.tree.walk_commands():
        payload = command.to_dict(world.bot.tree) if command.parent is None else None
        if payload is None:
            continue
        admin = command.name == "egao"
        assert payload["integration_types"] == ([0] if admin else [0, 1]), command.name
        assert set(payload["contexts"]) == ({0} if admin else {0, 1, 2}), command.name


async def test_where_the_operator_has_it_off_nothing_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    about = SimpleNamespace(guild_integration_config=object(), user_integration_config=None)
    monkeypatch.setattr(EgaoBot, "application", about)
    await world.restart()
    payload = next(one for one in world.bot.tree.get_commands() if one.name == "help").to_dict(world.bot.tree)
    assert payload["integration_types"] == [0]
    about.user_integration_config = object()
    await world.restart()
    payload = next(one for one in world.bot.tree.get_commands() if one.name == "help").to_dict(world.bot.tree)
    assert payload["integration_types"] == [0, 1]


async def test_a_server_that_added_it_is_as_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    original = interactions.base_payload

    def both(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        record, made = original(*args, **kwargs)
        made["authorizing_integration_owners"] = {"0": str(world.guild.id), "1": str(made["member"]["user"]["id"])}
        return record, made

    monkeypatch.setattr(interactions, "base_payload", both)
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()))
    assert not answer.ephemeral
    assert len(world.faces(world.ann)) == 1
    assert "AI-edited" in text(last_in(world.channel))
