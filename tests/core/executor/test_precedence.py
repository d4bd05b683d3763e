"""Who has had much of the workers lately gives way to who has had little, whatever lane they are in."""

from __future__ import annotations

import asyncio

from core.executor import FindFaces, FullSize, Project, Render, Spending, WorkItem
from core.executor.precedence import LATELY, LINGERS, MUCH, Precedence
from tests.core.executor.kit import ANN, BEN, CAT, Someone, executor, until


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def item_of(owner: Someone) -> WorkItem:
    return WorkItem(FindFaces(b"x"), owner, None)


async def test_one_who_has_had_much_waits_for_one_who_has_had_less_than_half() -> None:
    clock = Clock()
    spending = Spending(clock)
    precedence = Precedence(spending, clock)
    ann, ben = item_of(ANN), item_of(BEN)

    def waiting() -> list[WorkItem]:
        precedence.look([ann, ben])
        return [item for item in (ann, ben) if precedence.waits(item)]

    spending.charge(ANN, MUCH)
    assert not waiting(), "not yet much"
    spending.charge(ANN, 1.0)
    assert waiting() == [ann]
    precedence.look([ann])
    assert not precedence.waits(ann), "nobody else is there"
    spending.charge(BEN, MUCH / 2 + 1)
    assert not waiting(), "the other has had as much, about"
    clock.now += LATELY
    assert not waiting(), "it is long ago"


async def test_a_member_is_there_for_a_moment_after_an_answer() -> None:
    clock = Clock()
    spending = Spending(clock)
    precedence = Precedence(spending, clock)
    ann, ben = item_of(ANN), item_of(BEN)
    spending.charge(ANN, 2 * MUCH)
    precedence.answered(ben)
    precedence.look([ann])
    assert precedence.waits(ann)
    clock.now += LINGERS
    precedence.look([ann])
    assert not precedence.waits(ann)


async def test_nothing_of_a_greedy_member_is_begun_while_others_have_work_in_any_lane() -> None:
    async with executor() as ours:
        ours.spending.charge(ANN, MUCH + 40)
        await ours.submit(Render(b"x", (1.0,)), ANN)  # alone, as always
        long = ours.enqueue(Project(b"steps 0.02", steps=30), CAT)
        held = [ours.enqueue(Render(b"x", (1.0,)), ANN), ours.enqueue(FindFaces(b"x"), ANN)]
        other = ours.enqueue(Render(b"x", (1.0,)), BEN)
        await other.result()
        await long.result()
        assert not any(item.started for item in held)
        assert all([await item.result() for item in held]), "once nobody else is there"


async def test_a_greedy_members_projection_gives_way_and_goes_on_from_where_it_was() -> None:
    async with executor() as ours:
        long = ours.enqueue(Project(b"steps 0.02", steps=100), ANN)
        await until(lambda: long.last is not None and long.last.step >= 5)
        ours.spending.charge(ANN, MUCH + 40)
        assert (await ours.submit(Project(b"steps 0.01", steps=10), CAT)).latent == b"0 10"
        assert not long.done
        begun, steps = (await long.result()).latent.split()
        assert int(begun) >= 5, "what was done is not done again"
        assert int(steps) == 100
        assert ours.stats().restarts == 0


async def test_a_projection_gives_way_to_nobody_who_has_had_as_much() -> None:
    async with executor() as ours:
        long = ours.enqueue(Project(b"steps 0.02", steps=20), ANN)
        await until(lambda: long.last is not None and long.last.step >= 2)
        ours.spending.charge(ANN, MUCH + 40)
        ours.spending.charge(CAT, MUCH + 10)
        other = ours.enqueue(Project(b"steps 0.01", steps=10), CAT)
        assert (await long.result()).latent == b"0 20"
        assert await other.result()


async def test_where_the_work_is_split_only_pictures_of_modest_members_are_drawn_by_the_quick_worker() -> None:
    """Looks at new photos, full sizes and all that a greedy member asks for may take long: they keep no picture waiting."""
    async with executor(split=True) as ours:
        await until(lambda: all(worker.state == "ready" for worker in ours.stats().workers))
        quick, patient = ours._workers
        ours.spending.charge(ANN, MUCH + 40)
        greedy = ours.enqueue(Render(b"slow 0.3", (1.0,)), ANN)
        await asyncio.sleep(0)
        assert (greedy.id in quick.items, greedy.id in patient.items) == (False, True)
        look, large = ours.enqueue(FindFaces(b"compute 0.2"), BEN), ours.enqueue(FullSize(b"slow 0.3", 1.0), CAT)
        assert {look.id, large.id} <= patient.items.keys()
        await ours.submit(Render(b"x", (1.0,)), CAT)
        assert not any(item.done for item in (greedy, look, large))
        assert all([await item.result() for item in (greedy, look, large)])


async def test_a_slow_step_does_not_take_a_turn_for_each_quick_one_of_another() -> None:
    """A full size of three long steps and a projection of many short ones have the worker's time in halves."""
    async with executor() as ours:
        long = ours.enqueue(Project(b"steps 0.02", steps=500), ANN)
        await until(lambda: long.last is not None)
        large = ours.enqueue(FullSize(b"slow 0.9", 1.0), CAT)
        await until(lambda: large.last is not None and large.last.step >= 2)
        assert long.last is not None
        assert long.last.step >= 10
        assert not long.done
        assert await large.result()
        ours.cancel(long)
