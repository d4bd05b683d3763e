"""What is a member's own: their faces, their data, and the events by which it goes."""

from __future__ import annotations

import asyncio
import io
import secrets
import sys
import zipfile
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.transport.error_replies import ANSWERED
from bot.ui.pages import notice
from tests.bot.kit import HeldExecutor, World, labels, last_in, pictures, response_of, select_of, text
from tests.bot.workbench import photo


def left_of(world: World, person: Any) -> list[str]:
    """The files of an export but the one that says what there is: faces, pictures."""
    parts = [zipfile.ZipFile(io.BytesIO(part)) for part in world.store.export_member(person.id, 2**30)]
    return [name for part in parts for name in part.namelist() if name != "about.json"]


async def test_faces_are_listed_picked_renamed_and_erased(world: World) -> None:
    assert "No face" in text((await world.ann.slash(world.channel, "faces")).response)
    await world.kept_face(world.ann, n=1)
    await world.kept_face(world.ann, n=2)
    newest, oldest = world.faces(world.ann)
    answer = await world.ann.slash(world.channel, "faces")
    assert answer.ephemeral
    page = response_of(answer)
    assert len(page.attachments) == 2
    assert "used by `/smile`" in text(page)
    await world.ann.select(page, [str(oldest.id)])
    assert labels(page) == ["Use this one", "Rename…", "Erase", "Back to the list"]
    await world.ann.click(page, label="Use this one")
    assert world.faces(world.ann)[0].id == oldest.id
    await world.ann.select(page, [str(newest.id)])
    form = await world.ann.click(page, label="Rename…")
    await world.ann.submit_modal(form, {"name": "  *Summer*  trip "})
    assert world.store.faces.get(world.owner(world.ann), newest.id).name == "*Summer* trip"
    assert "\\*Summer\\* trip" in text(page)
    await world.ann.select(page, [str(newest.id)])
    await world.ann.click(page, label="Back to the list")
    await world.ann.select(page, [str(oldest.id)])
    await world.ann.click(page, label="Erase")
    assert [one.id for one in world.faces(world.ann)] == [newest.id]


