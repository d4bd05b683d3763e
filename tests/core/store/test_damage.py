"""Values are bound to their owner, and a damaged one costs its own row alone."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import core.store.rotation as rotation
from core.errors import BadSetting, NoSuchStoredFace, StoreDamaged
from core.store import Owner, Store
from core.store.migrations import BOUND, SEALED
from tests.core.store.kit import (
    ALICE,
    BOB,
    GENERATOR,
    OTHER_SERVER,
    PHOTO,
    SERVER,
    keep_face,
    latest,
    rows,
    settings_at,
)

HERE, THEIRS = Owner(SERVER, ALICE), Owner(SERVER, BOB)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(settings_at(tmp_path)) as opened:
        yield opened


def spoil(store: Store, table: str, column: str, number: int) -> None:
    with store.database.writing() as db:
        (value,) = db.execute(f"select {column} from {table} where id = ?", [number]).fetchone()
        db.table(table).update(number, {column: value[:-1] + bytes([value[-1] ^ 1])})


def fill(store: Store) -> None:
    """Something of Alice's in every sealed column."""
    face = keep_face(store, HERE, latent=b"latent of alice")
    store.faces.rename(HERE, face.id, "name")
    store.faces.note(HERE, face.id, face.learned)
    job = store.jobs.create(HERE, "photo", b"request", token="token")
    assert job is not None
    store.jobs.claim(job.id)
    store.jobs.checkpoint(job.id, b"checkpoint")
    store.reports.add(SERVER, ALICE, channel_id=1, message_id=2, reason="reason")


@pytest.mark.parametrize("change", [{"member_id": BOB}, {"guild_id": OTHER_SERVER}])
def test_a_row_given_to_another_in_a_backup_opens_nothing(store: Store, tmp_path: Path, change: dict[str, int]) -> None:
    fill(store)
    store.backup(tmp_path / "copy.db")
    store.close()
    with closing(sqlite3.connect(tmp_path / "copy.db", isolation_level=None)) as conn:  # by a keeper of the copy who has no key
        for table in ("faces", "jobs", "reports"):
            for column, value in change.items():
                conn.execute(f"update {table} set {column} = ?", [value])
    Store.restore(settings_at(tmp_path), tmp_path / "copy.db")
    owner = Owner(change.get("guild_id", SERVER), change.get("member_id", ALICE))
    with Store.open(settings_at(tmp_path)) as restored:
        assert restored.faces.of(owner) == []
        (row,) = rows(restored, "faces")
        for read in (restored.faces.latent, restored.faces.thumbnail, restored.faces.get):
            with pytest.raises(StoreDamaged):
                read(owner, row["id"])
        (number,) = restored.jobs.numbers(owner)
        job = restored.jobs.get(number)
        assert job is not None
        assert (job.request, job.token, job.checkpoint) == (None, None, None)
        (report,) = restored.reports.by(owner)
        assert report.reason == "?"
        assert len(restored.integrity()) >= 7
        (data,) = restored.export_member(owner.member_id or 0, 2**30)
        files = zipfile.ZipFile(io.BytesIO(data))
        assert all(b"latent of alice" not in files.read(name) for name in files.namelist())


def test_every_sealed_table_says_what_it_is_bound_to(store: Store) -> None:
    assert BOUND.keys() == SEALED.keys()
    with store.database.reading() as db:
        for table, columns in BOUND.items():
            has = {column.name for column in db.table(table).columns}
            assert set(columns) == has & {"guild_id", "member_id"}


@pytest.mark.parametrize("column", ["details", "extras", "name", "latent", "thumbnail"])
def test_a_damaged_face_costs_itself_alone(store: Store, column: str) -> None:
    bad, good = keep_face(store, HERE), keep_face(store, HERE, photo="cd" * 32)
    store.faces.rename(HERE, bad.id, "name")
    store.faces.note(HERE, bad.id, bad.learned.__class__('{"x":1}', ()))
    spoil(store, "faces", column, bad.id)
    assert good.id in {face.id for face in store.faces.of(HERE)}
    assert (found := latest(store, HERE)) is not None
    assert found.id == good.id
    if column == "name":
        assert store.faces.get(HERE, bad.id).name is None
        return
    (exported,) = store.export_member(ALICE, 2**30)
    about = json.loads(zipfile.ZipFile(io.BytesIO(exported)).read("about.json"))
    assert good.id in {face["id"] for face in about["places"][0]["faces"]}
    if column != "thumbnail":  # which only the list shows
        assert store.faces.find(HERE, PHOTO, 0, generator=GENERATOR, method="w+") is None
        again = keep_face(store, HERE)  # given again it is worked on again, and whole
        assert store.faces.get(HERE, again.id) == again
        spoil(store, "faces", "details", again.id)
    store.faces.delete(HERE, bad.id)
    with pytest.raises(NoSuchStoredFace):
        store.faces.delete(HERE, bad.id)
    assert [row["id"] for row in rows(store, "faces")] == [good.id]


@pytest.mark.parametrize("column", ["request", "token", "checkpoint"])
def test_a_damaged_request_keeps_no_other_from_being_taken_up(tmp_path: Path, column: str) -> None:
    with Store.open(settings_at(tmp_path)) as store:
        made = [store.jobs.create(Owner(SERVER, n), "photo", b"Q" * 200, token="t") for n in (1, 2, 3)]
        ids = [job.id for job in made if job is not None]
        store.jobs.claim(ids[0])
        store.jobs.checkpoint(ids[0], b"C")
        spoil(store, "jobs", column, ids[0])
    with Store.open(settings_at(tmp_path)) as store:
        queued = store.jobs.recover(set(), None).queued
        assert [job.id for job in queued] == ids
        assert getattr(queued[0], column) is None
        assert [job.request for job in queued[1:]] == [b"Q" * 200] * 2
        assert store.jobs.finish(ids[0], "failed", error="WorkerDied", told=True)


def test_a_damaged_report_or_block_can_be_closed_and_lifted(store: Store) -> None:
    store.members.block(SERVER, ALICE)
    store.members.block(SERVER, BOB)
    number = store.reports.add(SERVER, ALICE, channel_id=1, message_id=2, reason="so")
    spoil(store, "reports", "reason", number)
    spoil(store, "blocks", "member", rows(store, "blocks")[0]["id"])
    assert [one.id for one in store.reports.of(SERVER)] == [number]
    assert store.reports.close(SERVER, number) is not None
    assert [one.member_id for one in store.members.blocked(SERVER)] == [BOB]
    assert store.members.is_blocked(SERVER, ALICE)
    assert store.members.unblock(SERVER, ALICE)


def test_the_key_is_rotated_around_a_damaged_value(tmp_path: Path) -> None:
    with Store.open(settings_at(tmp_path)) as store:
        bad, good = keep_face(store, HERE), keep_face(store, THEIRS, latent=b"good")
        spoil(store, "faces", "details", bad.id)
    rotation.rotate(settings_at(tmp_path))
    with Store.open(settings_at(tmp_path)) as store:
        assert store.faces.latent(THEIRS, good.id) == b"good"
        assert store.faces.find(THEIRS, PHOTO, 0, generator=GENERATOR, method="w+") is not None
        store.faces.delete(HERE, bad.id)


@pytest.mark.parametrize("name", ["egao.sqlite3", "store.lock"])
def test_a_folder_where_a_file_should_be_is_told(tmp_path: Path, name: str) -> None:
    """As some way of putting a backup back leaves it."""
    (tmp_path / name).mkdir()
    with pytest.raises(BadSetting, match="Is a directory"), Store.open(settings_at(tmp_path)):
        pass
