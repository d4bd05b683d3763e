"""The worker as a process: what it knows, where its noise goes, that it never outlives the bot."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.executor import Animate, FindFaces, Project, Render
from core.executor.devices import devices, worker_environment, worker_settings
from core.settings import Settings
from tests.core.executor.kit import ANN, BEN, CAT, alive, executor, pid_of, place, until

ROOT = Path(__file__).parents[3]
PARENT = """
import asyncio
from tests.core.executor.kit import ANN, executor, pid_of
from core.executor import Project

async def main():
    async with executor() as ours:
        def tell(progress):
            if progress.step == 2:
                print(pid_of(ours), flush=True)

        await ours.submit(Project(%r, steps=8), ANN, tell)

asyncio.run(main())
"""


def of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> dict[int, bytes]:
    """This process's children by their numbers, with their command lines: b"" of one that has ended and was not waited for."""
    pids = {int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
    return {pid: of_process(pid, "cmdline") for pid in pids}


async def test_the_worker_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = {"DISCORD_TOKEN", "EGAO_KEY", "EGAO_HOME", "AWS_SECRET_ACCESS_KEY", "CUDA_TOKEN", "SOMETHING_ELSE"}
    for name in hidden:
        monkeypatch.setenv(name, "swordfish")
    async with executor(discord_token=SecretStr("swordfish"), key=SecretStr("swordfish"), threads=3) as ours:
        said = (await ours.submit(FindFaces(b"say environment"), ANN)).faces[0].thumbnail
        names, secrets, threads, device = eval(said)
        cmdline, environment = of_process(pid_of(ours), "cmdline"), of_process(pid_of(ours), "environ")
    assert secrets == [None, None]
    assert not hidden & set(names)
    assert {"PATH", "OMP_NUM_THREADS"} <= set(names)
    assert (threads, device) == (3, "cpu")
    assert b"swordfish" not in cmdline + environment
    assert b"executor" in cmdline


async def test_a_worker_that_crashes_leaves_no_image_of_its_memory() -> None:
    async with executor() as ours:
        assert resource.prlimit(pid_of(ours), resource.RLIMIT_CORE) == (0, 0)


async def test_noise_goes_to_the_log_and_not_between_the_messages(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with executor() as ours:
        assert (await ours.submit(FindFaces(b"noise 20000"), ANN)).faces
        await until(lambda: "printed noise" in caplog.text)
    assert "native noise" in caplog.text
    assert caplog.text.count("native noise") < 5000
    assert ("noisy", logging.WARNING, "worker 0: logged noise") in caplog.record_tuples
    assert "noise" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("work", [b"steps 0.2", b"steps 0 hang"])
def test_the_worker_dies_with_its_parent(work: bytes) -> None:
    source = PARENT % work
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, cwd=root)
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3)  # it is now in the middle of what it does
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        end = time.monotonic() + 5
        while alive(pid):
            assert time.monotonic() < end, "an orphan"
            time.sleep(0.01)


async def test_signals_to_the_whole_group_leave_the_worker_to_the_bot() -> None:
    async with executor() as ours:
        pid = pid_of(ours)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        assert await ours.submit(FindFaces(b"hello"), ANN)
        assert pid_of(ours) == pid
        assert os.getpgid(pid) != os.getpgid(0)
        assert int(of_process(pid, "oom_score_adj")) >= 500


async def test_nothing_is_left_open_after_many_workers() -> None:
    strangers = children().keys()  # of libraries, which another test of this process had start them
    async with executor() as ours:
        await ours.submit(FindFaces(b"hello"), ANN)
        before = descriptors()
        for _ in range(2):
            os.kill(pid_of(ours), signal.SIGKILL)
            await ours.submit(FindFaces(b"hello"), ANN)
        assert descriptors() == before
    assert not {pid: line for pid, line in children().items() if pid not in strangers}


