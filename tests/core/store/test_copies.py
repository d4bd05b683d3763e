"""Backups that restore, and exports that hold everything."""

from __future__ import annotations

import io
import json
import os
import secrets
import sqlite3
import stat
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from core.errors import BackupUnfit, StoreDamaged, StoreInUse, StoreNewer, WrongKey
from core.store import GuildSettings, Owner, Store
from core.store.keys import new_key
from tests.core.store.kit import ALICE, BOB, HOUR, LEARNED, OTHER_SERVER, PHOTO, SERVER, Clock, keep_face, raw, rows, settings_at

HERE = Owner(SERVER, ALICE)
LARGEST = 2**30


def test_a_backup_made_in_use_restores_to_what_was(store: Store, tmp_path: Path, clock: Clock) -> None:
    copy = tmp_path / "copy.db"
    face = keep_face(store, HERE, latent=b"latent")
    store.guilds.set(SERVER, spoiler=True)
    stop = threading.Event()

    def go_on_writing() -> None:
        step = 0
        while not stop.is_set():
            step += 1
            keep_face(store, Owner(SERVER, BOB), photo=f"{step:064x}")

    busy = threading.Thread(target=go_on_writing)
    busy.start()
    try:
        store.backup(copy)
    finally:
        stop.set()
        busy.join()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    store.forget_member(ALICE)
    store.guilds.set(SERVER, spoiler=False)
    store.close()
    Store.restore(settings_at(tmp_path), copy, now=clock)
    with Store.open(settings_at(tmp_path), now=clock) as restored:
        assert restored.integrity() == []
        assert restored.faces.latent(HERE, face.id) == b"latent"
        assert restored.guilds.get(SERVER).spoiler
    assert {path.name for path in tmp_path.iterdir()} == {"copy.db", "egao.sqlite3", "key", "store.lock"}


def test_a_restored_backup_keeps_nothing_longer_than_promised(store: Store, tmp_path: Path, clock: Clock) -> None:
    keep_face(store, HERE)
    store.backup(tmp_path / "copy.db")
    store.close()
    clock.passes(49 * HOUR)
    Store.restore(settings_at(tmp_path), tmp_path / "copy.db", now=clock)
    with raw(tmp_path) as conn:
        assert conn.execute("select count(*) from faces").fetchone() == (0,)
    conn.close()


def test_a_damaged_store_is_replaced_by_a_backup(store: Store, tmp_path: Path) -> None:
    face = keep_face(store, HERE)
    store.backup(tmp_path / "copy.db")
    store.close()
    (tmp_path / "egao.sqlite3").write_bytes(b"rubbish" * 1000)
    with pytest.raises(StoreDamaged):
        Store.open(settings_at(tmp_path))
    Store.restore(settings_at(tmp_path), tmp_path / "copy.db", now=store.now)
    with Store.open(settings_at(tmp_path), now=store.now) as restored:
        assert restored.faces.get(HERE, face.id) == face


def test_the_log_of_a_killed_process_does_not_get_into_the_backup(store: Store, tmp_path: Path) -> None:
    face = keep_face(store, HERE)
    store.backup(tmp_path / "copy.db")
    keep_face(store, Owner(SERVER, BOB))
    log = tmp_path / "egao.sqlite3-wal"
    as_if_killed = log.read_bytes()
    store.close()
    log.write_bytes(as_if_killed)
    Store.restore(settings_at(tmp_path), tmp_path / "copy.db", now=store.now)
    with Store.open(settings_at(tmp_path), now=store.now) as restored:
        assert restored.faces.get(HERE, face.id) == face
        assert restored.faces.of(Owner(SERVER, BOB)) == []
        assert restored.integrity() == []