async def test_a_question_that_had_arrived_is_not_put_over_its_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord says that it failed, the library tries again, and meanwhile the member has answered."""
    send = discord.InteractionResponse.send_message

    async def late(response: Any, **page: Any) -> None:
        await send(response, **page)
        await response._parent.edit_original_response(view=notice("Everything is erased.").view)
        response._response_type = None  # no try of the library's was taken, as far as it knows
        refused: Any = SimpleNamespace(status=400, reason="Bad Request")
        told = {"code": ANSWERED, "message": "Interaction has already been acknowledged."}
        raise discord.HTTPException(refused, told)

    monkeypatch.setattr(discord.InteractionResponse, "send_message", late)
    asked = await world.ann.slash(world.channel, "forget")
    assert text(asked.response) == "Everything is erased."


async def test_a_name_can_be_taken_away_and_a_list_stays_after_a_restart(world: World) -> None:
    await world.kept_face(world.ann)
    face = world.faces(world.ann)[0]
    world.store.faces.rename(world.owner(world.ann), face.id, "x")
    page = response_of(await world.ann.slash(world.channel, "faces"))
    await world.restart()
    await world.ann.select(page, [str(face.id)])
    form = await world.ann.click(page, label="Rename…")
    await world.ann.submit_modal(form, {"name": ""})
    assert world.faces(world.ann)[0].name is None


async def test_many_faces_come_in_pages(world: World) -> None:
    for n in range(8):
        await world.kept_face(world.ann, n=n)
    page = response_of(await world.ann.slash(world.channel, "faces"))
    assert len(select_of(page)["options"]) == 6
    await world.ann.click(page, label="▶")
    assert len(select_of(page)["options"]) == 2
    assert "Page 2 of 2" in labels(page)
    await world.ann.click(page, label="◀")
    assert len(select_of(page)["options"]) == 6


async def test_nobody_opens_somebody_elses_face(world: World) -> None:
    await world.kept_face(world.ann)
    await world.kept_face(world.ben, n=1)
    page = response_of(await world.ben.slash(world.channel, "faces"))
    stored = world.env.backend.get_message(world.channel.id, page.id)
    select = next(one for one in stored.components[0]["components"] if one["type"] == 1)["components"][0]
    select["options"][0]["value"] = str(world.faces(world.ann)[0].id)
    answer = await world.ben.select(page, [select["options"][0]["value"]])
    assert "not kept any more" in text(answer.response)


async def test_forget_asks_and_then_leaves_nothing(world: World) -> None:
    await world.kept_face(world.ann)
    await world.dm(world.ann, "me.png", photo())
    answer = await world.ann.slash(world.channel, "forget")
    await world.ann.click(response_of(answer), label="Keep it")
    assert world.faces(world.ann)
    answer = await world.ann.slash(world.channel, "forget")
    await world.ann.click(response_of(answer), label="Erase everything")
    assert "is erased" in text(answer.response)
    assert not left_of(world, world.ann)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "I agree" in labels(world.channel.last_message), "the consent is gone too"


async def test_forgetting_ends_what_is_under_way(world: World) -> None:
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    working = last_in(world.channel)
    answer = await world.ann.slash(world.channel, "forget")
    await world.ann.click(response_of(answer), label="Erase everything")
    executor.gate.set()
    await world.env.settle()
    assert "stopped" in text(await world.bot.get_partial_messageable(world.channel.id).fetch_message(working.id))
    assert not left_of(world, world.ann)


async def test_export_hands_over_all_that_is_kept(world: World) -> None:
    answer = await world.ben.slash(world.channel, "export")
    assert "keeps nothing" in text(answer.response)
    await world.kept_face(world.ann)
    answer = await world.ann.slash(world.channel, "export")
    assert answer.ephemeral
    archive = zipfile.ZipFile(io.BytesIO(pictures(world, answer.response)["egao-export.zip"]))
    assert archive.testzip() is None
    assert any(name.endswith(".npz") for name in archive.namelist())


async def test_a_large_export_comes_in_parts_and_not_again_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["cogs.data"], "PART_BYTES", 30_000)
    for n in range(6):
        world.store.faces.add(
            world.owner(world.ann), photo_sha256=f"{n:064x}", face=0, box=(), quad=(), latent=secrets.token_bytes(9_000),
            thumbnail=b"x", generator="g", method="m",
        )  # fmt: skip
    answer = await world.ann.slash(world.channel, "export")
    shown = [response_of(answer), *answer.followups]
    assert [text(one).partition(" of all")[0] for one in shown] == ["Part 1", "Part 2", "Part 3"]
    assert ["last one" in text(one) for one in shown] == [False, False, True]
    assert all(one.flags.ephemeral for one in shown)
    files = [file for one in shown for file in pictures(world, one).items()]
    assert [name for name, _ in files] == ["egao-export.zip", "egao-export-2.zip", "egao-export-3.zip"]
    assert all(len(data) <= 30_000 for _, data in files)
    latents = [name for _, data in files for name in zipfile.ZipFile(io.BytesIO(data)).namelist() if name.endswith(".npz")]
    assert len(latents) == 6
    again = await world.ann.slash(world.channel, "export")
    assert "had your copy a short while ago" in text(again.response)
    assert not response_of(again).attachments
    other = await world.ben.slash(world.channel, "export")
    assert "keeps nothing" in text(other.response)


async def test_a_ban_erases_in_that_server_only(world: World) -> None:
    await world.kept_face(world.ann)
    await world.dm(world.ann, "me.png", photo())
    guild = world.bot.get_guild(world.guild.id)
    assert guild is not None
    await guild.ban(discord.Object(world.ann.id))
    await world.env.settle()
    assert not world.faces(world.ann)
    assert list(world.store.export_member(world.ann.id, 2**30))


async def test_messages_deleted_in_bulk_take_their_faces_along(world: World) -> None:
    first = await world.ann.send(world.channel, attachments=[("me.png", photo(n=1))])
    second = await world.ann.send(world.channel, attachments=[("me.png", photo(n=2))])
    channel = world.bot.get_channel(world.channel.id)
    await channel.delete_messages([first, second])  # type: ignore[union-attr]
    await world.env.settle()
    assert not world.faces(world.ann)


async def test_leaving_a_server_erases_it(world: World) -> None:
    await world.kept_face(world.ann)
    await world.bot.get_guild(world.guild.id).leave()  # type: ignore[union-attr]
    await world.env.settle()
    assert not world.faces(world.ann)
    assert world.guild.id not in world.store.guilds.all()


async def test_having_been_removed_while_off_is_noticed_at_the_next_start(world: World) -> None:
    gone = 42
    world.store.guilds.set(gone, retention_hours=3)
    await world.restart()
    await world.env.settle()
    assert gone not in world.store.guilds.all()
    assert world.guild.id in world.store.guilds.all()


async def test_an_outage_is_no_farewell(world: World) -> None:
    world.store.guilds.set(42, retention_hours=3)
    world.env.inject_error("GET", "/guilds/42", status=503, times=None)
    await world.restart()
    await world.env.settle()
    assert world.store.guilds.get(42).retention_hours == 3


async def test_help_and_privacy_name_the_limits_that_hold_here(world: World) -> None:
    world.set(strength_max=1.5, retention_hours=6)
    shown = text((await world.ann.slash(world.channel, "help")).response)
    assert "/egao settings" not in shown
    assert "/egao settings" in text((await world.boss.slash(world.channel, "help")).response), "an admin learns where to begin"
    assert "−1.5 to +1.5" in shown
    assert "6 hours" in shown
    assert "6 hours" in text((await world.ann.slash(world.channel, "privacy")).response)
    assert "48 hours" in text((await world.ann.user.slash("privacy")).response)
