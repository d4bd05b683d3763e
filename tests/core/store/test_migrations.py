"""Stores that earlier versions made are read by this one, and lose nothing."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.requests.ask import Ask
from core.errors import StoreDamaged
from core.learned import KnownScale, Learned
from core.store import Owner, PhotoPlace, Store
from core.store.old_extras import as_learned
from tests.core.store.kit import Clock, raw, rows, settings_at

KEY = "E7GR1kLZlyiMK6mydFJl8oTJ1ilX7RtuTTNLRsSNyGA="  # of old_store.sql; nobody uses it
OLD = Path(__file__).with_name("old_store.sql")
MEMBER = Owner.of_columns(11, 22)
LOCAL = Owner.local()
PLACE = PhotoPlace("http://cdn/1", 9, 3, 5, 6)
GENERATOR = "g" * 64


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with the store of version 0.1.0 in it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "egao.sqlite3")) as conn:
        conn.executescript(OLD.read_text())
    return tmp_path


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(settings_at(home, EGAO_KEY=KEY), now=Clock()) as opened:
        yield opened


def test_a_face_of_the_bot_is_found_by_its_photo_with_all_that_was_learned(store: Store) -> None:
    face = store.faces.find(MEMBER, "ab" * 32, 0, generator=GENERATOR, method="fast")
    assert face is not None
    scale = KnownScale("smile", "d1", (-2.0, 0.0, 1.5, 3.0), (0.02, 0.31, 0.7, 0.95), -1.25, -0.83)
    assert face.learned == Learned('{"photo":"x","drawn":null,"checked":""}', (scale,))
    assert face.learned.neutral("smile") == -0.83
    assert face.source == PLACE
    assert store.faces.latent(MEMBER, face.id) == b"latent"
    assert store.faces.sources(face.id) == [6]


def test_faces_of_which_little_or_nothing_was_known(store: Store) -> None:
    for photo, place in (("ac", PLACE), ("ad", None)):
        face = store.faces.find(MEMBER, photo * 32, 0, generator=GENERATOR, method="fast")
        assert face is not None
        assert (face.source, face.learned) == (place, Learned())


def test_faces_of_the_command_line_keep_every_scale_and_the_steps_of_their_method(store: Store) -> None:
    face = store.faces.find(LOCAL, "ae" * 32, 0, generator=GENERATOR, method="fast")
    assert face is not None
    assert [(one.expression, one.of, one.rest) for one in face.learned.scales] == [("smile", "d1", -1.5), ("smile", "d2", 0.0)]
    assert face.learned.neutral("smile") is None, "nobody had asked"
    assert {one.method for one in store.faces.of(LOCAL)} == {"fast", "fast/16", "w+"}


def test_requests_that_wait_go_on(store: Store) -> None:
    asks = {job.kind: Ask.load(job.request or b"") for job in store.jobs.of(MEMBER)}
    edit, photo = asks["edit"], asks["photo"]
    assert (edit.kind, edit.face_id, edit.strength, edit.expression, edit.keep) == ("edit", 1, 0.75, "", True)
    assert (photo.kind, photo.strength, photo.language) == ("photo", "neutral", "ja")
    assert photo.photo is not None
    assert photo.photo.url == PLACE.url


def test_it_happens_once_and_what_is_learned_later_stays(home: Path, store: Store) -> None:
    face = store.faces.of(MEMBER)[0]
    learned = face.learned.with_scale(KnownScale("smile", "new", (0.0, 1.0), (0.1, 0.9), 0.0, 0.0))
    store.faces.note(MEMBER, face.id, learned)
    applied = rows(store, "_sqlite_migrations")
    store.close()
    with Store.open(settings_at(home, EGAO_KEY=KEY), now=Clock()) as again:
        assert again.faces.get(MEMBER, face.id).learned == learned
        assert rows(again, "_sqlite_migrations") == applied
        assert again.integrity() == []


def test_what_cannot_be_read_is_left_out_and_the_rest_kept() -> None:
    for scale in ("scale", "[]", json.dumps({"of": "d", "steps": [1]})):
        assert as_learned({"scale": scale, "found": "f", "photo": None}) == {"photo": None, "found": "f", "scales": []}


def test_a_cut_off_migration_leaves_the_store_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed values are opened only after the plain steps: a wrong key stops before any of them."""
    with raw(home) as conn:
        before = conn.execute("select id, extras from faces order by id").fetchall()
    monkeypatch.setattr("core.store.old_extras.as_learned", lambda old: 1 / 0 if "found" in old else old)
    with pytest.raises(ZeroDivisionError):
        Store.open(settings_at(home, EGAO_KEY=KEY), now=Clock())
    with raw(home) as conn:
        assert conn.execute("select id, extras from faces order by id").fetchall() == before
    monkeypatch.undo()
    with Store.open(settings_at(home, EGAO_KEY=KEY), now=Clock()) as store:
        assert store.faces.get(MEMBER, 1).learned.neutral("smile") == -0.83


def test_values_of_an_old_store_are_bound_to_their_owners(store: Store) -> None:
    assert store.integrity() == []
    (member,) = {row["member_id"] for row in rows(store, "faces") if row["member_id"]}
    face = store.faces.of(MEMBER)[0]
    with store.database.writing() as db:
        db.execute("update faces set member_id = ? where id = ?", [member + 1, face.id])
    with pytest.raises(StoreDamaged):
        store.faces.latent(Owner.of_columns(11, member + 1), face.id)


def test_an_old_store_with_a_damaged_value_opens(home: Path) -> None:
    with raw(home) as conn:
        conn.execute("update faces set extras = x'00', latent = x'00' where id = 1")
        kept = conn.execute("select count(*) from faces").fetchone()[0]
    with Store.open(settings_at(home, EGAO_KEY=KEY), now=Clock()) as store:
        assert len(store.integrity()) == 2
        assert len(store.faces.of(MEMBER)) + len(store.faces.of(LOCAL)) == kept - 1


def test_faces_and_requests_of_before_authors_were_noted_go_on(store: Store) -> None:
    face = next(one for one in store.faces.of(MEMBER) if one.source == PLACE)
    assert face.source is not None
    assert face.source.author_id is None
    assert store.faces.authors(MEMBER, face.id) == set()
    assert {row["author_id"] for table in ("sources", "jobs") for row in rows(store, table)} == {None}
    assert MEMBER.member_id is not None
    store.forget_member(MEMBER.member_id + 1)
    assert store.faces.of(MEMBER), "nobody else's say"
    later = PhotoPlace(face.source.url, 9, 3, 5, 6, author_id=99)  # given again, from the same message
    key = {"generator": GENERATOR, "method": "fast"}
    assert store.faces.given_again(MEMBER, face.photo_sha256, face.face, later, **key) is not None
    assert store.faces.authors(MEMBER, face.id) == {99}
    store.forget_member(99)
    assert face.id not in {one.id for one in store.faces.of(MEMBER)}
