"""Measures what a cluster adds to a request, and how its throughput grows: `egao bench cluster`.

The work is a stand-in, so that nothing but the way is measured: for the overhead it takes no time, for the throughput it sleeps.
Both ways of a pair are measured by turns in one run. Everything is on this machine; a network between would add its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from core.cluster.fleet import Cluster
from core.executor import Capacity, Executor, FindFaces, Patience, Project
from core.settings import Settings
from tests.core.cluster.kit import SAME, NodeLaunchers, running_head
from tests.core.executor.kit import COSTS, CREATE, Someone, until

PHOTO: Final = 2 << 20  # bytes
ROUNDS: Final = 40
WORKERS: Final = (1, 4, 16)
JOBS: Final = 4  # for each worker
STEP: Final = 0.25  # seconds that a step sleeps
STEPS: Final = 8  # of a job
PATIENCE: Final = Patience(start=120)


async def overhead(settings: Settings) -> dict[str, float]:
    """Measure a request with a photo and a small answer over both links, by turns; milliseconds."""
    took: dict[str, list[float]] = {"process": [], "ray": []}
    plain = Settings.load({})
    async with (
        Executor(plain, CREATE, devices=["cpu"], split=False, costs=COSTS) as process,
        Executor(plain, CREATE, devices=["cpu"], split=False, costs=COSTS, launcher=NodeLaunchers(settings)) as ray,
    ):
        for number in range(ROUNDS):
            for name, executor in (("process", process), ("ray", ray)):
                photo = b"say hello %d " % number + bytes(PHOTO)
                began = time.perf_counter()
                await executor.submit(FindFaces(photo), Someone(1, 1))
                took[name].append((time.perf_counter() - began) * 1e3)
                executor.forget(photo)
    middle = {name: statistics.median(times) for name, times in took.items()}
    added = [over - local for over, local in zip(took["ray"], took["process"], strict=True)]
    return {
        "process ms": round(middle["process"], 1),
        "ray ms": round(middle["ray"], 1),
        "overhead ms, median": round(statistics.median(added), 1),
        "overhead ms, p90": round(sorted(added)[int(len(added) * 0.9)], 1),
    }


async def throughput(settings: Settings, workers: int) -> float:
    """Measure jobs a second that this many workers do, once all are ready."""
    capacity = Capacity(per_guild=1000, per_member=1000)
    fleet = Cluster(settings, SAME)
    async with Executor(
        Settings.load({}), CREATE, split=False, costs=COSTS, capacity=capacity, fleet=fleet, patience=PATIENCE
    ) as executor:
        await until(lambda: sum(worker.state == "ready" for worker in executor.stats().workers) == workers, PATIENCE.start)
        began = time.perf_counter()
        jobs = [Project(b"sleep %g" % STEP, steps=STEPS) for _ in range(workers * JOBS)]
        await asyncio.gather(*(executor.submit(job, Someone(1, number)) for number, job in enumerate(jobs)))
        return len(jobs) / (time.perf_counter() - began)


def main() -> None:
    """Measure both and write a report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    report: dict[str, Any] = {}
    rates: dict[int, float] = {}
    for workers in WORKERS:
        with tempfile.TemporaryDirectory(prefix="eg") as folder:
            home = Path(folder, "home")
            home.mkdir(mode=0o700)
            with running_head(home, Path(folder, "ray"), workers=f"cpu-{workers}") as settings:
                if workers == 1:
                    report[f"a request with {PHOTO >> 20} MB"] = asyncio.run(overhead(settings))
                rates[workers] = asyncio.run(throughput(settings, workers))
    report["jobs a second"] = {str(workers): round(rate, 3) for workers, rate in rates.items()}
    report["of linear"] = {str(workers): round(rate / workers / rates[1], 3) for workers, rate in rates.items()}
    report["of the ideal"] = {str(workers): round(rate * STEP * STEPS / workers, 3) for workers, rate in rates.items()}
    text = json.dumps(report, indent=1)
    sys.stdout.write(text + "\n")
    options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
