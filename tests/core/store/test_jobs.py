"""Nothing accepted is forgotten, nothing is answered by two, and what a job holds is wiped when it is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import Blocked, CoolingDown
from core.store import GuildSettings, Job, Owner, Store
from tests.core.store.kit import ALICE, BOB, DAY, OTHER_SERVER, SERVER, Clock, rows, settings_at, traces

HERE = Owner(SERVER, ALICE)


def accept(store: Store, owner: Owner = HERE, **facts: object) -> Job:
    job = store.jobs.create(owner, "photo", b"what to do", **facts)  # type: ignore[arg-type]
    assert job is not None
    return job


def again(store: Store, job: Job) -> Job:
    found = store.jobs.get(job.id)
    assert found is not None
    return found


def test_a_job_is_a_row_before_any_work(store: Store, clock: Clock) -> None:
    job = accept(
        store, token="a token", token_expires=clock.at + 900, channel_id=1, message_id=2, source_message_id=3
    )  # fmt: skip
    assert again(store, job) == job
    assert (job.state, job.attempts, job.request, job.token) == ("queued", 0, b"what to do", "a token")
    assert (job.channel_id, job.message_id, job.source_message_id) == (1, 2, 3)
    assert not traces(store, {"request": "what to do", "token": "a token"})
    assert "a token" not in repr(job), "a job in a log tells no token"
    assert "what to do" not in repr(job)


def test_an_event_that_comes_twice_is_one_job(store: Store) -> None:
    first = accept(store, once="77:0")
    assert store.jobs.create(HERE, "photo", b"", once="77:0", limits=GuildSettings()) is None
    assert accept(store, once="77:1").id != first.id
    assert rows(store, "uses") == []


def test_a_job_is_claimed_by_one(store: Store, clock: Clock) -> None:
    job = accept(store)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.jobs.claim(job.id, lease_seconds=60), range(16)))
    won = [claim for claim in claims if claim is not None]
    assert [(claim.state, claim.attempts, claim.lease) for claim in won] == [("running", 1, clock.at + 60)]


def test_the_oldest_is_claimed_first(store: Store) -> None:
    numbers = [accept(store).id for _ in range(3)]
    claimed = [store.jobs.claim() for _ in range(3)]
    assert [job.id for job in claimed if job] == numbers
    assert store.jobs.claim() is None


@pytest.mark.parametrize("ending", ["done", "failed", "cancelled"])
def test_a_job_ends_once_and_is_told_once(store: Store, ending: str) -> None:
    job = accept(store, token="a token")
    store.jobs.claim(job.id)
    store.jobs.checkpoint(job.id, b"so far")
    assert not store.jobs.told(job.id), "nothing to tell yet"
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda _: store.jobs.finish(job.id, ending, error="NoFace"), range(16)))  # type: ignore[arg-type]
    assert ends.count(True) == 1
    ended = again(store, job)
    assert (ended.state, ended.error, ended.told, ended.lease, ended.checkpoint) == (ending, "NoFace", False, None, None)
    assert (ended.request, ended.token) == (b"what to do", "a token"), "still needed to answer"
    with ThreadPoolExecutor(8) as pool:
        tellings = list(pool.map(lambda _: store.jobs.told(job.id), range(16)))
    assert tellings.count(True) == 1
    wiped = again(store, job)
    assert (wiped.request, wiped.token, wiped.told) == (None, None, True)
    assert store.jobs.claim(job.id) is None


def test_what_comes_after_the_end_changes_nothing(store: Store) -> None:
    job = accept(store)
    store.jobs.claim(job.id)
    assert store.jobs.finish(job.id, told=True)
    before = rows(store, "jobs")
    assert not store.jobs.renew(job.id)
    assert not store.jobs.checkpoint(job.id, b"x")
    assert not store.jobs.requeue(job.id)
    assert not store.jobs.cancel(HERE, job.id)
    assert rows(store, "jobs") == before


def test_only_ones_own_jobs_are_cancelled(store: Store) -> None:
    job = accept(store)
    for stranger in (Owner(SERVER, BOB), Owner(OTHER_SERVER, ALICE), Owner.direct(ALICE)):
        assert not store.jobs.cancel(stranger, job.id)
        assert store.jobs.of(stranger) == []
    store.jobs.claim(job.id)
    assert store.jobs.renew(job.id)
    assert store.jobs.cancel(HERE, job.id)
    assert not store.jobs.renew(job.id), "the worker learns that it may stop"
    assert again(store, job).state == "cancelled"


def test_a_shutdown_puts_a_job_back_with_its_progress(store: Store) -> None:
    job = accept(store)
    store.jobs.claim(job.id)
    assert store.jobs.checkpoint(job.id, b"step 40")
    assert store.jobs.requeue(job.id)
    assert not store.jobs.requeue(job.id)
    claimed = store.jobs.claim()
    assert claimed is not None
    assert (claimed.id, claimed.attempts, claimed.checkpoint) == (job.id, 1, b"step 40"), "not counted as an attempt"
    store.jobs.requeue(job.id, counted=True)
    assert again(store, job).attempts == 1


def test_where_it_is_answered_is_noted_as_the_work_begins(store: Store, clock: Clock) -> None:
    job = accept(store, token="old", token_expires=clock.at + 1)
    assert store.jobs.claim(job.id, channel_id=8, message_id=9) is not None
    assert store.jobs.requeue(job.id)
    assert store.jobs.claim(job.id) is not None, "an unknown place does not replace a known one"
    after = again(store, job)
    assert (after.channel_id, after.message_id, after.token, after.token_expires) == (8, 9, "old", clock.at + 1)


def test_what_an_earlier_process_left_is_taken_up(tmp_path: Path, clock: Clock) -> None:
    settings, limits = settings_at(tmp_path), GuildSettings(cooldown_seconds=0)
    with Store.open(settings, now=clock) as store:
        waiting, running, tried = accept(store), accept(store), accept(store, max_attempts=1, limits=limits)
        done, told = accept(store), accept(store)
        for job in (running, tried, done, told):
            store.jobs.claim(job.id)
        store.jobs.checkpoint(running.id, b"so far")
        store.jobs.finish(done.id)
        store.jobs.finish(told.id, told=True)
        assert store.jobs.recover().queued == [waiting], "one's own running jobs are let be"
    with Store.open(settings, now=clock) as store:
        recovered = store.jobs.recover()
        assert [(job.id, job.state, job.checkpoint) for job in recovered.queued] == [
            (waiting.id, "queued", None), (running.id, "queued", b"so far"),
        ]  # fmt: skip
        assert [(job.id, job.state, job.error) for job in recovered.untold] == [
            (tried.id, "failed", "WorkerDied"), (done.id, "done", None),
        ]  # fmt: skip
        assert store.limits.left(HERE, limits).quota == limits.daily_quota, "refunded: it was not the member's fault"
        second = store.jobs.claim(running.id)
        assert second is not None
        assert second.attempts == 2


def test_a_lapsed_lease_is_an_abandoned_job(store: Store, clock: Clock) -> None:
    job = accept(store)
    store.jobs.claim(job.id, lease_seconds=60)
    clock.passes(59)
    assert store.jobs.renew(job.id, 60)
    clock.passes(59)
    assert store.jobs.recover().queued == []
    clock.passes(1)
    assert [found.id for found in store.jobs.recover().queued] == [job.id]


def test_a_job_is_not_tried_for_ever(tmp_path: Path, clock: Clock) -> None:
    """A photo that kills the worker must not do so at every start."""
    settings = settings_at(tmp_path)
    with Store.open(settings, now=clock) as store:
        job = accept(store)
        store.jobs.claim(job.id)
    for _ in range(2):
        with Store.open(settings, now=clock) as store:
            assert [found.id for found in store.jobs.recover().queued] == [job.id]
            store.jobs.claim(job.id)
    with Store.open(settings, now=clock) as store:
        recovered = store.jobs.recover()
        assert recovered.queued == []
        assert [(found.id, found.error) for found in recovered.untold] == [(job.id, "WorkerDied")]


def test_a_refused_request_leaves_no_row(store: Store) -> None:
    limits = GuildSettings(cooldown_seconds=10)
    first = accept(store, limits=limits)
    with pytest.raises(CoolingDown):
        accept(store, limits=limits)
    store.members.block(SERVER, BOB)
    with pytest.raises(Blocked):
        accept(store, Owner(SERVER, BOB))
    assert len(rows(store, "jobs")) == 1
    assert accept(store, Owner(OTHER_SERVER, BOB)).id == first.id + 1


def test_a_failure_of_the_bots_own_gives_the_use_back(store: Store) -> None:
    limits = GuildSettings(daily_quota=1, cooldown_seconds=600)
    first = accept(store, limits=limits)
    assert store.limits.left(HERE, limits) == (0, 600)
    store.jobs.finish(first.id, "failed", error="WorkerDied", refund=True)
    assert store.limits.left(HERE, limits) == (1, 0)
    second = accept(store, limits=limits)
    store.jobs.finish(second.id, "failed", error="NoFace")
    assert store.limits.left(HERE, limits) == (0, 600), "a photo without a face was the member's own"


def test_counts_are_by_server_and_time(store: Store, clock: Clock) -> None:
    assert store.jobs.counts(SERVER) == {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
    for state in ("done", "failed", "done"):
        store.jobs.finish(accept(store).id, state)
    clock.passes(3600)
    store.jobs.finish(accept(store).id)
    store.jobs.claim(accept(store).id)
    accept(store)
    accept(store, Owner(OTHER_SERVER, BOB))
    assert store.jobs.counts(SERVER) == {"queued": 1, "running": 1, "done": 3, "failed": 1, "cancelled": 0}
    assert store.jobs.counts(SERVER, since=clock.at) == {"queued": 1, "running": 1, "done": 1, "failed": 0, "cancelled": 0}
    assert store.jobs.counts()["queued"] == 2
    assert store.jobs.counts(OTHER_SERVER)["queued"] == 1


def test_what_waits_too_long_fails_with_a_word(store: Store, clock: Clock) -> None:
    limits = GuildSettings(cooldown_seconds=0)
    job = accept(store, limits=limits)
    clock.passes(DAY)
    assert store.expire().lapsed == (job.id,)
    assert [(found.id, found.error) for found in store.jobs.recover().untold] == [(job.id, "JobTimedOut")]
    assert store.jobs.told(job.id)
    assert store.jobs.recover().untold == []
