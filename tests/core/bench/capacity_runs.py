"""Compares the simulation of `egao bench capacity` with real runs: the real executor, 1, 2 and 4 workers, work that sleeps.

Run as `python -m tests.core.bench.capacity_runs -o FILE`. Both have the same uploads at the same moments.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
from pathlib import Path
from time import monotonic
from typing import Final

from core.bench.capacity import Simulation, Work, arrivals, quantile
from core.executor import Capacity, Executor, FindFaces, Project, Render
from core.settings import Settings
from tests.core.executor.kit import COSTS, Someone, until

STANDIN: Final = Work(look=0.1, looks=5, project=0.4, steps=8, draw=0.063, presses=0, way=0.0)
LAZY: Final = "tests.core.executor.workbench:lazy"  # draws one picture after the other, as the real one does
ROOMY: Final = Capacity(waiting=10_000, per_guild=10_000, per_member=10_000)


async def one(executor: Executor, number: int) -> None:
    """What the bot asks for of an upload."""
    who = Someone(number, number)
    await executor.submit(FindFaces(b"crowd %g %d" % (STANDIN.look / STANDIN.looks, STANDIN.looks)), who)
    await executor.submit(Project(b"photo %g" % (STANDIN.project / STANDIN.steps), steps=STANDIN.steps), who)
    await executor.submit(Render(b"slow 0.06", (1.0, 2.0, 3.0)), who)


async def real(workers: int, moments: list[float]) -> list[float]:
    """Seconds that each upload waits, with real workers."""
    settings, devices = Settings.load({}), ["cpu"] * workers
    async with Executor(settings, LAZY, devices=devices, split=False, costs=COSTS, capacity=ROOMY) as executor:
        await until(lambda: all(worker.state == "ready" for worker in executor.stats().workers), 60)
        began = monotonic()

        async def upload(number: int, at: float) -> float:
            await asyncio.sleep(began + at - monotonic())
            asked = monotonic()
            await one(executor, number)
            return monotonic() - asked

        return list(await asyncio.gather(*(upload(number, at) for number, at in enumerate(moments))))


def compare(workers: int, count: int, busy: float, seed: int = 3) -> dict[str, float]:
    """Run both with these workers, `busy` of the time; seconds."""
    rate = busy * workers / STANDIN.seconds * 3600
    moments = arrivals(rate, count, random.Random(seed))
    done = asyncio.run(real(workers, moments))
    told = Simulation(workers, STANDIN, random.Random(0)).run(moments)
    found = {"real p95": quantile(done), "simulated p95": quantile(told)}
    found |= {"real mean": statistics.mean(done), "simulated mean": statistics.mean(told)}
    return {name: round(seconds, 3) for name, seconds in found.items()}


def main() -> None:
    """Compare for 1, 2 and 4 workers, and write what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uploads", type=int, default=60, help="for each worker")
    parser.add_argument("--busy", type=float, default=0.7)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    report = {str(workers): compare(workers, workers * options.uploads, options.busy) for workers in (1, 2, 4)}
    text = json.dumps(report, indent=1)
    sys.stdout.write(text + "\n")
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
