"""Faces are found again by their photo, reached by their owner alone, and not kept longer than promised."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import JobCancelled, NoSuchStoredFace
from core.learned import Learned
from core.store import GuildSettings, Owner, PhotoPlace, Store
from tests.core.store.kit import (
    ALICE,
    BOB,
    DAY,
    GENERATOR,
    HOUR,
    LEARNED,
    OTHER_SERVER,
    PHOTO,
    SERVER,
    Clock,
    files,
    give_again,
    keep_face,
    latest,
    rows,
    settings_at,
    traces,
)

HERE = Owner(SERVER, ALICE)
STRANGERS = (Owner(SERVER, BOB), Owner(OTHER_SERVER, ALICE), Owner.direct(ALICE), Owner.local())


def test_everything_given_comes_back(store: Store) -> None:
    learned, place = LEARNED, PhotoPlace("http://cdn/1", 9, 3, 5, 6)
    face = keep_face(
        store, HERE, face=2, box=np.array([1.5, 2.5, 30.0, 40.0]), quad=np.arange(8.0).reshape(4, 2),
        latent=b"latent", thumbnail=b"picture", source=place, learned=learned,
    )  # fmt: skip
    assert store.faces.get(HERE, face.id) == face
    assert face.box == (1.5, 2.5, 30.0, 40.0)
    assert face.quad == ((0.0, 1.0), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0))
    assert (face.face, face.method, face.generator, face.photo_sha256) == (2, "w+", GENERATOR, PHOTO)
    assert (face.source, face.learned) == (place, learned)
    assert store.faces.sources(face.id) == [6], "the message that held the photo"
    assert face.name is None
    assert store.faces.latent(HERE, face.id) == b"latent"
    assert store.faces.thumbnail(HERE, face.id) == b"picture"


def test_the_same_photo_finds_its_face_and_nothing_else_does(store: Store) -> None:
    face = keep_face(store, HERE)
    found = store.faces.find(HERE, PHOTO, 0, generator=GENERATOR, method="w+")
    assert found == face
    assert store.faces.find(HERE, "cd" * 32, 0, generator=GENERATOR, method="w+") is None
    assert store.faces.find(HERE, PHOTO, 1, generator=GENERATOR, method="w+") is None
    assert store.faces.find(HERE, PHOTO, 0, generator="h" * 64, method="w+") is None
    assert store.faces.find(HERE, PHOTO, 0, generator=GENERATOR, method="w") is None
    for stranger in STRANGERS:
        assert store.faces.find(stranger, PHOTO, 0, generator=GENERATOR, method="w+") is None


def test_a_face_kept_again_takes_the_place_of_the_first(store: Store) -> None:
    first = keep_face(store, HERE, latent=b"one", learned=LEARNED)
    second = keep_face(store, HERE, latent=b"two")
    assert second.id == first.id
    assert store.faces.latent(HERE, first.id) == b"two"
    assert second.learned == Learned(), "what was learned of the first latent doesn't hold for the second"
    assert len(store.faces.of(HERE)) == 1


@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_accessor_reaches_another_owners_face(store: Store, stranger: Owner) -> None:
    face = keep_face(store, HERE, source_message_id=5)
    before = rows(store, "faces"), rows(store, "sources")
    faces = store.faces
    calls: list[Callable[[], object]] = [
        lambda: faces.get(stranger, face.id), lambda: faces.latent(stranger, face.id),
        lambda: faces.thumbnail(stranger, face.id),
        lambda: faces.pick(stranger, face.id), lambda: faces.touch(stranger, face.id),
        lambda: faces.place(stranger, face.id, 1, 2), lambda: faces.rename(stranger, face.id, "mine"),
        lambda: faces.note(stranger, face.id, LEARNED), lambda: faces.delete(stranger, face.id),
        lambda: faces.with_latent(stranger, face.id),
        lambda: faces.refit(stranger, face.id, latent=b"", generator="h", method="w", learned=LEARNED),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(NoSuchStoredFace):
            call()
    place = PhotoPlace("http://cdn/1", 9, 3, message_id=6)
    assert faces.given_again(stranger, PHOTO, 0, place, generator=GENERATOR, method="w+") is None
    assert faces.of(stranger) == []
    assert latest(store, stranger) is None
    assert (rows(store, "faces"), rows(store, "sources")) == before


def test_the_latest_is_the_last_given_or_picked(store: Store, clock: Clock) -> None:
    first, second, third = (keep_face(store, HERE, photo=letter * 64) for letter in "abc")  # at one moment
    assert latest(store, HERE) == third
    store.faces.pick(HERE, first.id)
    assert [face.id for face in store.faces.of(HERE)] == [first.id, third.id, second.id]
    clock.passes(-DAY)  # a clock that is set back doesn't change what was picked last
    give_again(store, HERE, 2, "b" * 64)
    again = latest(store, HERE)
    assert again is not None
    assert again.id == second.id
    other = keep_face(store, HERE, generator="h" * 64)
    assert latest(store, HERE) == other


def test_a_face_goes_over_to_another_generator_under_its_number(store: Store, clock: Clock) -> None:
    place = PhotoPlace("http://cdn/1", 9, 3, 5, 6)
    face = keep_face(store, HERE, latent=b"old", learned=LEARNED, source=place, thumbnail=b"\x89PNG")
    store.faces.rename(HERE, face.id, "me")
    clock.passes(60)
    new: dict[str, Any] = {"latent": b"new", "generator": "h" * 64, "method": "w+", "learned": Learned("there")}
    refit = store.faces.refit(HERE, face.id, **new)
    assert refit.latent == store.faces.latent(HERE, face.id) == b"new"
    kept: dict[str, Any] = {"name": "me", "generator": "h" * 64, "learned": Learned("there")}
    assert refit.face == store.faces.get(HERE, face.id) == replace(face, **kept)
    assert store.faces.thumbnail(HERE, face.id) == b"\x89PNG"
    again = keep_face(store, HERE, latent=b"again")  # the photo given for the first generator once more
    assert again.id != face.id
    assert store.faces.refit(HERE, again.id, **{**new, "latent": b"newer"}).latent == b"new", "it is kept for that one already"
    assert store.faces.latent(HERE, again.id) == b"again"
    assert store.integrity() == []


def test_a_face_of_a_request_that_was_ended_does_not_go_over(store: Store) -> None:
    face = keep_face(store, HERE, latent=b"old")
    with pytest.raises(JobCancelled):
        store.faces.refit(HERE, face.id, latent=b"new", generator="h" * 64, method="w+", learned=LEARNED, job=77)
    assert store.faces.latent(HERE, face.id) == b"old"


def test_a_photo_given_again_is_renewed_and_found_with_its_latent_in_one_step(store: Store, clock: Clock) -> None:
    face = keep_face(store, HERE, latent=b"latent", learned=LEARNED, source=PhotoPlace("http://cdn/1", 9, 3, 5, 6))
    keep_face(store, HERE, photo="cd" * 32)
    clock.passes(60)
    key, place = {"generator": GENERATOR, "method": "w+"}, PhotoPlace("http://cdn/2", 9, 4, 7, 8)
    found = store.faces.given_again(HERE, PHOTO, 0, place, **key)
    assert found is not None
    assert (found.face.id, found.latent, found.face.learned, found.face.source) == (face.id, b"latent", LEARNED, place)
    assert found.face.created == clock.at
    assert latest(store, HERE) == found.face
    assert sorted(store.faces.sources(face.id)) == [6, 8], "deleting either message erases the face"
    for owner, photo, number in ((STRANGERS[0], PHOTO, 0), (HERE, "ef" * 32, 0), (HERE, PHOTO, 1)):
        assert store.faces.given_again(owner, photo, number, place, **key) is None


def test_names_places_and_notes_are_kept(store: Store, clock: Clock) -> None:
    face = keep_face(store, HERE)
    clock.passes(60)
    store.faces.rename(HERE, face.id, "夏の私")
    store.faces.place(HERE, face.id, 11, 12)
    store.faces.note(HERE, face.id, LEARNED)
    store.faces.touch(HERE, face.id)
    after = store.faces.get(HERE, face.id)
    assert (after.name, after.channel_id, after.message_id, after.learned) == ("夏の私", 11, 12, LEARNED)
    used = clock.at
    assert after.last_used == used
    clock.passes(30)
    store.faces.touch(HERE, face.id)
    assert store.faces.get(HERE, face.id).last_used == used, "it is known to the minute, which saves a sync of the disk"
    clock.passes(-3600)
    store.faces.touch(HERE, face.id)
    assert store.faces.get(HERE, face.id).last_used == clock.at, "a clock that was set back is followed"
    store.faces.rename(HERE, face.id, None)
    assert store.faces.get(HERE, face.id).name is None


def test_a_face_is_out_of_reach_the_moment_it_runs_out(store: Store, clock: Clock) -> None:
    face = keep_face(store, HERE)
    assert face.expires == clock.at + 48 * HOUR
    clock.passes(40 * HOUR)
    store.faces.touch(HERE, face.id)
    store.faces.pick(HERE, face.id)
    clock.passes(8 * HOUR)  # using it did not prolong it
    with pytest.raises(NoSuchStoredFace):
        store.faces.get(HERE, face.id)
    assert latest(store, HERE) is None
    assert store.faces.count(SERVER) == (0, 0)
    again = keep_face(store, HERE)  # not swept yet
    assert again.id != face.id, "an old button must not reach a new face"
    assert again.name is None


def test_a_sweep_erases_what_ran_out_even_if_the_store_was_closed(tmp_path: Path, clock: Clock) -> None:
    latent = np.random.default_rng(0).bytes(3000)
    with Store.open(settings_at(tmp_path), now=clock) as store:
        old = keep_face(store, HERE, latent=latent)
        sealed = rows(store, "faces")[0]["latent"]
        local = keep_face(store, Owner.local(), photo="ef" * 32)
        assert traces(store, {"sealed": sealed})
    clock.passes(49 * HOUR)
    with Store.open(settings_at(tmp_path), now=clock) as store:
        assert [row["id"] for row in rows(store, "faces")] == [local.id]
        assert not traces(store, {"sealed": sealed, "member": ALICE})
        assert local.id != old.id
        assert store.faces.get(Owner.local(), local.id).expires is None


def test_the_same_photo_sent_again_is_kept_anew(store: Store, clock: Clock) -> None:
    face = keep_face(store, HERE, source_message_id=1)
    clock.passes(40 * HOUR)
    give_again(store, HERE, 2)
    clock.passes(40 * HOUR)
    assert store.faces.get(HERE, face.id).id == face.id
    assert store.faces.sources(face.id) == [1, 2]


def test_a_shorter_retention_counts_for_what_is_kept_already(store: Store, clock: Clock) -> None:
    face = keep_face(store, HERE)
    elsewhere = keep_face(store, Owner(OTHER_SERVER, ALICE))
    clock.passes(2 * HOUR)
    store.guilds.set(SERVER, retention_hours=1)
    with pytest.raises(NoSuchStoredFace):
        store.faces.get(HERE, face.id)
    assert store.expire().faces == 1
    assert store.faces.get(elsewhere.owner, elsewhere.id) == elsewhere
    store.guilds.set(SERVER, retention_hours=100)
    assert keep_face(store, HERE).expires == clock.at + 100 * HOUR


def test_a_number_is_never_given_twice(store: Store) -> None:
    numbers = []
    for letter in "abcd":
        face = keep_face(store, HERE, photo=letter * 64)
        numbers.append(face.id)
        store.faces.delete(HERE, face.id)
    assert len(set(numbers)) == 4


def test_counts_are_of_the_server(store: Store) -> None:
    for owner in (HERE, Owner(SERVER, BOB), Owner(OTHER_SERVER, ALICE)):
        keep_face(store, owner)
    keep_face(store, HERE, photo="cd" * 32)
    assert store.faces.count(SERVER) == (3, 2)
    assert store.faces.count() == (4, 2)


def test_a_result_is_kept_only_while_its_job_runs(store: Store) -> None:
    """Else a face erased in the middle of its projection would come back when that ends."""
    job = store.jobs.create(HERE, "photo", b"{}")
    assert job is not None
    with pytest.raises(JobCancelled):
        keep_face(store, HERE, job=job.id)  # not begun
    store.jobs.claim(job.id)
    with pytest.raises(JobCancelled):
        keep_face(store, Owner(SERVER, BOB), job=job.id)  # not theirs
    keep_face(store, HERE, job=job.id)
    assert store.forget(HERE).job_ids == (job.id,)
    with pytest.raises(JobCancelled):
        keep_face(store, HERE, job=job.id)
    assert rows(store, "faces") == []


def test_nothing_about_a_face_stands_in_the_clear(store: Store) -> None:
    latent = np.random.default_rng(1).bytes(3000)
    face = keep_face(
        store, HERE, latent=latent, thumbnail=b"\x89PNG" + latent[::-1], box=(123.4567, 2.0, 3.0, 4.0),
        quad=((765.4321, 0), (0, 9), (9, 9), (9, 0)), learned=Learned("as follows"),
    )  # fmt: skip
    store.faces.rename(HERE, face.id, "my summer face")
    secrets_: dict[str, bytes | str] = {
        "latent": latent, "picture": latent[::-1], "box": "123.4567", "quad": "765.4321", "name": "my summer face",
        "extras": "as follows", "photo": PHOTO, "photo bytes": bytes.fromhex(PHOTO),
    }  # fmt: skip
    assert not traces(store, secrets_)
    assert traces(store, {"method": "w+"}), "the search finds what is there"
    assert any(files(store).values())


def test_the_same_photo_of_two_members_leaves_no_equal_values(store: Store) -> None:
    for owner in (HERE, Owner(SERVER, BOB), Owner(OTHER_SERVER, ALICE)):
        keep_face(store, owner, latent=b"same", thumbnail=b"same")
    kept = rows(store, "faces")
    for column in ("photo", "details", "latent", "thumbnail"):
        assert len({row[column] for row in kept}) == 3, column


def test_a_value_moved_to_another_row_does_not_open(store: Store) -> None:
    """Whoever can write to the file, but has no key, can't show one member another's face."""
    mine, theirs = keep_face(store, HERE), keep_face(store, Owner(SERVER, BOB))
    with store.database.writing() as db:
        sql = "update faces set latent = (select latent from faces where id = ?) where id = ?"
        db.execute(sql, [theirs.id, mine.id])
    assert any(f"faces.latent:{mine.id}" in problem for problem in store.integrity())
    with pytest.raises(Exception, match="damaged"):
        store.faces.latent(HERE, mine.id)


def test_a_failed_change_leaves_nothing_behind(store: Store) -> None:
    def half_done() -> None:
        with store.database.writing() as db:
            keep_face(store, HERE)
            db.execute("insert into faces (id) values (1)")

    with pytest.raises(sqlite3.IntegrityError):
        half_done()
    assert rows(store, "faces") == []
    assert keep_face(store, Owner.local()).id == 1


def test_defaults_hold_in_direct_messages(store: Store, clock: Clock) -> None:
    assert keep_face(store, Owner.direct(ALICE)).expires == clock.at + GuildSettings().retention_hours * HOUR
