"""The key: made once and private, refused if wrong or exposed, replaced without losing anything or leaving a trace."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

import core.store.rotation as rotation
from core.errors import BadSetting, KeyExposed, QuotaSpent, StoreDamaged, StoreInUse, StoreNewer, WrongKey
from core.store import GuildSettings, Owner, Store, database_file
from core.store.keys import new_key, write_keys
from core.store.migrations import HASHED, SEALED, steps
from core.store.vault import Unopened, Vault
from tests.core.store.kit import ALICE, BOB, GENERATOR, LEARNED, PHOTO, SERVER, Clock, keep_face, raw, rows, settings_at, traces

HERE = Owner(SERVER, ALICE)
ONE_USE = GuildSettings(daily_quota=1, cooldown_seconds=0)


def fill(store: Store) -> None:
    """Something in every sealed column."""
    face = keep_face(store, HERE, learned=LEARNED, latent=b"latent")
    store.faces.rename(HERE, face.id, "name")
    job = store.jobs.create(HERE, "photo", b"request", token="token", limits=ONE_USE)
    assert job is not None
    store.jobs.claim(job.id)
    store.jobs.checkpoint(job.id, b"checkpoint")
    store.members.block(SERVER, BOB)
    store.reports.add(SERVER, BOB, channel_id=1, message_id=2, reason="reason")


def sealed(store: Store) -> dict[str, bytes]:
    """Every sealed or hashed value."""
    columns = {table: [*names, *([HASHED[table]] if table in HASHED else [])] for table, names in SEALED.items()}
    return {
        f"{table}.{column} {row['id']}": row[column]
        for table, names in columns.items() for row in rows(store, table) for column in names
    }  # fmt: skip


def check_all_there(store: Store) -> None:
    face = store.faces.find(HERE, PHOTO, 0, generator=GENERATOR, method="w+")
    assert face is not None
    assert (face.name, face.learned, store.faces.latent(HERE, face.id)) == ("name", LEARNED, b"latent")
    [number] = store.jobs.numbers(HERE)
    job = store.jobs.get(number)
    assert job is not None
    assert (job.request, job.token, job.checkpoint) == (b"request", "token", b"checkpoint")
    assert store.members.is_blocked(SERVER, BOB)
    assert [block.member_id for block in store.members.blocked(SERVER)] == [BOB]
    assert store.reports.of(SERVER)[0].reason == "reason"
    with pytest.raises(QuotaSpent):
        store.limits.take(HERE, ONE_USE)
    assert store.integrity() == []


def test_home_key_and_database_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with Store.open(settings_at(home)) as store:
        keep_face(store, HERE)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {"egao.sqlite3", "egao.sqlite3-wal", "key"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_database_left_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    Store.open(settings_at(tmp_path)).close()
    (tmp_path / "egao.sqlite3").chmod(0o644)
    Store.open(settings_at(tmp_path)).close()
    assert stat.S_IMODE((tmp_path / "egao.sqlite3").stat().st_mode) == 0o600


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Store.open(settings_at(tmp_path)).close()
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyExposed, match="chmod 600"):
        Store.open(settings_at(tmp_path))


@pytest.mark.parametrize("lost", ["replaced", "missing", "in EGAO_KEY"])
def test_another_key_is_noticed_at_once(tmp_path: Path, lost: str) -> None:
    with Store.open(settings_at(tmp_path)) as store:
        fill(store)
    key = tmp_path / "key"
    kept = key.read_text()
    settings = settings_at(tmp_path, **({"EGAO_KEY": new_key()} if lost == "in EGAO_KEY" else {}))
    key.write_text(new_key() + "\n") if lost == "replaced" else key.unlink()
    with pytest.raises(WrongKey):
        Store.open(settings)
    assert lost == "replaced" or not key.exists(), "no new key is made for a store that has one"
    key.write_text(kept)
    key.chmod(0o600)
    with Store.open(settings_at(tmp_path)) as store:
        check_all_there(store)


@pytest.mark.parametrize("text", ["short", "A" * 43, "A" * 44, ",", "é" * 44])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match="EGAO_KEY"):
        Store.open(settings_at(tmp_path, EGAO_KEY=text))


def test_a_key_in_the_environment_leaves_no_file(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, EGAO_KEY=new_key())
    with Store.open(settings) as store:
        fill(store)
    with Store.open(settings) as store:
        check_all_there(store)
    assert not (tmp_path / "key").exists()


def test_every_blob_of_the_schema_is_known_to_the_rotation(tmp_path: Path) -> None:
    """A sealed column that the rotation forgets would be lost with the old key."""
    with Store.open(settings_at(tmp_path)) as store, store.database.reading() as db:
        blobs = {(table, column.name) for table in db.table_names() for column in db.table(table).columns
                 if column.type.lower() == "blob"}  # fmt: skip
    known = {(table, column) for table, columns in SEALED.items() for column in columns} | set(HASHED.items())
    assert blobs == known


def test_a_rotation_seals_everything_anew(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    with Store.open(settings) as store:
        fill(store)
        before = sealed(store)
        assert all(before.values()), "every sealed column is tried"
    old_key = (tmp_path / "key").read_text()
    assert rotation.rotate(settings) == len(before) - len(HASHED)
    assert (tmp_path / "key").read_text() != old_key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with Store.open(settings) as store:
        after = sealed(store)
        assert all(after[name] != value for name, value in before.items())
        assert traces(store, before) == set(), "what the old key opens is gone from the file"
        check_all_there(store)
    with pytest.raises(WrongKey):
        Store.open(settings_at(tmp_path, EGAO_KEY=old_key.strip()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["egao.sqlite3", "key", "store.lock"]


@pytest.mark.parametrize("cut", ["before sealing", "in the middle", "before the file is written"])
def test_a_rotation_cut_off_loses_nothing_and_can_go_on(tmp_path: Path, cut: str, monkeypatch: Any) -> None:
    settings = settings_at(tmp_path)
    with Store.open(settings) as store:
        fill(store)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if cut == "before sealing":
            patch.setattr(rotation, "reseal", stop)
        elif cut == "in the middle":
            patch.setattr(rotation, "_hash", stop)
        else:
            write = write_keys
            patch.setattr(rotation, "write_keys", lambda path, keys: write(path, keys) if len(keys) > 1 else stop())
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(settings)
    assert len((tmp_path / "key").read_text().split()) == 2
    with Store.open(settings) as store:
        check_all_there(store)
    rotation.rotate(settings)
    assert len((tmp_path / "key").read_text().split()) == 1
    with Store.open(settings) as store:
        check_all_there(store)


def test_a_key_in_the_environment_is_rotated_through_two(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    with Store.open(settings_at(tmp_path, EGAO_KEY=old)) as store:
        fill(store)
    with pytest.raises(BadSetting, match="NEW,OLD"):
        rotation.rotate(settings_at(tmp_path, EGAO_KEY=old))
    both = settings_at(tmp_path, EGAO_KEY=f"{new},{old}")
    with Store.open(both) as store:  # before the rotation, the old one is in use: blocks still hold
        check_all_there(store)
    rotation.rotate(both)
    with Store.open(settings_at(tmp_path, EGAO_KEY=new)) as store:
        check_all_there(store)
    assert not (tmp_path / "key").exists()


def test_a_rotation_waits_for_no_one(tmp_path: Path) -> None:
    with Store.open(settings_at(tmp_path)):
        with pytest.raises(StoreInUse):
            rotation.rotate(settings_at(tmp_path))
        Store.open(settings_at(tmp_path)).close()  # but others may look


def test_one_bot_runs_on_a_home(tmp_path: Path) -> None:
    with Store.open(settings_at(tmp_path)) as first, Store.open(settings_at(tmp_path)) as second:
        first.alone()
        with pytest.raises(StoreInUse):
            second.alone()
        (tmp_path / "bot.lock").unlink()  # a lock on a file that is gone holds nobody out
        with pytest.raises(StoreInUse):
            second.alone()
        first.close()
        second.alone()


def test_a_sealed_value_opens_in_its_place_with_its_key_only() -> None:
    vault = Vault(b"k" * 32)
    value = vault.seal(b"plain", "faces.latent:1")
    assert vault.open(value, "faces.latent:1") == b"plain"
    assert vault.seal(b"plain", "faces.latent:1") != value
    altered = value[:-1] + bytes([value[-1] ^ 1])
    for other, place in ((value, "faces.latent:2"), (altered, "faces.latent:1"), (value[:20], "faces.latent:1"), (b"", "x")):
        with pytest.raises(Unopened):
            vault.open(other, place)
    with pytest.raises(Unopened):
        Vault(b"l" * 32).open(value, "faces.latent:1")


def test_hashes_depend_on_the_key_and_on_every_part() -> None:
    vault = Vault(b"k" * 32)
    assert vault.index("photo", 1, 2) == Vault(b"k" * 32).index("photo", 1, 2)
    assert len({vault.index("photo", 1, 2), vault.index("photo", 12), vault.index("use", 1, 2)}) == 3
    assert vault.index("photo", 1, 2) != Vault(b"l" * 32).index("photo", 1, 2)


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "egao.sqlite3"
    with raw(tmp_path) as conn:
        conn.execute("create table notes (text)")
    conn.close()
    with pytest.raises(StoreDamaged, match="another program"):
        Store.open(settings_at(tmp_path))
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreDamaged, match="egao db restore"):
        Store.open(settings_at(tmp_path))
    assert file.read_bytes() == b"not a database at all" * 100


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    Store.open(settings_at(tmp_path)).close()
    with raw(tmp_path) as conn:
        conn.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values ('egao', '999 later', '')")
    conn.close()
    with pytest.raises(StoreNewer, match="999 later"):
        Store.open(settings_at(tmp_path))


def test_a_home_that_cannot_be_is_a_setting_to_correct(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadSetting, match="EGAO_HOME"):
        Store.open(settings_at(tmp_path / "file" / "home"))


def test_what_an_earlier_version_kept_of_a_member_is_still_there(tmp_path: Path) -> None:
    """Before step 010, when members had a column that nothing wrote and there was a register of directions."""
    file = database_file(settings_at(tmp_path))
    with contextlib.closing(sqlite3.connect(file)) as conn:
        old = sqlite_utils.Database(conn)
        steps.apply(old, stop_before="010 what nothing uses")
        old.execute("insert into members values (7, 1, 5.0, 'ja', null, 'private', ?)", [Clock()()])
        conn.commit()
    file.chmod(0o600)
    with Store.open(settings_at(tmp_path), now=Clock()) as store:
        member = store.members.get(7)
        assert (member.consent_version, member.consent_at, member.consent_locale, member.visibility) == (1, 5.0, "ja", "private")
        assert not rows(store, "sqlite_master where name = 'directions'")


def test_migrations_are_applied_once(tmp_path: Path) -> None:
    with Store.open(settings_at(tmp_path), now=Clock()) as store:
        before = rows(store, "_sqlite_migrations")
    with Store.open(settings_at(tmp_path), now=Clock()) as store:
        assert rows(store, "_sqlite_migrations") == before


def test_a_store_of_the_version_before_facts_gets_them_and_keeps_its_jobs(tmp_path: Path) -> None:
    home = settings_at(tmp_path)
    with Store.open(home) as store:
        job = store.jobs.create(HERE, "photo", b"request")
        assert job is not None
        assert store.jobs.finish(job.id, "failed", error="NoFace")
    with raw(tmp_path) as db:  # as it was before
        db.execute("alter table jobs drop column facts")
        db.execute("delete from _sqlite_migrations where name = '011 facts of errors'")
    db.close()
    with Store.open(home) as store:
        kept = store.jobs.get(job.id)
        assert kept is not None
        assert (kept.error, dict(kept.facts), kept.told) == ("NoFace", {}, False)
        other = store.jobs.create(HERE, "photo", b"request")
        assert other is not None
        store.jobs.finish(other.id, "failed", error="FaceTooSmall", facts={"pixels": 30, "limit": 64})
        kept = store.jobs.get(other.id)
        assert kept is not None
        assert kept.facts == {"pixels": 30, "limit": 64}
