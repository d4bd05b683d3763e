"""Each way in which data must go, through the bot itself, and then a search of the raw database, its WAL and all tables."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.requests import erasure, recovery
from core.errors import StoreBusy
from core.store import Store
from tests.bot.kit import World, last_in, response_of, running, text
from tests.bot.workbench import photo
from tests.core.store.kit import rows, traces

HOUR = 3600.0
Needles = dict[str, bytes | int | str]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        made.consent(made.ann, made.ben)
        yield made


async def give(world: World, person: Any, n: int) -> Needles:
    """The person gives a photo and gets an answer; returns what must be gone when it is erased."""
    data = photo(n=n)
    sent = await person.send(world.channel, attachments=[("holiday.png", data)])
    reply = last_in(world.channel)
    assert "AI-edited" in text(reply)
    (face,) = [row for row in rows(world.store, "faces") if row["message_id"] == reply.id]
    digest = hashlib.sha256(data)
    return {
        "member": person.id, "message": sent.id, "reply": reply.id, "link": sent.attachments[0].url,
        "photo's file": data, "photo": digest.digest(), "photo's hash": digest.hexdigest(),
        "picture": world.store.faces.thumbnail(world.owner(person), face["id"]),
        **{f"sealed {column}": face[column] for column in ("latent", "thumbnail", "details", "extras")},
    }  # fmt: skip


async def forget(world: World, sent: Needles) -> None:
    answer = await world.ann.slash(world.channel, "forget")
    await world.ann.click(response_of(answer), label="Erase everything")


async def deleted(world: World, sent: Needles) -> None:
    message = await world.bot.get_partial_messageable(world.channel.id).fetch_message(int(sent["message"]))
    await world.ann.delete(message)


async def deleted_in_bulk(world: World, sent: Needles) -> None:
    both = [discord.Object(int(sent[name])) for name in ("message", "reply")]  # of one alone the library makes a plain deletion
    await world.bot.get_channel(world.channel.id).delete_messages(both)  # type: ignore[union-attr]


async def banned(world: World, sent: Needles) -> None:
    await world.bot.get_guild(world.guild.id).ban(discord.Object(world.ann.id))  # type: ignore[union-attr]


async def channel_deleted(world: World, sent: Needles) -> None:
    await world.bot.get_channel(world.channel.id).delete()  # type: ignore[union-attr]


async def thread_deleted(world: World, sent: Needles) -> None:
    cog: Any = world.bot.get_cog("EraseCog")  # a thread is a channel to the store
    assert "on_raw_thread_delete" in dict(cog.get_listeners())
    await cog.on_raw_thread_delete(SimpleNamespace(thread_id=world.channel.id))


async def deleted_while_off(world: World, sent: Needles) -> None:
    world.photos.dead.add(str(sent["link"]))
    message = int(sent["message"])
    world.env.inject_error("GET", f"/channels/{world.channel.id}/messages/{message}", status=404, code=10008)
    answer = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert "not kept any more" in text(answer.response)
    await world.ann.slash(world.channel, "privacy")


async def gone_while_off(world: World, sent: Needles) -> None:
    await world.bot.get_guild(world.guild.id).kick(discord.Object(world.ann.id))  # type: ignore[union-attr]
    assert world.faces(world.ann), "without the members intent nobody tells"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "PAUSE", 0.0)
        await world.restart()
        await world.env.settle()


async def left(world: World, sent: Needles) -> None:
    await world.bot.get_guild(world.guild.id).leave()  # type: ignore[union-attr]


async def blocked(world: World, sent: Needles) -> None:
    await world.boss.slash(world.channel, "egao block", member=world.ann)


async def purged(world: World, sent: Needles) -> None:
    answer = await world.boss.slash(world.channel, "egao purge", member=world.ann)
    await world.boss.click(response_of(answer), label="Erase")


async def all_purged(world: World, sent: Needles) -> None:
    answer = await world.boss.slash(world.channel, "egao purge")
    await world.boss.click(response_of(answer), label="Erase")


async def one_erased(world: World, sent: Needles) -> None:
    page = response_of(await world.ann.slash(world.channel, "faces"))
    await world.ann.select(page, [str(world.faces(world.ann)[0].id)])
    await world.ann.click(page, label="Erase")


CONSENT = {"member"}  # the member themselves stays known: to the other servers, or by their consent
OUTCOME = {"member", "message", "reply"}  # a request's ids and outcome stay for a day
TRIGGERS: dict[str, tuple[Callable[[World, Needles], Awaitable[None]], set[str]]] = {
    "/forget": (forget, set()),
    "the message deleted": (deleted, CONSENT),
    "messages deleted in bulk": (deleted_in_bulk, CONSENT),
    "the channel deleted": (channel_deleted, CONSENT),
    "the thread deleted": (thread_deleted, CONSENT),
    "the message deleted while it was off, noticed when it is looked for": (deleted_while_off, CONSENT),
    "a ban": (banned, set()),
    "a member gone while it was off": (gone_while_off, set()),
    "the server left": (left, CONSENT),
    "a block": (blocked, set()),
    "a purge of the member": (purged, set()),
    "a purge of the server": (all_purged, CONSENT),
    "one face erased": (one_erased, OUTCOME),
}  # fmt: skip


@pytest.mark.parametrize("trigger", TRIGGERS)
async def test_no_byte_is_left(world: World, trigger: str) -> None:
    act, stays = TRIGGERS[trigger]
    for n in range(6):
        await give(world, world.ben, 100 + n)  # others, whose rows share pages with the one who leaves
    sent = await give(world, world.ann, 1)
    before = traces(world.store, sent)
    for needle in ("member", "message", "reply", "sealed latent", "sealed thumbnail", "sealed details", "sealed extras"):
        assert any(trace.startswith(f"{needle} in egao.sqlite3") for trace in before), f"the search sees no {needle}"
    for needle in ("link", "photo's file", "photo", "photo's hash", "picture"):
        assert not any(trace.startswith(f"{needle} in ") for trace in before), f"{needle} stood in the clear"
    await act(world, sent)
    await world.env.settle()
    left_over = traces(world.store, {name: needle for name, needle in sent.items() if name not in stays})
    assert left_over == set()
    assert world.store.integrity() == []
    assert not world.faces(world.ann)
    if trigger not in {"the channel deleted", "the thread deleted", "the server left", "a purge of the server"}:
        assert len(world.faces(world.ben)) == 6, "the others lose nothing"


@pytest.mark.parametrize("trigger", ["deleted", "banned"])
async def test_a_store_that_fails_is_asked_again_to_erase(world: World, trigger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, act = {"deleted": ("forget_source_message", deleted), "banned": ("forget", banned)}[trigger]
    sent = await give(world, world.ann, 1)
    erase, failed = getattr(world.store, name), iter((True, True))

    def busy(*of: Any) -> Any:
        if next(failed, False):
            raise StoreBusy(path="here")
        return erase(*of)

    monkeypatch.setattr(world.store, name, busy)
    monkeypatch.setattr(erasure, "RETRIES", (0.01,) * 3)
    await act(world, sent)
    await world.env.settle()
    assert not world.faces(world.ann)
    assert len(world.complaints()) == 2, "the operator hears of it"


async def test_retention_holds_while_the_bot_is_off(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.open()
        world.consent(world.ann)
        sent = await give(world, world.ann, 1)
        settings = world.parts.settings
    for hours, faces in ((47, 1), (49, 0)):
        with Store.open(settings, now=lambda hours=hours: time.time() + hours * HOUR) as store:  # type: ignore[misc]
            assert len(rows(store, "faces")) == faces
            assert rows(store, "jobs") == [], "an ended request stays for a day"
            found = traces(store, {name: needle for name, needle in sent.items() if name not in CONSENT})
            assert bool(found) == bool(faces), found


async def test_of_a_refused_photo_nothing_is_kept_but_that_it_counted(world: World) -> None:
    world.set(daily_quota=1)
    data = photo(fail="LooksYoung")
    sent = await world.ann.send(world.channel, attachments=[("holiday.png", data)])
    assert "at least 18" in text(world.channel.last_message)
    assert "often wrong" in text(world.channel.last_message)
    (job,) = rows(world.store, "jobs")
    assert (job["error"], job["request"], job["checkpoint"], job["token"]) == ("PhotoRefused", None, None, None)
    digest = hashlib.sha256(data)
    link = sent.attachments[0].url
    assert traces(world.store, {"link": link, "photo": digest.digest(), "hash": digest.hexdigest(), "why": "LooksYoung"}) == set()
    assert not world.faces(world.ann)
    await world.ann.send(world.channel, attachments=[("holiday.png", photo(n=2))])
    assert "your 1 edit of today" in text(world.channel.last_message), "else thresholds could be sounded out for nothing"


async def test_the_log_of_a_busy_day_holds_ids_only(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("bot", "cogs", "core"):
        caplog.set_level(logging.DEBUG, logger=name)
    strange = world.guild.add_member(world.env.create_user("Zarquon"))
    world.consent(strange)
    sent = await strange.send(world.channel, "my secret birthday", attachments=[("holiday.png", photo())])
    result = last_in(world.channel)
    face = world.faces(strange)[0]
    page = response_of(await strange.slash(world.channel, "faces"))
    await strange.select(page, [str(face.id)])
    form = await strange.click(page, label="Rename…")
    await strange.submit_modal(form, {"name": "Grandmother"})
    form = await strange.click(result, label="Report")
    await strange.submit_modal(form, {"why": "else", "reason": "this is embarrassing"})
    await strange.send(world.channel, attachments=[("wrong.png", photo(fail="bug"))])
    await strange.send(world.channel, attachments=[("wrong.png", photo(fail="NoFace", n=3))])
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=500, times=1)
    await strange.send(world.channel, attachments=[("late.png", photo(n=4))])
    await strange.slash(world.channel, "smile", strength=2.0)
    await forget_as(world, strange)
    world.complaints()
    ours = [record for record in caplog.records if record.name.split(".")[0] in {"bot", "cogs", "core"}]
    heard = "\n".join(logging.Formatter().format(record) for record in ours)
    assert "a mistake in the code" in heard, "the log was heard"
    told = ("Zarquon", "Studio", "holiday", "birthday", "Grandmother", "embarrassing", sent.attachments[0].url, "http", ".png")
    assert [word for word in told if word in heard] == []
    assert "\\x89PNG" not in heard


async def forget_as(world: World, person: Any) -> None:
    answer = await person.slash(world.channel, "forget")
    await person.click(answer.response, label="Erase everything")