def test_what_is_no_backup_is_refused_and_the_store_stays(store: Store, tmp_path: Path) -> None:
    face = keep_face(store, HERE)
    store.backup(tmp_path / "copy.db")
    store.close()
    copy = (tmp_path / "copy.db").read_bytes()
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("create table t (x)").connection.close()
    files = {"empty": b"", "rubbish": b"rubbish" * 999, "cut": copy[: len(copy) // 2], "another": other.read_bytes()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in (*files, "nowhere"):
        with pytest.raises(BackupUnfit, match=name):
            Store.restore(settings_at(tmp_path), tmp_path / name)
    conn = sqlite3.connect(tmp_path / "copy.db")
    conn.execute("insert into sources (face_id, message_id) values (999, 1)")  # of a face that isn't there
    conn.commit()
    with pytest.raises(BackupUnfit, match="points at nothing"):
        Store.restore(settings_at(tmp_path), tmp_path / "copy.db")
    conn.execute("delete from sources where face_id = 999")
    conn.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values ('egao', '999 later', '')")
    conn.commit()
    conn.close()
    with pytest.raises(StoreNewer):
        Store.restore(settings_at(tmp_path), tmp_path / "copy.db")
    with Store.open(settings_at(tmp_path), now=store.now) as again:
        assert again.faces.get(HERE, face.id) == face


def test_a_backup_of_another_key_is_refused(store: Store, tmp_path: Path) -> None:
    store.backup(tmp_path / "copy.db")
    store.close()
    before = (tmp_path / "egao.sqlite3").read_bytes()
    with pytest.raises(WrongKey):
        Store.restore(settings_at(tmp_path, EGAO_KEY=new_key()), tmp_path / "copy.db")
    assert (tmp_path / "egao.sqlite3").read_bytes() == before


def test_no_backup_is_put_under_a_running_bot(store: Store, tmp_path: Path) -> None:
    store.backup(tmp_path / "copy.db")
    with pytest.raises(StoreInUse):
        Store.restore(settings_at(tmp_path), tmp_path / "copy.db")


def test_a_backup_to_nowhere_is_a_sentence(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupUnfit):
        store.backup(tmp_path / "missing" / "copy.db")


def test_a_damaged_page_is_found(store: Store, tmp_path: Path) -> None:
    for step in range(20):
        keep_face(store, HERE, photo=f"{step:064x}")
    store.close()
    file = tmp_path / "egao.sqlite3"
    content = bytearray(file.read_bytes())
    for page in range(8, len(content) // 4096, 5):
        content[page * 4096 : page * 4096 + 200] = os.urandom(200)
    file.write_bytes(content)
    try:
        with Store.open(settings_at(tmp_path), now=store.now) as again:
            assert again.integrity() != []
    except StoreDamaged:
        pass  # found even sooner


def test_an_export_holds_all_that_is_kept_of_a_member(store: Store, clock: Clock) -> None:
    face = keep_face(store, HERE, latent=b"latent", thumbnail=b"\x89PNGpicture", source_message_id=5, learned=LEARNED)
    store.faces.rename(HERE, face.id, "夏")
    keep_face(store, Owner(SERVER, BOB), latent=b"another's")
    direct = keep_face(store, Owner.direct(ALICE), thumbnail=b"RIFFxxxx")
    store.members.consent(ALICE, 3, "ja")
    job = store.jobs.create(HERE, "photo", b"a request", limits=GuildSettings(), token="credential")
    assert job is not None
    store.reports.add(SERVER, ALICE, channel_id=1, message_id=2, reason="my reason")
    store.members.block(OTHER_SERVER, ALICE)

    (blob,) = store.export_member(ALICE, LARGEST)
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(contents.pop("about.json"))
    assert contents[f"faces/{face.id}.npz"] == b"latent"
    assert contents[f"faces/{face.id}.png"] == b"\x89PNGpicture"
    assert contents[f"faces/{direct.id}.webp"] == b"RIFFxxxx"
    assert contents[f"requests/{job.id}.request"] == b"a request"
    assert (about["member"]["consent_version"], about["member"]["consent_locale"]) == (3, "ja")
    places = {place["server"]: place for place in about["places"]}
    assert set(places) == {None, SERVER, OTHER_SERVER}
    here = places[SERVER]
    kept = here["faces"][0]
    assert (kept["name"], kept["learned"]["found"], kept["messages"]) == ("夏", LEARNED.found, [5])
    assert here["faces"][0]["photo_sha256"] == PHOTO
    assert (here["requests"][0]["kind"], here["reports"][0]["reason"], len(here["uses"])) == ("photo", "my reason", 1)
    assert places[OTHER_SERVER]["blocked"]
    assert b"another's" not in blob
    assert b"credential" not in b"".join([json.dumps(about).encode(), *contents.values()])
    assert str(BOB).encode() not in json.dumps(about).encode()


def test_an_export_comes_in_parts_that_are_small_enough_and_lose_nothing(store: Store) -> None:
    faces = [keep_face(store, owner, photo=f"{n:064x}") for n in range(40) for owner in (HERE, Owner.direct(ALICE))]
    job = store.jobs.create(HERE, "photo", b"a request", limits=GuildSettings())
    assert job is not None
    most, names, told, numbers, used = 20_000, list[str](), list[int](), list[int](), 0
    for part in store.export_member(ALICE, most):
        assert len(part) <= most
        with zipfile.ZipFile(io.BytesIO(part)) as archive:
            assert archive.testzip() is None
            about = json.loads(archive.read("about.json"))
            here = [name for name in archive.namelist() if name != "about.json"]
        said = [one for place in about["places"] for one in (*place["faces"], *place["requests"])]
        assert sorted(here) == sorted(name for one in said for name in one["files"]), "each part says what is in it"
        names += here
        told += [one["id"] for one in said]
        numbers.append(about["part"])
        used += sum(len(place.get("uses", ())) for place in about["places"])
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 10
    assert sorted(told) == sorted([*(face.id for face in faces), job.id])
    assert len(names) == len(set(names)) == 2 * len(faces) + 1
    assert used == 1


def test_an_export_takes_no_more_memory_for_more_faces(store: Store) -> None:
    with store.database.writing():
        for n in range(300):
            keep_face(store, HERE, photo=f"{n:064x}", thumbnail=secrets.token_bytes(50_000))
    tracemalloc.start()
    try:
        size = sum(len(part) for part in store.export_member(ALICE, 2**20))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 14 * 2**20
    assert peak < 5 * 2**20


def test_a_face_erased_while_an_export_goes_on_is_left_out(store: Store) -> None:
    faces = [keep_face(store, HERE, photo=f"{n:064x}") for n in range(20)]
    parts = store.export_member(ALICE, 20_000)
    next(parts)
    store.faces.delete(HERE, faces[-1].id)
    assert not any(f"faces/{faces[-1].id}.npz".encode() in part for part in parts)


def test_there_is_nothing_to_export_of_somebody_unknown(store: Store) -> None:
    keep_face(store, HERE)
    assert not list(store.export_member(BOB, LARGEST))
    store.forget_member(ALICE)
    assert not list(store.export_member(ALICE, LARGEST))


def test_every_column_about_a_member_is_in_the_export(store: Store) -> None:
    """A column that is added and forgotten here would be kept without being shown."""
    internal = {
        "faces": {"guild_id", "member_id", "photo", "details", "latent", "thumbnail", "chosen", "extras"},
        "jobs": {"guild_id", "member_id", "once", "request", "checkpoint", "holder", "expires"},
        "members": {"member_id"},
        "reports": {"guild_id"},
    }  # fmt: skip
    keep_face(store, HERE)
    store.members.consent(ALICE, 1, "en")
    store.jobs.create(HERE, "photo", b"")
    store.reports.add(SERVER, ALICE, channel_id=1, message_id=2, reason="r")
    (blob,) = store.export_member(ALICE, LARGEST)
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        about = json.loads(archive.read("about.json"))
    shown = {
        "faces": about["places"][0]["faces"][0], "jobs": about["places"][0]["requests"][0],
        "members": about["member"], "reports": about["places"][0]["reports"][0],
    }  # fmt: skip
    for table, columns in internal.items():
        assert set(rows(store, table)[0]) - columns <= set(shown[table]), table
    assert shown["faces"].keys() >= {"learned", "source"}


@pytest.mark.parametrize("by_hand", [False, True])
def test_after_a_restore_no_number_is_given_again(store: Store, tmp_path: Path, clock: Clock, by_hand: bool) -> None:
    copy = tmp_path / "copy.db"
    store.backup(copy)
    public = keep_face(store, HERE, photo="aa" * 32)
    job = store.jobs.create(HERE, "photo", b"?")
    store.close()
    clock.passes(0.01)
    if by_hand:
        (tmp_path / "egao.sqlite3").write_bytes(copy.read_bytes())
    else:
        Store.restore(settings_at(tmp_path), copy, now=clock)
    with Store.open(settings_at(tmp_path), now=clock) as restored:
        assert keep_face(restored, HERE, photo="bb" * 32).id > public.id
        again = restored.jobs.create(HERE, "photo", b"?")
        assert job is not None
        assert again is not None
        assert again.id > job.id
