"""The simulation: it agrees with the formula where there is one, with real workers, and more workers wait less."""

from __future__ import annotations

import importlib.util
import random
import statistics

import pytest
from typer.testing import CliRunner

from core.bench.capacity import Events, Simulation, Work, arrivals, least_workers, quantile, waits
from core.cli import app
from core.errors import BadSetting
from tests.core.bench.capacity_runs import compare

_SIMPY = importlib.util.find_spec("simpy") is not None
pytestmark = pytest.mark.skipif(not _SIMPY, reason="SimPy is not installed: pip install egao[capacity]")


def test_one_worker_waits_as_the_formula_says() -> None:
    """Pollaczek and Khinchine: where each takes s seconds and the worker is busy a share r of the time, r s / (2 (1 - r))."""
    busy = 0.7
    waited: list[float] = []
    model = Simulation(1, Work(way=0), random.Random(0))

    def ask(at: float) -> Events:
        yield model.env.timeout(at)
        yield from model._ask("long", 1, 1.0)
        waited.append(model.env.now - at - 1.0)

    for at in arrivals(3600 * busy, 20_000, random.Random(1)):
        model.env.process(ask(at))
    model.env.run()
    assert statistics.mean(waited) == pytest.approx(busy / (2 * (1 - busy)), rel=0.05)


def test_nobody_waits_for_others_where_there_are_workers_enough() -> None:
    work = Work()
    alone = work.look + work.project + work.draw + 3 * work.way
    assert max(waits(36, 50, work, count=200)) == pytest.approx(alone, rel=0.02)


def test_a_picture_waits_for_one_step_and_not_for_a_projection() -> None:
    work = Work(look=0.1, looks=1, project=10.0, steps=10, draw=0.5, presses=0, way=0)
    first, second = Simulation(1, work, random.Random(0)).run([0.0, 0.05])
    assert first == pytest.approx(0.1 + 10.0 + 0.1 + 1.0 + 0.5)  # a look and a step of the other's came in between
    assert second < 2 * 10.6 + 0.2


def test_the_fewest_workers_are_found() -> None:
    work = Work()
    tried: list[str] = []
    workers, found = least_workers(2000, 30, work, tried.append)
    assert found <= 30 < quantile(waits(2000, workers - 1, work))
    assert workers >= 2000 / 3600 * work.seconds
    assert tried
    with pytest.raises(BadSetting, match="where nobody else asks"):
        least_workers(100, 5, work, tried.append)


def test_the_command_answers_in_a_line() -> None:
    done = CliRunner().invoke(app, ["bench", "capacity", "--uploads", "500", "--wait", "40", "--price", "0.1"])
    assert done.exit_code == 0
    assert "500 uploads an hour: " in done.stdout
    assert " a month" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_real_workers_wait_as_long(workers: int) -> None:
    told = compare(workers, 60 * workers, 0.7)
    assert told["simulated p95"] == pytest.approx(told["real p95"], rel=0.15)
