"""A clock that jumps forward and back locks nobody out, and nothing is kept longer for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import CoolingDown, QuotaSpent
from core.store import GuildSettings, Owner, Store
from tests.core.store.kit import (
    ALICE,
    BOB,
    DAY,
    HOUR,
    SERVER,
    Clock,
    keep_face,
    rows,
    scrub_due,
    settings_at,
)

HERE = Owner(SERVER, ALICE)
MINUTE = 60.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_pause_begun_by_a_clock_that_ran_ahead_is_over_when_it_is_put_right(tmp_path: Path, clock: Clock) -> None:
    limits = GuildSettings(cooldown_seconds=10)
    with Store.open(settings_at(tmp_path), now=clock) as store:
        store.limits.take(HERE, limits)
        clock.passes(-3 * HOUR)
        for _ in range(3):
            clock.passes(MINUTE)
            store.limits.take(HERE, limits)
        with pytest.raises(CoolingDown):
            store.limits.take(HERE, limits)


def test_a_quota_used_up_by_a_clock_that_ran_ahead_is_free_a_day_after_the_next_sweep(tmp_path: Path, clock: Clock) -> None:
    limits = GuildSettings(cooldown_seconds=0, daily_quota=1)
    with Store.open(settings_at(tmp_path), now=clock) as store:
        clock.passes(400 * DAY)
        store.limits.take(HERE, limits)
        clock.passes(-400 * DAY)
        with pytest.raises(QuotaSpent):
            store.limits.take(HERE, limits)
        store.expire()
        clock.passes(DAY + 1)
        store.limits.take(HERE, limits)


@pytest.mark.parametrize("reopened", [False, True])
def test_what_a_clock_that_ran_ahead_kept_goes_as_if_it_was_given_now(tmp_path: Path, clock: Clock, reopened: bool) -> None:
    store = Store.open(settings_at(tmp_path), now=clock)
    clock.passes(400 * DAY)
    keep_face(store, HERE)
    job = store.jobs.create(HERE, "photo", b"?", token="T", token_expires=clock() + 900)
    store.jobs.claim()
    store.reports.add(SERVER, ALICE, channel_id=1, message_id=2, reason="so")
    store.members.consent(ALICE, 1, "en")
    store.members.block(SERVER, BOB)
    clock.passes(-400 * DAY)
    if reopened:
        store.close()
        store = Store.open(settings_at(tmp_path), now=clock)
    store.expire()
    (face,) = store.faces.of(HERE)
    assert (face.created, face.last_used, face.expires) == (clock(), clock(), clock() + 48 * HOUR)
    (kept,) = store.jobs.of(HERE)
    assert job is not None
    assert (kept.created, kept.started, kept.token_expires) == (clock(), clock(), clock() + 900)
    assert kept.lease == clock() + 600
    assert [row["at"] for row in rows(store, "blocks")] == [clock()]
    assert store.members.get(ALICE).seen == store.members.get(ALICE).consent_at == clock()
    clock.passes(49 * HOUR)
    store.expire()
    assert (rows(store, "faces"), store.jobs.of(HERE)) == ([], [])
    clock.passes(30 * DAY)
    store.expire()
    assert rows(store, "reports") == []
    store.close()


def test_a_clock_that_lost_its_battery_makes_nothing_run_out(tmp_path: Path, clock: Clock) -> None:
    with Store.open(settings_at(tmp_path), now=clock) as store:
        keep_face(store, HERE)
        store.members.consent(ALICE, 1, "en")
        right = clock.at
        clock.at = 0.0
        store.expire()
        clock.at = right + 1
        store.expire()
        assert len(store.faces.of(HERE)) == 1
        assert store.members.has_consented(ALICE, 1)


def test_a_clock_set_back_does_not_put_off_the_overwriting_of_what_was_erased(tmp_path: Path, clock: Clock) -> None:
    with Store.open(settings_at(tmp_path), now=clock) as store:
        for _ in range(2):
            keep_face(store, HERE)
            clock.passes(49 * HOUR)
            store.expire()  # erases and overwrites
            clock.passes(-400 * DAY)
        keep_face(store, HERE)
        clock.passes(49 * HOUR)
        store.expire()
        assert not scrub_due(store.database)
