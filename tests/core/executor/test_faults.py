"""What a crash, a hang, a shortage of memory or a bad request costs: one job, and nobody else's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import EgaoError, InternalError, JobTimedOut, NoFace, NoSuchFace, WeightsMissing, WorkerDied
from core.executor import Animate, Capacity, Executor, FindFaces, Progress, Project, Render, Rendered, WorkItem
from core.executor.starved import Starved
from core.executor.worker.loop import as_answer
from tests.core.executor.kit import ANN, BEN, CAT, QUICKLY, alive, executor, pid_of, until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("either_link")]


async def works(ours: Executor) -> bool:
    found = await ours.submit(FindFaces(b"hello"), CAT)
    return found.faces[0].thumbnail == b"olleh"


async def test_a_job_that_crashes_its_worker_twice_fails_and_the_worker_is_back() -> None:
    async with executor() as ours:
        before = pid_of(ours)
        with pytest.raises(WorkerDied):
            await ours.submit(Render(b"null", (1.0,)), ANN)
        assert await works(ours)
        assert pid_of(ours) != before
        assert ours.stats().restarts == 2  # one attempt, one more


async def test_a_job_whose_worker_crashed_once_is_tried_again(tmp_path: Path) -> None:
    async with executor(wall="off") as ours:  # what it did is marked in a file
        path = os.fsencode(tmp_path / "crashed")
        found = await ours.submit(FindFaces(b"crash-once " + path), ANN)
        assert found.faces
        assert ours.stats().restarts == 1


async def test_a_projection_goes_on_from_its_checkpoint_after_a_crash(tmp_path: Path) -> None:
    steps: list[int] = []
    async with executor(wall="off") as ours:  # what it did is marked in a file
        path = os.fsencode(tmp_path / "crashed")
        job = Project(b"steps 0.005 crash-once " + path, steps=20)
        done = await ours.submit(job, ANN, lambda progress: steps.append(progress.step))
    assert done.latent == b"10 20"  # begun again at 10 of 20
    assert [step for step in steps if step] == list(range(1, 21))


async def test_a_crash_spares_the_projection_that_shares_the_worker() -> None:
    async with executor() as ours:
        long = asyncio.create_task(ours.submit(Project(b"steps 0.02", steps=30), ANN))
        await until(lambda: ours.stats().running == 1)
        for _ in range(2):  # four deaths, more than its own attempts
            with pytest.raises(WorkerDied):
                await ours.submit(Render(b"crash", (1.0,)), BEN)
        assert (await long).latent.endswith(b" 30")


async def test_a_crashing_render_is_split_out_of_its_batch() -> None:
    async with executor() as ours:
        await ours.submit(FindFaces(b"hello"), ANN)
        hold = asyncio.create_task(ours.submit(Render(b"slow 0.1", (1.0,)), ANN))
        await asyncio.sleep(0)
        latents = [b"a", b"crash", b"b", b"c"]
        jobs = [ours.enqueue(Render(latent, (1.0,)), BEN) for latent in latents]
        answers = await asyncio.gather(*(job.result() for job in jobs), return_exceptions=True)
        await hold
    assert [type(answer) for answer in answers] == [Rendered, WorkerDied, Rendered, Rendered]


async def test_a_raising_render_is_split_out_of_its_batch_without_a_restart() -> None:
    async with executor() as ours:
        hold = asyncio.create_task(ours.submit(Render(b"slow 0.1", (1.0,)), ANN))
        await asyncio.sleep(0)
        latents = [b"a", b"raise", b"faceless", b"b", b"array", b"refuse"]
        jobs = [ours.enqueue(Render(latent, (1.0,)), BEN) for latent in latents]
        answers = await asyncio.gather(*(job.result() for job in jobs), return_exceptions=True)
        await hold
        assert ours.stats().restarts == 0
    assert [type(answer) for answer in answers] == [Rendered, InternalError, NoFace, Rendered, InternalError, NoSuchFace]


async def test_a_refusal_holds_on_to_nothing_that_the_request_was_worked_on_with() -> None:
    async with executor() as ours:
        for _ in range(3):
            with pytest.raises(NoSuchFace):
                await ours.submit(FindFaces(b"refuse heavy"), ANN)
        said = await ours.submit(FindFaces(b"say heavy"), ANN)
    assert said.faces[0].thumbnail == b"0"


async def test_errors_cross_whole_and_others_show_nothing_of_the_inside() -> None:
    async with executor() as ours:
        with pytest.raises(NoSuchFace) as refused:
            await ours.submit(FindFaces(b"refuse"), ANN)
        assert str(refused.value).startswith("There is no face number 3: this photo has 2")
        for request in (FindFaces(b"raise"), Render(b"raise", (1.0,)), Project(b"steps 0 raise")):
            with pytest.raises(InternalError) as failed:
                await ours.submit(request, ANN)
            assert "secret" not in str(failed.value) + repr(failed.value.facts)
            assert list(failed.value.facts) == ["fault"]


def test_a_faults_cause_is_found_by_the_number_that_its_end_has(caplog: pytest.LogCaptureFixture) -> None:
    told = as_answer(ValueError("secret"))
    assert f"fault {told.facts['fault']}: the workbench failed" in caplog.text
    assert "ValueError: secret" in caplog.text


async def test_an_error_that_poisons_the_process_ends_it() -> None:
    async with executor() as ours:
        with pytest.raises(WorkerDied):
            await ours.submit(FindFaces(b"cuda"), ANN)
        assert await works(ours)
        assert ours.stats().restarts == 2


async def test_the_watchdog_ends_a_hung_worker_and_only_the_hung_job_fails() -> None:
    async with executor(patience=replace(QUICKLY, silence=0.4)) as ours:
        long = asyncio.create_task(ours.submit(Project(b"steps 0.02", steps=10), BEN))
        await until(lambda: ours.stats().running == 1)
        with pytest.raises(JobTimedOut):
            await ours.submit(FindFaces(b"hang"), ANN)
        assert (await long).latent.endswith(b" 10")
        assert ours.stats().restarts == 1


async def test_a_stopped_worker_is_noticed_and_its_job_done_by_the_next() -> None:
    async with executor(patience=replace(QUICKLY, silence=0.4)) as ours:
        os.kill(pid_of(ours), signal.SIGSTOP)
        assert await works(ours)
        assert ours.stats().restarts == 1


async def test_slow_steps_are_not_a_hang() -> None:
    async with executor(patience=replace(QUICKLY, silence=0.4)) as ours:
        assert await ours.submit(Project(b"steps 0.15", steps=4), ANN)
        assert ours.stats().restarts == 0


async def test_a_hoarder_fails_under_the_memory_limit_and_others_do_not() -> None:
    async with executor(capacity=Capacity(memory=400 * 2**20)) as ours:
        before = pid_of(ours)
        with pytest.raises(EgaoError):
            await ours.submit(FindFaces(b"hoard 2000000000"), ANN)
        assert await works(ours)
        assert pid_of(ours) == before


async def test_a_batch_too_large_for_the_memory_is_halved_and_that_is_remembered() -> None:
    async with executor("tests.core.executor.workbench:hungry") as ours:
        await asyncio.gather(*(ours.submit(Render(b"a", (1.0,)), ANN) for _ in range(5)))
        await asyncio.gather(*(ours.submit(Render(b"a", (1.0,)), ANN) for _ in range(5)))
        said = await ours.submit(FindFaces(b"say batches"), ANN)
    assert said.faces[0].thumbnail == b"[1, 4, 2, 2, 1, 2, 2]"  # tried four together once


async def test_an_idle_worker_that_is_killed_comes_back_for_the_next_job() -> None:
    async with executor() as ours:
        for _ in range(2):
            os.kill(pid_of(ours), signal.SIGKILL)
            assert await works(ours)


@pytest.mark.parametrize("waitid", [True, False], ids=["waitid", "without it, as on macOS before Python 3.13"])
async def test_a_worker_whose_child_holds_its_socket_is_missed_and_the_child_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waitid: bool
) -> None:
    if not waitid:
        monkeypatch.delattr(os, "waitid")
    async with executor(wall="off") as ours:  # behind it there are no children
        with pytest.raises(WorkerDied):
            await ours.submit(FindFaces(b"orphan %b" % os.fsencode(tmp_path / "pids")), ANN)
        assert await works(ours)
    children = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(children) == 2, "the job is tried twice"
    await until(lambda: not any(alive(pid) for pid in children))


async def test_a_worker_killed_at_any_moment_loses_nothing() -> None:
    """As the kernel does when memory runs out: every job still gets one answer, the right one."""
    async with executor() as ours:
        renders = [(b"%d" % n, ours.enqueue(Render(b"%d" % n, (2.0,)), ANN if n % 2 else CAT)) for n in range(12)]
        moving = ours.enqueue(Animate(b"x", 0, 1, frames=15), BEN)
        long = ours.enqueue(Project(b"steps 0.02", steps=20), BEN)
        await asyncio.sleep(0.03)
        os.kill(pid_of(ours), signal.SIGKILL)
        for latent, job in renders:
            assert await job.result() == Rendered((latent + b" 2",))
        assert await moving.result()
        assert await long.result()
        stats = ours.stats()
    assert (stats.done, stats.failed) == (14, 0)


async def test_missing_weights_are_told_at_the_start() -> None:
    with pytest.raises(WeightsMissing, match="egao models pull"):
        async with executor("tests.core.executor.workbench:without_weights"):
            pass


async def test_a_worker_that_never_comes_up_is_told_at_the_start() -> None:
    began = time.monotonic()
    with pytest.raises(WorkerDied):
        async with executor("tests.core.executor.workbench:stillborn"):
            pass
    assert time.monotonic() - began < 15


async def test_a_worker_that_comes_up_no_more_fails_what_waits_and_refuses_more(tmp_path: Path) -> None:
    async with executor("tests.core.executor.workbench:once", home=tmp_path, wall="off") as ours:
        os.kill(pid_of(ours), signal.SIGKILL)
        with pytest.raises(WeightsMissing):
            await ours.submit(FindFaces(b"hello"), ANN)
        with pytest.raises(WeightsMissing):
            ours.enqueue(FindFaces(b"hello"), ANN)
        (tmp_path / "made").unlink()  # the weights are back
        await until(lambda: ours.stats().workers[0].state == "ready")
        assert await works(ours)


async def test_a_failing_callback_harms_nobody() -> None:
    def fail(_: Progress) -> None:
        raise ValueError

    async with executor() as ours:
        assert await ours.submit(Project(b"steps 0", steps=3), ANN, fail)


async def test_time_in_which_the_bot_itself_slept_is_not_the_workers_silence() -> None:
    async with executor(patience=replace(QUICKLY, silence=1.0)) as ours:
        await ours.submit(FindFaces(b"hello"), ANN)
        slow = ours.enqueue(Render(b"slow 1.6", (1.0,)), ANN)  # silent for longer than the patience
        await asyncio.sleep(0.2)
        time.sleep(1.2)  # noqa: ASYNC251 - a suspended machine: nothing runs, nothing is heard
        assert await slow.result()
        assert ours.stats().restarts == 0


async def talking(ours: Executor) -> WorkItem:
    """An animation of whose frames the worker has told three times, and tells on."""
    frames: list[int] = []
    moving = ours.enqueue(Animate(b"x", 0, 1, frames=50), BEN, lambda progress: frames.append(progress.step))
    await until(lambda: len(frames) > 2)
    return moving


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.long)])
async def test_what_a_worker_said_before_it_died_is_heard_though_the_bot_was_just_writing_to_it(times: int) -> None:
    """Else whoever was heard of before is blamed: here the animation, of which the worker told again and again."""
    async with executor(capacity=Capacity(attempts=1)) as ours:
        for deaths in range(1, times + 1):
            moving = await talking(ours)
            pid = pid_of(ours)
            crash = ours.enqueue(FindFaces(b"crash"), ANN)
            await asyncio.sleep(0)  # it is sent
            while alive(pid):
                time.sleep(0.01)  # noqa: ASYNC251 - a bot that has much to do: it hears nothing meanwhile
            long = ours.enqueue(Project(b"steps 0", steps=2), CAT)  # and now it writes to a worker that is gone
            with pytest.raises(WorkerDied):
                await crash.result()
            assert await moving.result()
            assert await long.result()
            assert ours.stats().restarts == deaths


async def test_a_worker_that_is_killed_as_often_as_it_starts_is_waited_for_a_while() -> None:
    """As on a machine that is short of memory for a moment: three starts are killed sooner than one would last."""
    async with executor() as ours:
        pids = [pid_of(ours)]
        os.kill(pids[0], signal.SIGKILL)
        job = ours.enqueue(FindFaces(b"hello"), ANN)
        while len(pids) < 5:
            await until(lambda: ours.stats().workers[0].pid not in (None, pids[-1]))
            pids.append(pid_of(ours))
            os.kill(pids[-1], signal.SIGKILL)
        assert await job.result()
        assert ours.stats().restarts == len(pids)


async def test_a_worker_that_does_not_come_up_for_long_is_told() -> None:
    async with executor(patience=replace(QUICKLY, despair=0.0)) as ours:
        pids = [pid_of(ours)]
        os.kill(pids[0], signal.SIGKILL)
        job = ours.enqueue(FindFaces(b"hello"), ANN)
        while len(pids) < 4:
            await until(lambda: ours.stats().workers[0].pid not in (None, pids[-1]))
            pids.append(pid_of(ours))
            os.kill(pids[-1], signal.SIGKILL)
        with pytest.raises(WorkerDied):
            await job.result()


@contextlib.contextmanager
def held_down(pid: int) -> Iterator[None]:
    """A process has a tenth of one processor, the rest being taken by another."""
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            os.sched_setaffinity(other.pid, {core})
            os.sched_setaffinity(pid, {core})
            os.setpriority(os.PRIO_PROCESS, pid, 10)
            with contextlib.suppress(OSError):  # where the kernel weighs sessions against each other, not processes
                Path(f"/proc/{pid}/autogroup").write_text("10")
            yield
        finally:
            other.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a process had to wait for a processor")
async def test_time_in_which_the_system_let_others_work_is_not_the_workers_silence() -> None:
    async with executor(patience=replace(QUICKLY, silence=0.5)) as ours:
        await ours.submit(FindFaces(b"hello"), ANN)
        with held_down(pid_of(ours)):
            assert await ours.submit(FindFaces(b"compute 0.2"), ANN)
        assert ours.stats().restarts == 0


async def test_nothing_asks_the_system_about_a_worker_that_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the waiting times of all its threads ten times a second was a third of what the bot's process computed."""
    asked: list[Starved] = []

    def seconds(self: Starved) -> float:
        asked.append(self)
        return 0.0

    monkeypatch.setattr(Starved, "seconds", seconds)
    async with executor(patience=replace(QUICKLY, silence=600.0)) as ours:
        assert await ours.submit(FindFaces(b"compute 0.5"), ANN)  # half a second: it is looked at every tenth
        assert not asked
    async with executor(patience=replace(QUICKLY, silence=5.0)) as ours:  # a fiftieth of it is less than the work takes
        assert await ours.submit(FindFaces(b"compute 0.5"), ANN)
        assert asked
