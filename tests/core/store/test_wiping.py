"""What is wiped leaves the file and its WAL: at once, together with others', or with the next sweep."""

from __future__ import annotations

import math
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from core.store import Owner, Store
from tests.core.store.kit import (
    ALICE,
    BOB,
    HOUR,
    SERVER,
    Clock,
    files,
    forms,
    keep_face,
    rows,
    scrub_due,
)

HERE = Owner(SERVER, ALICE)


def scraps(store: Store, sealed: bytes) -> list[str]:
    return [name for name, content in files(store).items() if any(form in content for form in forms(sealed))]


def test_a_closed_report_and_a_lifted_block_leave_the_file_and_the_wal(store: Store) -> None:
    number = store.reports.add(SERVER, ALICE, channel_id=3, message_id=4, reason="R" * 200)
    store.members.block(SERVER, BOB)
    reason, member = rows(store, "reports")[0]["reason"], rows(store, "blocks")[0]["member"]
    assert scraps(store, reason)
    assert scraps(store, member)
    store.reports.close(SERVER, number)
    store.members.unblock(SERVER, BOB)
    assert (scraps(store, reason), scraps(store, member)) == ([], [])


def answered(store: Store, how: str) -> dict[str, Any]:
    """The row of a request as it was before its member had the answer."""
    job = store.jobs.create(HERE, "photo", b"Q" * 200, token="T" * 200, token_expires=9e9)
    assert job is not None
    (row,) = rows(store, "jobs")
    if how == "told":
        store.jobs.finish(job.id)
        store.jobs.told(job.id)
    else:
        store.jobs.finish(job.id, told=True)
    return row


@pytest.mark.parametrize("how", ["told", "finish"])
def test_what_an_answered_request_held_leaves_file_and_wal_at_once(store: Store, how: str) -> None:
    row = answered(store, how)
    assert (scraps(store, row["token"]), scraps(store, row["request"])) == ([], [])
    assert not store.database.wal_due


def test_many_answers_at_once_empty_the_wal_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [store.jobs.create(HERE, "photo", b"Q" * 200, token="T" * 200, token_expires=9e9) for _ in range(8)]
    kept, emptied, database = rows(store, "jobs"), [], store.database
    truncate = database._truncate_wal

    def noted() -> bool:
        emptied.append(time.monotonic())
        return truncate()

    monkeypatch.setattr(database, "_truncate_wal", noted)
    monkeypatch.setattr("core.store.database.TOGETHER_SECONDS", math.inf)
    with ThreadPoolExecutor(8) as pool:
        with database.writing():  # until all of them wait for it
            told = [pool.submit(store.jobs.finish, job.id, told=True) for job in made if job is not None]
            while database._wipers < 8:
                time.sleep(0.001)
        assert all(one.result() for one in told)
    assert len(emptied) == 1, "the last one did it for all"
    assert not database.wal_due
    assert [scraps(store, row["token"]) for row in kept] == [[]] * 8


def test_an_answer_waits_for_nobody_who_reads_and_the_next_sweep_empties_the_wal(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience, database = [], store.database
    truncate = database._truncate_wal

    def noted() -> bool:
        patience.append(database._writer.execute("pragma busy_timeout").fetchone()[0])
        return truncate()

    monkeypatch.setattr(database, "_truncate_wal", noted)
    with database.reading() as db:
        db.execute("select count(*) from faces").fetchone()
        row = answered(store, "told")
        assert scraps(store, row["token"])
        assert set(patience) == {0}
    assert database.wal_due
    assert database._writer.execute("pragma busy_timeout").fetchone()[0] > 0
    store.expire()
    assert (scraps(store, row["token"]), scraps(store, row["request"])) == ([], [])


def test_an_erasure_does_not_write_a_large_store_anew(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.database.QUICK_BYTES", 100_000)
    keep_face(store, Owner(SERVER, BOB), thumbnail=secrets.token_bytes(200_000))
    face = keep_face(store, HERE)
    latent = next(row["latent"] for row in rows(store, "faces") if row["id"] == face.id)
    size = store.database.path.stat().st_size
    store.faces.delete(HERE, face.id)
    assert store.database.path.stat().st_size >= size, "a vacuum would have made it smaller"
    assert scraps(store, latent) == [], "overwritten, and gone from the WAL"
    assert store.database.vacuum_due
    clock.passes(HOUR)
    store.expire()
    assert not scrub_due(store.database)


def test_vacuums_of_a_sweep_take_a_small_share_of_the_time(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.database.QUICK_BYTES", 0)
    scrub, vacuums = store.database.scrub, 0

    def slowly(*, vacuum: bool) -> bool:
        nonlocal vacuums
        vacuums += vacuum
        return scrub(vacuum=vacuum)

    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr(store.database, "scrub", slowly)
    monkeypatch.setattr("core.store.erasure.time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    for _ in range(6):
        store.faces.delete(HERE, keep_face(store, HERE).id)
        clock.passes(1000)
        store.expire()
    assert vacuums == 3, "each took ten seconds: at most one in 2,000"
