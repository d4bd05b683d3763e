"""`/egao …`: who may use it, that settings hold at once, and what blocking and purging erase."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import simcord

from core.store import GuildSettings
from tests.bot.kit import World, custom_ids, labels, parts_of, response_of, running, text
from tests.bot.workbench import photo


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        yield made


def settings(world: World) -> GuildSettings:
    return world.store.guilds.get(world.guild.id)


COMMANDS: list[tuple[str, dict[str, Any]]] = [("egao settings", {}), ("egao status", {}), ("egao purge", {})]


@pytest.mark.parametrize(("name", "options"), COMMANDS)
async def test_discord_hides_the_commands_and_the_code_checks_again(world: World, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(simcord.SetupError):
        await world.ann.slash(world.channel, name, **options)
    group = next(one for one in await world.bot.tree.fetch_commands() if one.name == "egao")
    world.guild.set_command_permissions(group, {world.ann: True})
    answer = await world.ann.slash(world.channel, name, **options)
    assert answer.ephemeral
    assert "may manage this server" in text(answer.response)


async def test_settings_are_shown_as_they_stand(world: World) -> None:
    world.set(channels=(world.channel.id,), strength_max=2.5, whose_photos="consented", spoiler=True)
    answer = await world.boss.slash(world.channel, "egao settings")
    assert answer.ephemeral
    shown = text(answer.response)
    channel = f"<#{world.channel.id}>"
    for words in (channel, "Largest strength: **2.5**", "anyone who agreed", "Pictures as spoilers: **on**", "**48**"):
        assert words in shown


async def test_selects_and_switches_hold_at_once(world: World) -> None:
    answer = await world.boss.slash(world.channel, "egao settings")
    panel = response_of(answer)
    role = world.guild.create_role("Faces")
    await world.boss.select(panel, [world.channel], custom_id="egao:set:channels")
    await world.boss.select(panel, [role], custom_id="egao:set:roles")
    await world.boss.select(panel, ["any"], custom_id="egao:set:whose")
    await world.boss.select(panel, [world.other_channel], custom_id="egao:set:reportchannel")
    now = settings(world)
    assert (now.channels, now.roles, now.whose_photos) == ((world.channel.id,), (role.id,), "any")
    assert now.report_channel == world.other_channel.id
    await world.boss.click(panel, label="Automatic replies: on")
    await world.boss.click(panel, label="Spoilers: off")
    now = settings(world)
    assert (now.auto_replies, now.spoiler) == (False, True)
    assert "Saved" in text(panel)
    assert "Automatic replies: off" in labels(panel)
    await world.boss.select(panel, [], custom_id="egao:set:channels")
    assert settings(world).channels == ()


async def test_the_language_changes_the_panel_itself(world: World) -> None:
    answer = await world.boss.slash(world.channel, "egao settings")
    await world.boss.select(response_of(answer), ["ja"], custom_id="egao:set:language")
    assert "保存しました" in text(answer.response)


@pytest.mark.parametrize(
    ("label", "values", "expected"),
    [
        (
            "Limits…",
            {"strength_max": "1.5", "cooldown_seconds": "30", "daily_quota": "9", "work_seconds": "60"},
            (1.5, 30, 9, 60, 8, 600, 48),
        ),
        (
            "Queue and keeping…",
            {"queue_share": "３", "longest_wait_seconds": "60", "retention_hours": "12"},
            (3.0, 10, 50, 600, 3, 60, 12),
        ),
    ],
)
async def test_numbers_are_set_in_a_form(world: World, label: str, values: dict[str, str], expected: tuple[float, ...]) -> None:
    answer = await world.boss.slash(world.channel, "egao settings")
    form = await world.boss.click(response_of(answer), label=label)
    await world.boss.submit_modal(form, values)
    names = (
        "strength_max", "cooldown_seconds", "daily_quota", "work_seconds", "queue_share", "longest_wait_seconds",
        "retention_hours",
    )  # fmt: skip
    assert tuple(getattr(settings(world), name) for name in names) == expected
    assert "Saved" in text(answer.response)


@pytest.mark.parametrize("written", ["100", "-1", "much", " "])
async def test_a_number_out_of_range_changes_nothing_and_names_the_range(world: World, written: str) -> None:
    answer = await world.boss.slash(world.channel, "egao settings")
    form = await world.boss.click(response_of(answer), label="Limits…")
    others = {"cooldown_seconds": "30", "daily_quota": "9", "work_seconds": "60"}
    refused = await world.boss.submit_modal(form, {"strength_max": written, **others})
    assert refused.ephemeral
    assert "Largest strength" in text(refused.response)
    assert "from 0.5 to 5" in text(refused.response)
    assert settings(world) == GuildSettings()


async def test_the_panel_is_only_as_good_as_who_uses_it(world: World) -> None:
    """Somebody who is no admin gets hold of the panel's controls."""
    await world.ann.send(world.channel, "x")
    answer = await world.boss.slash(world.channel, "egao settings")
    stored = world.env.backend.get_message(world.channel.id, response_of(answer).id)
    stored.flags &= ~64
    for label in ("Automatic replies: on", "Limits…"):
        refused = await world.ann.click(response_of(answer), label=label)
        assert "may manage this server" in text(refused.response)
    assert settings(world) == GuildSettings()


