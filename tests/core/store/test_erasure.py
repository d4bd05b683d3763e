"""Erased means erased: no table and no byte of the file tells of the member, and everyone else's data is whole."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import Blocked, QuotaSpent
from core.store import Erased, GuildSettings, Owner, PhotoPlace, Store, erasure
from core.store.database import Database
from tests.core.store.kit import (
    ALICE,
    BOB,
    DAY,
    HOUR,
    LEARNED,
    OTHER_SERVER,
    SERVER,
    Clock,
    files,
    give_again,
    keep_face,
    rows,
    scrub_due,
    settings_at,
    tables,
    traces,
)

HERE = Owner(SERVER, ALICE)
PHOTO_MESSAGE, REPLY, CHANNEL = 0x3344_5566_7788_99AA, 0x4455_6677_8899_AABB, 0x5566_7788_99AA_BBCC


def live(store: Store, owner: Owner, message: int, channel: int, reply: int) -> dict[str, Any]:
    """Leave something of a member in every table that can hold it; returns what to look for."""
    assert owner.member_id is not None
    member, guild = owner.member_id, owner.guild_id or SERVER
    store.members.consent(member, 1, "ja")
    store.members.set_visibility(member, "private")
    face = keep_face(
        store, owner, photo=secrets.token_hex(32), latent=secrets.token_bytes(2500), learned=LEARNED,
        source_message_id=message, source_channel_id=channel,
    )  # fmt: skip
    store.faces.place(owner, face.id, channel, reply)
    store.faces.rename(owner, face.id, "a name")
    unlimited = GuildSettings(cooldown_seconds=0)
    job = store.jobs.create(
        owner, "photo", secrets.token_bytes(700), once=f"{message}:0", limits=unlimited, token="t" * 80,
        channel_id=channel, message_id=reply, source_message_id=message,
    )  # fmt: skip
    assert job is not None
    store.jobs.claim(job.id)
    store.jobs.checkpoint(job.id, secrets.token_bytes(900))
    store.reports.add(guild, member, channel_id=channel, message_id=reply, reason="because")
    with store.database.reading() as db:
        [[latent]] = db.execute("select latent from faces where id = ?", [face.id]).fetchall()
        [[request]] = db.execute("select request from jobs where id = ?", [job.id]).fetchall()
    return {
        "member": member, "message": message, "channel": channel, "reply": reply,
        "once": f"{message}:0", "sealed latent": latent, "sealed request": request,
    }  # fmt: skip


def crowd(store: Store, seed: int) -> list[Owner]:
    """Other members, whose rows share pages with the one who leaves."""
    dice = random.Random(seed)
    owners = [Owner(SERVER, dice.getrandbits(62) | 1 << 61) for _ in range(8)]
    for _ in range(20):
        owner = dice.choice(owners)
        live(store, owner, *(dice.getrandbits(62) for _ in range(3)))
    return owners


ERASURES: dict[str, Callable[[Store], Erased]] = {
    "forget here": lambda store: store.forget(HERE),
    "forget everywhere": lambda store: store.forget_member(ALICE),
    "server left": lambda store: store.forget_guild(SERVER),
}


@pytest.mark.parametrize("erase", ERASURES.values(), ids=ERASURES.keys())
def test_no_trace_of_an_erased_member_is_left(store: Store, erase: Callable[[Store], Erased]) -> None:
    if erase is not ERASURES["server left"]:
        crowd(store, 1)
    needles = live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
    store.members.block(SERVER, ALICE)
    before = traces(store, needles)
    for name in needles:  # the search sees all of it, in the tables and in the raw files
        assert any(trace.startswith(f"{name} in egao.sqlite3") for trace in before), name
        assert any(trace.startswith(f"{name} in ") and "sqlite3" not in trace for trace in before), name
    if erase is ERASURES["server left"]:
        needles["server"] = SERVER
        del needles["member"]  # whose consent is not the server's
    erased = erase(store)
    assert (erased.faces, erased.jobs, len(erased.job_ids)) == (1, 1, 1)
    assert traces(store, needles) == set()
    assert store.integrity() == []


@pytest.mark.parametrize("seed", [5, 27])
def test_no_stale_copy_is_left_in_pages_that_were_split(tmp_path: Path, seed: int) -> None:
    """secure_delete alone leaves five or six of these fifteen: it zeroes a row where it is, not where it was."""
    dice = random.Random(seed)
    with Store.open(settings_at(tmp_path, EGAO_KEY="A" * 43 + "="), now=Clock()) as store:
        members = [dice.getrandbits(62) | 1 << 60 for _ in range(30)]
        with store.database.writing():
            for step in range(300):
                owner = Owner(SERVER, dice.choice(members))
                face = keep_face(
                    store, owner, photo=f"{step:064x}", source_message_id=dice.getrandbits(62),
                    latent=b"l" * dice.randint(100, 3000), thumbnail=b"p",
                )  # fmt: skip
                store.jobs.create(owner, "photo", b"r" * dice.randint(10, 500))
                store.faces.rename(owner, face.id, "n" * dice.randint(1, 50))
        for member in members[:15]:
            store.forget_member(member)
        for member in members[:15]:
            assert not any(member.to_bytes(8, "big") in content for content in files(store).values())


def test_the_others_lose_nothing(store: Store) -> None:
    owners = crowd(store, 2)
    live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
    elsewhere = keep_face(store, Owner(OTHER_SERVER, ALICE))

    def of_others(table: str) -> list[dict[str, Any]]:
        return [row for row in rows(store, table) if row.get("member_id") != ALICE and row.get("at") is None]

    before = {table: of_others(table) for table in ("faces", "jobs", "members", "reports")}
    store.forget(HERE)
    assert {table: of_others(table) for table in before} == before
    assert store.faces.get(elsewhere.owner, elsewhere.id) == elsewhere, "given on another server"
    assert store.members.has_consented(ALICE, 1), "still needed there"
    assert sum(len(store.faces.of(owner)) for owner in owners) == 20
    store.forget(elsewhere.owner)
    assert not store.members.has_consented(ALICE, 1), "nothing is left that it was needed for"


def test_a_deleted_message_takes_the_face_that_it_held(store: Store) -> None:
    crowd(store, 3)
    needles = live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
    kept = keep_face(store, HERE, source_message_id=7)
    del needles["member"], needles["channel"], needles["reply"]  # still of the report
    assert traces(store, needles)
    assert store.forget_source_message(1, 2) == Erased()
    erased = store.forget_source_message(1, PHOTO_MESSAGE)
    assert (erased.faces, erased.jobs, len(erased.job_ids)) == (1, 1, 1)
    assert traces(store, needles) == set()
    assert store.faces.of(HERE) == [store.faces.get(HERE, kept.id)]


def test_a_photo_sent_twice_goes_with_either_message(store: Store) -> None:
    for message in (1, 2):
        keep_face(store, HERE, source_message_id=1)
        give_again(store, HERE, 2)
        assert store.forget_source_message(message).faces == 1
        assert rows(store, "sources") == []


def test_a_server_that_left_leaves_nothing(store: Store) -> None:
    live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
    store.members.block(SERVER, BOB)
    store.guilds.set(SERVER, channels=(CHANNEL,))
    other = keep_face(store, Owner(OTHER_SERVER, BOB))
    store.purge_guild(SERVER)
    assert store.guilds.get(SERVER).channels == (CHANNEL,)
    assert store.members.is_blocked(SERVER, BOB)
    store.forget_guild(SERVER)
    assert store.guilds.all() == {}
    assert not store.members.is_blocked(SERVER, BOB)
    for table in tables(store):
        assert all(row.get("guild_id") != SERVER for row in rows(store, table)), table
    assert store.faces.get(other.owner, other.id) == other


def test_erasing_oneself_lifts_no_block_and_refills_no_quota(store: Store, clock: Clock) -> None:
    limits = GuildSettings(daily_quota=1, cooldown_seconds=0)
    store.limits.take(HERE, limits)
    store.members.block(SERVER, ALICE)
    store.members.block(None, BOB)
    store.forget_member(ALICE)
    store.forget_member(BOB)
    assert traces(store, {"alice": ALICE, "bob": BOB}) == set()
    with pytest.raises(QuotaSpent):
        store.limits.take(HERE, limits)
    for owner in (HERE, Owner(SERVER, BOB), Owner.direct(BOB)):
        with pytest.raises(Blocked):
            store.jobs.create(owner, "photo", b"{}")
    assert [block.member_id for block in store.members.blocked(SERVER)] == [ALICE]
    clock.passes(DAY)
    store.expire()
    assert rows(store, "uses") == []


def test_a_sweep_erases_each_kind_when_its_time_has_come(store: Store, clock: Clock) -> None:
    live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
    store.jobs.create(HERE, "photo", b"{}", token="t", token_expires=clock.at + 900)
    clock.passes(900)
    store.expire()
    assert [row["token"] is None for row in rows(store, "jobs")] == [False, True], "of no more use"
    clock.passes(DAY - 900)
    expired = store.expire()
    assert len(expired.lapsed) == 2
    assert all(row["request"] is None and row["checkpoint"] is None for row in rows(store, "jobs"))
    assert {job.error for job in store.jobs.recover().untold} == {"JobTimedOut"}
    clock.passes(DAY)
    assert store.expire()[:2] == (1, 2)
    clock.passes(28 * DAY)
    assert store.expire().reports == 1
    clock.passes(335 * DAY)
    assert store.expire().members == 1
    assert all(rows(store, table) == [] for table in ("faces", "sources", "jobs", "uses", "reports", "members"))


def test_a_member_who_comes_is_not_forgotten(store: Store, clock: Clock) -> None:
    store.members.consent(ALICE, 1, "en")
    for _ in range(5):
        clock.passes(300 * DAY)
        store.members.require(HERE, 1)
        store.expire()
    assert store.members.has_consented(ALICE, 1)


def test_a_shorter_retention_wipes_requests_too(store: Store, clock: Clock) -> None:
    store.guilds.set(SERVER, retention_hours=1)
    store.jobs.create(HERE, "smile", b"a latent")
    clock.passes(HOUR)
    store.expire()
    assert rows(store, "jobs")[0]["request"] is None


def test_an_erasure_held_up_by_a_reader_is_completed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.database.BUSY_SECONDS", 0.05)
    clock = Clock(time.time())
    with Store.open(settings_at(tmp_path), now=clock) as store:
        needles = live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
        with store.database.reading() as db:
            db.execute("select count(*) from faces").fetchone()  # a snapshot that keeps the old pages in the WAL
            store.forget_member(ALICE)
            assert scrub_due(store.database)
            assert any("sqlite3" in where for where in traces(store, needles))
        clock.passes(2 * HOUR)
        store.expire()
        assert not scrub_due(store.database)
        assert traces(store, needles) == set()


def test_a_vacuum_that_is_due_outlives_the_process(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(settings_at(tmp_path), now=clock) as store:
        live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
        clock.passes(49 * HOUR)
        assert erasure.expire(store.database, store.jobs, clock()).faces == 1  # without the tidying after it
        assert scrub_due(store.database)
    reopened = Database(tmp_path / "egao.sqlite3")
    assert scrub_due(reopened)
    assert reopened.scrub(vacuum=True)
    assert not scrub_due(reopened)
    reopened.close()


def test_what_was_written_before_is_gone_from_the_wal(store: Store) -> None:
    live(store, HERE, PHOTO_MESSAGE, CHANNEL, REPLY)
    assert len(files(store)["egao.sqlite3-wal"]) > 0
    store.forget(HERE)
    assert files(store)["egao.sqlite3-wal"] == b""


def test_what_others_made_of_a_members_photos_goes_with_the_member(store: Store) -> None:
    of_alice = PhotoPlace("http://cdn/1", 9, 3, CHANNEL, PHOTO_MESSAGE, ALICE)
    made = {guild: keep_face(store, Owner(guild, BOB), source=of_alice) for guild in (SERVER, OTHER_SERVER)}
    own = keep_face(store, Owner(SERVER, BOB), photo="cd" * 32, source=replace(of_alice, message_id=7, author_id=BOB))
    jobs = {}
    for guild in (SERVER, OTHER_SERVER):
        job = store.jobs.create(Owner(guild, BOB), "photo", b"r", source_message_id=PHOTO_MESSAGE, author_id=ALICE)
        assert job is not None
        jobs[guild] = job.id
    assert store.faces.authors(Owner(SERVER, BOB), made[SERVER].id) == {ALICE}
    assert store.faces.authors(Owner(SERVER, BOB), own.id) == set(), "of one's own there is nobody to ask"
    assert Owner(SERVER, ALICE) in store.owners(), "who left the server is looked for"
    assert store.forget(HERE) == Erased(1, 1, (jobs[SERVER],))
    assert [face.id for face in store.faces.of(Owner(SERVER, BOB))] == [own.id]
    assert store.forget_member(ALICE) == Erased(1, 1, (jobs[OTHER_SERVER],))
    assert store.faces.of(Owner(OTHER_SERVER, BOB)) == []
    assert [row["author_id"] for row in rows(store, "sources")] == [None]


def test_a_photo_that_two_members_posted_is_both_of_theirs(store: Store) -> None:
    owner, carol = Owner(SERVER, BOB), 77
    place = PhotoPlace("http://cdn/1", 9, 3, CHANNEL, PHOTO_MESSAGE, ALICE)
    face = keep_face(store, owner, source=place)
    again = keep_face(store, owner, source=replace(place, message_id=8, author_id=carol))
    assert face.id == again.id
    assert store.faces.authors(owner, face.id) == {ALICE, carol}
    give_again(store, owner, PHOTO_MESSAGE)
    assert store.faces.authors(owner, face.id) == {ALICE, carol}, "given again without a name, it is theirs all the same"
    store.forget_member(carol)
    assert store.faces.of(owner) == []