async def test_the_executor_can_run_in_a_loop_of_another_thread() -> None:
    async def work() -> bytes:
        async with executor() as ours:
            return (await ours.submit(FindFaces(b"hello"), ANN)).faces[0].thumbnail

    assert await asyncio.to_thread(lambda: asyncio.run(work())) == b"olleh"


def test_each_gpu_gets_a_worker_of_its_own() -> None:
    ours = worker_settings(Settings.load({"EGAO_DEVICE": "auto"}), "cuda:1", 2)
    assert ours.device == "cuda"
    assert ours.threads >= 1
    assert worker_environment(ours, "cuda:1", {})["CUDA_VISIBLE_DEVICES"] == "1"
    assert worker_environment(ours, "cuda:1", {"CUDA_VISIBLE_DEVICES": "4,6"})["CUDA_VISIBLE_DEVICES"] == "6"
    assert "CUDA_VISIBLE_DEVICES" not in worker_environment(ours, "cpu", {})


def test_threads_that_wait_soon_sleep_unless_the_operator_wants_otherwise() -> None:
    ours = Settings.load({})
    usual = worker_environment(ours, "cpu", {})
    assert (usual["OMP_WAIT_POLICY"], usual["GOMP_SPINCOUNT"]) == ("PASSIVE", "2000")
    theirs = worker_environment(ours, "cpu", {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "7"})
    assert (theirs["OMP_WAIT_POLICY"], theirs["GOMP_SPINCOUNT"]) == ("ACTIVE", "7")


def test_the_processor_gets_one_worker() -> None:
    assert devices(Settings.load({"EGAO_DEVICE": "cpu"})) == ("cpu",)


async def test_where_the_work_is_split_a_render_does_not_wait_for_a_step() -> None:
    steps: list[int] = []
    async with executor(split=True) as ours:
        await until(lambda: all(worker.state == "ready" for worker in ours.stats().workers))
        quick, patient = (worker.pid or 0 for worker in ours.stats().workers)
        assert os.getpriority(os.PRIO_PROCESS, patient) > os.getpriority(os.PRIO_PROCESS, quick)
        long = ours.enqueue(Project(b"steps 0.5", steps=2), ANN, lambda progress: steps.append(progress.step))
        next_up = place(ours, ours.enqueue(Project(b"steps 0", steps=1), BEN))
        assert next_up is not None
        assert next_up.place == 1
        for _ in range(5):
            await ours.submit(Render(b"x", (1.0,)), BEN)
        assert await ours.submit(Animate(b"x", 0, 1, frames=2), CAT)
        assert not any(steps)
        os.kill(quick, 9)  # and the projection does not even notice
        assert await ours.submit(Render(b"x", (1.0,)), BEN)
        assert (await long.result()).latent == b"0 2"
        assert ours.stats().restarts == 1


HIDDEN = """
import ctypes, os, sys, time
from core.executor.sandbox.confine import hide_memory
read, write = os.pipe()
ready, go = os.pipe()
one = os.fork()
os.setgid(65534); os.setuid(65534)
if not one:
    ctypes.CDLL(None).prctl(4, 1)  # as after its start: another user's rights had hidden it already
    if sys.argv[1] == "hide":
        hide_memory()
    os.write(go, b"x")
    os.read(read, 1)
    os._exit(0)
os.read(ready, 1)
try:
    print(b"SECRET" in open(f"/proc/{one}/environ", "rb").read())
except PermissionError:
    print("denied")
os.write(write, b"x")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(("how", "told"), [("hide", "denied"), ("show", "True")])
def test_a_process_that_hides_its_memory_shows_nothing_to_others_of_its_user(how: str, told: str) -> None:
    environment = {**os.environ, "TOKEN": "SECRET", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HIDDEN, how]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip() == told


def test_the_bot_hides_its_memory() -> None:
    script = "import ctypes; from bot.app import main; from core.settings import Settings; main(Settings.load({}));"
    script += "print('dumpable', ctypes.CDLL(None).prctl(3))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("dumpable 0")
    assert "DISCORD_TOKEN" in done.stderr