async def test_settings_survive_a_restart(world: World) -> None:
    world.set(retention_hours=5)
    await world.restart()
    assert "**5**" in text((await world.boss.slash(world.channel, "egao settings")).response)


async def test_blocking_erases_and_keeps_out_until_unblocked_also_over_a_restart(world: World) -> None:
    await world.kept_face(world.ann)
    await world.boss.slash(world.channel, "egao block", member=world.ann)
    assert not world.faces(world.ann)
    await world.restart()
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()))
    assert "can't use egao" in text(answer.response)
    answer = await world.boss.slash(world.channel, "egao unblock", member=world.ann)
    assert "can use egao again" in text(answer.response)
    answer = await world.boss.slash(world.channel, "egao unblock", member=world.ann)
    assert "was not blocked" in text(answer.response)


async def test_purging_asks_first_and_can_be_of_one_member(world: World) -> None:
    await world.kept_face(world.ann)
    await world.kept_face(world.ben, n=2)
    answer = await world.boss.slash(world.channel, "egao purge", member=world.ann)
    await world.boss.click(response_of(answer), label="Keep it")
    assert world.faces(world.ann)
    answer = await world.boss.slash(world.channel, "egao purge", member=world.ann)
    await world.boss.click(response_of(answer), label="Erase")
    assert not world.faces(world.ann)
    assert world.faces(world.ben)
    answer = await world.boss.slash(world.channel, "egao purge")
    assert "(1)" in text(answer.response)
    await world.boss.click(response_of(answer), label="Erase")
    assert "Faces erased: 1." in text(answer.response)
    assert not world.faces(world.ben)
    assert settings(world).channels, "settings stay"


async def test_the_status_tells_queue_rates_failures_and_disk(world: World) -> None:
    await world.kept_face(world.ann)
    await world.ann.send(world.channel, attachments=[("me.png", photo(0))])
    shown = text((await world.boss.slash(world.channel, "egao status")).response)
    for words in ("1 done, 1 failed", "0 waiting", "worker ready", "faces 1, members 1", "MiB", "permission: on"):
        assert words in shown


async def test_the_missing_content_permission_is_shown_to_the_admins(tmp_path: Path) -> None:
    async with running(tmp_path, content=False) as world:
        assert "only with a mention" in text((await world.boss.slash(world.channel, "egao settings")).response)


async def test_no_control_of_the_panel_lacks_its_words(world: World) -> None:
    answer = await world.boss.slash(world.channel, "egao settings")
    assert len(parts_of(answer.response)) <= 40
    assert len(custom_ids(answer.response)) == 5
