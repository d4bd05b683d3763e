"""The fitted lines that tell people how long it takes."""

from __future__ import annotations

import random

import pytest

from core.executor import Animate, FindFaces, Project, Render
from core.executor.estimate import CostLine, Estimates
from core.executor.kinds import Cost, kind_of

RENDER = Render(b"", (1.0, 2.0, 3.0))


def test_the_default_line_is_told_before_anything_is_known() -> None:
    line = kind_of(RENDER).cost
    assert Estimates().seconds(RENDER) == pytest.approx(3 * line.a + line.b)


def test_a_line_is_found_in_noise() -> None:
    line = CostLine(Cost(a=1, b=1, low=1, high=8))
    draw = random.Random(5)
    for _ in range(60):
        n = draw.randint(1, 8)
        line.observe(n, (0.1 * n + 0.3) * draw.uniform(0.9, 1.1))
    a, b = line.coefficients()
    assert a == pytest.approx(0.1, rel=0.2)
    assert b == pytest.approx(0.3, rel=0.2)


def test_a_machine_that_grows_slower_is_believed() -> None:
    line = CostLine(Cost(a=0.1, b=0, low=1, high=8))
    for seconds in (0.1, 0.5):
        for n in range(40):
            line.observe(1 + n % 8, seconds * (1 + n % 8))
    assert line.predict(4) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("points", [[(1, 3.0), (8, 1.0)], [(4, 1.0)] * 5, [(1, 0.0), (2, 5.0)], [(1, 0.0)]])
def test_no_data_makes_a_forecast_negative(points: list[tuple[int, float]]) -> None:
    line = CostLine(Cost(a=0.5, b=0.1, low=1, high=8))
    for _ in range(50):
        for n, seconds in points:
            line.observe(n, seconds)
    a, b = line.coefficients()
    assert a >= 0
    assert b >= 0
    assert line.predict(1) >= 0


def test_one_size_alone_is_predicted_right() -> None:
    line = CostLine(Cost(a=9, b=9, low=1, high=8))
    for _ in range(200):
        line.observe(3, 0.6)
    assert line.predict(3) == pytest.approx(0.6, rel=0.05)


def test_methods_of_projection_are_kept_apart_and_their_steps_learnt() -> None:
    estimates = Estimates()
    quick, slow = Project(b"", method="quick"), Project(b"", method="slow")
    for _ in range(30):
        estimates.observe(quick, 10, 1.0, 1.0)
        estimates.observe(slow, 500, 100.0, 150.0)
    assert (estimates.units(quick), estimates.units(slow)) == (10, 500)
    assert estimates.seconds(quick) == pytest.approx(1.0, rel=0.2)
    assert estimates.elapsed(slow, 500) == pytest.approx(150, rel=0.2)  # it shared its worker
    assert estimates.units(Project(b"", method="slow", steps=7)) == 7


def test_units_are_what_a_kind_is_made_of() -> None:
    estimates = Estimates()
    assert estimates.units(RENDER) == 3
    assert estimates.units(Animate(b"", 0, 1, frames=24)) == 24
    assert estimates.units(FindFaces(b"")) == 4
