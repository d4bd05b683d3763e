"""What members and servers have had of the workers' time lately."""

from __future__ import annotations

import pytest

from core.executor import Project, Render, Spending
from core.executor.spending import WINDOW
from tests.core.executor.kit import ANN, BEN, CAT, Someone, executor


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_member_waits_until_enough_has_left_the_window() -> None:
    clock = Clock()
    spending = Spending(clock)
    for _ in range(4):
        spending.charge(ANN, 10.0)
        clock.now += 100
    assert spending.of_member(ANN.member_id) == 40
    assert spending.of_member(ANN.member_id, within=250) == 20
    assert spending.member_wait(ANN, 41) == 0
    assert spending.member_wait(ANN, 40) == pytest.approx(WINDOW - 400)
    assert spending.member_wait(ANN, 25) == pytest.approx(WINDOW - 300)
    clock.now += WINDOW - 400
    assert spending.member_wait(ANN, 40) == 0
    clock.now += WINDOW
    assert spending.of_member(ANN.member_id) == 0


def test_a_member_is_counted_over_all_servers_and_a_server_over_all_members() -> None:
    spending = Spending(Clock())
    for owner in (Someone(1, 7), Someone(2, 7), Someone(None, 7), Someone(1, 8)):
        spending.charge(owner, 10.0)
    assert spending.of_member(7) == 30
    assert spending.server_wait(Someone(1, 99), 20) > 0
    assert spending.server_wait(Someone(2, 99), 20) == 0
    assert spending.server_wait(Someone(None, 7), 0.1) == 0, "direct messages are nobody's server"


def test_what_is_remembered_of_many_small_requests_and_of_many_members_stays_small() -> None:
    clock = Clock()
    spending = Spending(clock)
    for number in range(20_000):
        clock.now += 0.1
        spending.charge(Someone(None, number % 3), 0.01)
    assert sum(map(len, spending._spent.values())) <= 3 * (WINDOW + 2)
    assert spending.of_member(0) == pytest.approx(WINDOW / 0.1 / 3 * 0.01, rel=0.02)
    clock.now += 2 * WINDOW
    spending.charge(Someone(None, 9), 1.0)
    assert len(spending._spent) == 1


async def test_the_executor_charges_what_its_work_took_whatever_came_of_it() -> None:
    async with executor("tests.core.executor.workbench:lazy") as ours:
        await ours.submit(Render(b"slow 0.2", (1.0,)), ANN)
        assert 0.2 <= ours.spending.of_member(ANN.member_id) < 2
        await ours.submit(Project(b"steps 0.01", steps=10), BEN)
        assert 0.1 <= ours.spending.of_member(BEN.member_id) < 2
        assert ours.spending.of_member(CAT.member_id) == 0
