"""Killed in the middle, used by many at once, locked out, out of room: nothing lost, nothing half done."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import QuotaSpent, ShuttingDown, StoreBusy, StoreUnwritable
from core.store import GuildSettings, Owner, Store
from core.store.reserve import BYTES
from tests.core.store.kit import (
    ALICE,
    BOB,
    SERVER,
    files,
    keep_face,
    latest,
    raw,
    rows,
    scrub_due,
    settings_at,
)

HERE = Owner(SERVER, ALICE)
ROOT = Path(__file__).parents[3]
SHORT, FULL = 2, 6  # kills


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr("core.store.database.BUSY_SECONDS", 0.1)
    with Store.open(settings_at(tmp_path)) as opened:
        yield opened


def written_until_killed(home: Path, lines: int) -> list[list[str]]:
    """Start the writer, kill it after that many lines; returns what it had promised."""
    command = [sys.executable, "-m", "tests.core.store.writer", str(home)]
    promised = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            promised.append(line.split())
            if len(promised) == lines:
                writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert promised[0] == ["ready"]
    return promised[1:]


@pytest.mark.parametrize("kills", [SHORT, pytest.param(FULL, marks=pytest.mark.long)])
def test_a_process_killed_while_writing_loses_nothing_that_it_had_promised(tmp_path: Path, kills: int) -> None:
    dice = random.Random()  # another moment every time
    for _ in range(kills):
        promised = written_until_killed(tmp_path, dice.randint(5, 60))
        with Store.open(settings_at(tmp_path)) as store:
            assert store.integrity() == []
            jobs = {row["id"]: row for row in rows(store, "jobs")}
            faces = {row["id"] for row in rows(store, "faces")}
            assert {row["face_id"] for row in rows(store, "sources")} == faces, "no face without its message"
            for kind, number in standing(promised):
                assert number in (faces if kind == "face" else jobs), (kind, number)
                assert kind != "done" or (jobs[number]["state"], jobs[number]["told"]) == ("done", 1)
            left = store.jobs.recover()
            assert all(job.state == "queued" for job in left.queued)
            assert len(left.queued) + len(left.untold) <= kills, "only what was being done at a kill is open"
            for owner in {job.owner for job in left.queued}:
                store.forget(owner)


def standing(lines: list[list[str]]) -> set[tuple[str, int]]:
    """What must be there after these lines. Whose erasure has begun may be gone or not, but only whole owners are."""
    kept: set[tuple[str, int, str, str]] = set()
    for line in lines:
        if line[0] == "forgetting":
            kept = {promise for promise in kept if promise[2:] != tuple(line[1:])}
        elif line[0] != "forgot":
            kept.add((line[0], int(line[1]), line[2], line[3]))
    return {promise[:2] for promise in kept}


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    """Each writes in its turn: side by side, on a busy disk, one may wait for the others until it is told to try again."""
    command = [sys.executable, "-m", "tests.core.store.writer", str(tmp_path), "wait"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        writers: list[Any] = [stack.enter_context(subprocess.Popen(command, cwd=ROOT, **pipes)) for _ in range(3)]
        assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 3
        for writer in writers:
            writer.stdin.write("begin\n")
            writer.stdin.flush()
            assert [writer.stdout.readline().split()[0] for _ in range(2)] == ["job", "face"]
            writer.kill()
    with Store.open(settings_at(tmp_path)) as store:
        assert store.integrity() == [], "every value opens with the one key"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["egao.sqlite3", "key", "store.lock"]


def test_threads_do_not_step_on_each_other(store: Store) -> None:
    start = threading.Barrier(12)

    def work(number: int) -> None:
        owner = Owner(SERVER, 1 + number)
        start.wait()
        for step in range(8):
            job = store.jobs.create(owner, "photo", b"")
            assert job is not None
            store.jobs.claim(job.id)
            face = keep_face(store, owner, photo=f"{step:064x}", job=job.id)
            assert latest(store, owner) == store.faces.get(owner, face.id)
            assert store.jobs.finish(job.id)
            if step == 5:
                store.forget(owner)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert store.faces.count(SERVER) == (24, 12)
    assert store.jobs.counts(SERVER)["done"] == 24
    assert store.integrity() == []


def test_two_stores_on_one_file_see_each_others_changes_before_they_decide(store: Store, tmp_path: Path) -> None:
    """A transaction that began by reading and only then asked to write would find its snapshot stale and fail."""
    limits = GuildSettings(daily_quota=12, cooldown_seconds=0)
    with Store.open(settings_at(tmp_path)) as other:
        both = threading.Barrier(2)

        def take(one: Store) -> int:
            taken = 0
            for _ in range(10):
                both.wait()
                with contextlib.suppress(QuotaSpent):
                    one.limits.take(HERE, limits)
                    taken += 1
            return taken

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(take, (store, other))) == 12


async def test_the_event_loop_runs_on_while_a_write_waits(store: Store) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store.database.writing():
            held.set()
            release.wait()

    holding = asyncio.create_task(store.run(hold))
    await asyncio.to_thread(held.wait)
    writing = asyncio.create_task(store.run(keep_face, store, HERE))
    assert await store.run(latest, store, HERE) is None, "a read doesn't wait for a write"
    for _ in range(50):
        await asyncio.sleep(0)
    assert not writing.done()
    release.set()
    await holding
    face = await writing
    assert await store.run(latest, store, HERE) == face


async def test_a_cancelled_wait_does_not_cut_a_transaction_short(store: Store) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow() -> None:
        with store.database.writing():
            keep_face(store, HERE)
            begun.set()
            release.wait()
            keep_face(store, HERE, photo="cd" * 32)

    waiting = asyncio.create_task(store.run(slow))
    await asyncio.to_thread(begun.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    await store.run(keep_face, store, Owner(SERVER, BOB))
    assert (await store.run(store.faces.count, SERVER)).faces == 3


async def test_closing_lets_what_was_begun_end_and_refuses_the_rest(store: Store, tmp_path: Path) -> None:
    work = [asyncio.create_task(store.run(keep_face, store, HERE, photo=f"{step:064x}")) for step in range(20)]
    await asyncio.sleep(0)
    await store.aclose()
    assert len(await asyncio.gather(*work)) == 20
    with pytest.raises(ShuttingDown):
        await store.run(latest, store, HERE)
    with pytest.raises(ShuttingDown):
        latest(store, HERE)
    with pytest.raises(ShuttingDown):
        keep_face(store, HERE)
    store.close()  # twice is no harm
    assert set(files(store)) == {"egao.sqlite3"}, "all of it is in the one file"
    with Store.open(settings_at(tmp_path)) as again:
        assert again.faces.count(SERVER).faces == 20


def test_a_locked_database_is_a_sentence_and_then_works_again(store: Store, tmp_path: Path) -> None:
    face = keep_face(store, HERE)
    with raw(tmp_path) as other:
        other.execute("begin immediate")
        with pytest.raises(StoreBusy, match="another process"):
            keep_face(store, Owner(SERVER, BOB))
        assert store.faces.get(HERE, face.id) == face
        other.execute("rollback")
    keep_face(store, Owner(SERVER, BOB))
    assert store.integrity() == []


def test_a_full_disk_is_a_sentence_and_loses_nothing(store: Store, tmp_path: Path) -> None:
    face = keep_face(store, HERE)
    size = sum(path.stat().st_size for path in tmp_path.glob("egao.sqlite3*"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50_000, before[1]))  # Python ignores the signal: writes fail
    try:
        with pytest.raises(StoreUnwritable, match="EGAO_HOME"):
            keep_face(store, Owner(SERVER, BOB), latent=os.urandom(2_000_000))
        assert store.faces.get(HERE, face.id) == face
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.faces.of(Owner(SERVER, BOB)) == []
    keep_face(store, Owner(SERVER, BOB), latent=os.urandom(2_000_000))
    assert store.integrity() == []


def test_an_erasure_holds_though_the_disk_is_too_full_to_scrub(store: Store, tmp_path: Path) -> None:
    keep_face(store, HERE, latent=os.urandom(400_000))
    keep_face(store, Owner(SERVER, BOB), latent=os.urandom(400_000))
    store.database.scrub(vacuum=False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_100_000, before[1]))
    try:
        with contextlib.suppress(StoreUnwritable):
            store.forget(HERE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.integrity() == []
    assert store.faces.of(HERE) == [] or not scrub_due(store.database)


def test_every_connection_is_set_for_safety(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 100}
    with store.database.writing() as writer, store.database.reading() as reader:
        for name, value in wanted.items():
            for db in (writer, reader):
                assert db.execute(f"pragma {name}").fetchone() == (value,), name
        assert reader.execute("pragma query_only").fetchone() == (1,)


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """The start of a command that has a disk of 80 MiB of its own at `tmp_path`, without being root."""
    mount = f'mount -t tmpfs -o size=80m,mode=0700 egao {tmp_path} && exec "$0" "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a disk of their own (unshare --user --mount)")
    return command


@pytest.mark.parametrize("reserve", ["with", "without"])
def test_on_a_full_disk_a_bot_still_erases(small_disk: list[str], tmp_path: Path, reserve: str) -> None:
    """Nothing can be kept any more, but who asks to be forgotten is forgotten, and the room is there for the next one."""
    command = [*small_disk, sys.executable, "-m", "tests.core.store.full_disk", str(tmp_path), reserve]
    told = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert told["kept"] == "refused"
    assert (told["others"], told["scrubbed"], told["problems"]) == (1, True, [])
    if reserve == "with":
        assert (told["erased"], told["left"], told["expired"], told["opened"]) == ("done", 0, "done", "done")
        assert told["room"] == BYTES
        assert (told["room after"], told["in WAL"]) == (BYTES, 0), "what was erased left the WAL too, and so did the room"
    else:  # this shows that the disk is full indeed: it is no wish
        assert (told["erased"], told["left"], told["room"]) == ("refused", 4, 0)
        assert told["opened"] == "refused"
