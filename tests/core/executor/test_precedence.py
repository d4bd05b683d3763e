"""Who has had much of the workers lately gives way to who has had little, whatever lane they are in."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.executor import FindFaces, FullSize, Project, Render, Spending, WorkItem
from core.executor.precedence import AT_ONCE, LATELY, LINGERS, LONG, LONG_LOOK, MUCH, Precedence
from core.executor.supervisor import LOOKS
from tests.core.executor.kit import ANN, BEN, CAT, QUICKLY, Someone, executor, until

pytestmark = pytest.mark.usefixtures("either_link")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def item_of(owner: Someone) -> WorkItem:
    return WorkItem(FindFaces(b"x"), owner, None)


class Room(Precedence):
    """A precedence among the items that are there."""

    present: tuple[WorkItem, ...] = ()

    def holds(self, *items: WorkItem) -> None:
        """These are all unfinished items now."""
        for item in self.present:
            self.left(item)
        for item in items:
            self.came(item)
        self.present = items
        self.look()


async def test_one_who_has_had_much_waits_for_one_who_has_had_less_than_half() -> None:
    clock = Clock()
    spending = Spending(clock)
    precedence = Room(spending, lambda item: 1.0, clock)
    ann, ben = item_of(ANN), item_of(BEN)

    def waiting() -> list[WorkItem]:
        precedence.holds(ann, ben)
        return [item for item in (ann, ben) if precedence.waits(item)]

    spending.charge(ANN, MUCH)
    assert not waiting(), "not yet much"
    spending.charge(ANN, 1.0)
    assert waiting() == [ann]
    precedence.holds(ann)
    assert not precedence.waits(ann), "nobody else is there"
    spending.charge(BEN, MUCH / 2 + 1)
    assert not waiting(), "the other has had as much, about"
    clock.now += LATELY
    assert not waiting(), "it is long ago"


async def test_one_who_asks_for_many_things_at_once_waits_for_one_who_asks_for_one() -> None:
    clock = Clock()
    precedence = Room(Spending(clock), lambda item: 25.0 if item.owner == CAT else 6.0, clock)
    few, many = [item_of(ANN) for _ in range(AT_ONCE)], [item_of(ANN) for _ in range(AT_ONCE + 2)]
    other, long = item_of(BEN), item_of(CAT)
    precedence.holds(*few, other)
    assert not any(map(precedence.waits, few)), "as one who uses two messages"
    precedence.holds(*many, long)
    assert not any(map(precedence.waits, many)), "what the other asks for is no smaller"
    precedence.holds(*many, other)
    assert all(map(precedence.waits, many))
    assert not precedence.waits(other)
    small = Room(Spending(clock), lambda item: LONG / 6, clock)
    small.holds(*many, other)
    assert not any(map(small.waits, many)), "they are done in a moment"


async def test_nobody_is_held_for_ever() -> None:
    """Whoever got no answer for a minute goes on with what they asked for first, and with no more than that."""
    clock = Clock()
    precedence = Room(Spending(clock), lambda item: 6.0, clock)
    many, other = [item_of(ANN) for _ in range(AT_ONCE + 2)], item_of(BEN)
    clock.now = many[0].submitted + LATELY - 1
    precedence.holds(*many, other)
    assert all(map(precedence.waits, many))
    clock.now += 2
    precedence.holds(*many, other)
    assert [precedence.waits(item) for item in many] == [False, True, True, True]
    precedence.answered(many[0])
    precedence.holds(*many, other)
    assert all(map(precedence.waits, many)), "there was an answer"


async def test_a_member_is_there_for_a_moment_after_an_answer() -> None:
    clock = Clock()
    spending = Spending(clock)
    precedence = Room(spending, lambda item: 1.0, clock)
    ann, ben = item_of(ANN), item_of(BEN)
    spending.charge(ANN, 2 * MUCH)
    precedence.answered(ben)
    precedence.holds(ann)
    assert precedence.waits(ann)
    clock.now += LINGERS
    precedence.holds(ann)
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


async def test_what_is_being_done_for_a_greedy_member_is_held_and_goes_on_from_where_it_was() -> None:
    async with executor() as ours:
        long = ours.enqueue(Project(b"steps 0.02", steps=100), ANN)
        await until(lambda: long.last is not None and long.last.step >= 5)
        ours.spending.charge(ANN, MUCH + 40)
        assert (await ours.submit(Project(b"steps 0.01", steps=10), CAT)).latent == b"0 10"
        assert long.last is not None
        held_at = long.last.step
        assert held_at < 20, "it stood still meanwhile"
        assert not long.done
        assert (await long.result()).latent == b"0 100", "it was not begun anew"
        assert ours.stats().restarts == 0


async def test_a_held_request_is_no_hung_worker_and_can_be_cancelled() -> None:
    async with executor(patience=replace(QUICKLY, silence=0.3)) as ours:
        long = ours.enqueue(Project(b"steps 0.02", steps=500), ANN)
        await until(lambda: long.last is not None)
        ours.spending.charge(ANN, MUCH + 40)
        worker = ours._workers[0]
        ours._precedence.answered(WorkItem(Project(b"x"), CAT, None))  # who is there, and asks for nothing just now
        ours._pump()
        assert not worker.going(long.lane)
        await asyncio.sleep(0.45)
        assert ours.stats().restarts == 0
        ours.cancel(long)
        await until(lambda: not worker.items)
        assert ours.stats().restarts == 0


async def test_no_more_than_two_of_a_lane_are_in_a_worker() -> None:
    async with executor() as ours:
        first = ours.enqueue(Project(b"steps 0.02", steps=500), ANN)
        await until(lambda: first.last is not None)
        ours.spending.charge(ANN, 10 * MUCH)
        second = ours.enqueue(Project(b"steps 0.02", steps=500), BEN)
        await until(lambda: second.last is not None)
        ours.spending.charge(BEN, 3 * MUCH)
        third = ours.enqueue(Project(b"steps 0.01", steps=5), CAT)
        await until(lambda: not ours._workers[0].going(first.lane))
        assert third.started is None
        for item in (first, second):
            ours.cancel(item)
        assert await third.result()


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


async def test_a_look_that_takes_long_gives_way_to_one_that_has_not() -> None:
    """Nobody waits for what somebody else's crowd takes, and the crowd is not begun anew."""
    async with executor() as ours:
        crowd = ours.enqueue(FindFaces(b"crowd 0.05 80"), ANN)
        await until(lambda: crowd.worked > LONG_LOOK)
        worker = ours._workers[0]
        other = ours.enqueue(FindFaces(b"crowd 0.01 10"), BEN)
        assert worker.going(crowd.lane) == [other]
        assert (await other.result()).faces
        assert not crowd.done
        assert crowd.worked < LONG_LOOK + 0.5
        before = crowd.worked
        assert (await crowd.result()).faces
        assert crowd.worked > before
        assert ours.stats().restarts == 0


async def test_of_looks_that_take_long_the_first_goes_on_where_there_is_no_room_for_more() -> None:
    clock = Clock()
    precedence = Room(Spending(clock), lambda item: 1.0, clock)
    crowds = [item_of(Someone(9, 100 + number)) for number in range(LOOKS)]
    new, ben = item_of(ANN), item_of(BEN)
    for item in crowds:
        item.worked = LONG_LOOK + 1
    precedence.holds(*crowds)
    assert not any(map(precedence.waits, crowds)), "nobody else looks at anything"
    precedence.holds(*crowds[1:], new)
    assert all(map(precedence.waits, crowds[1:]))
    precedence.holds(*crowds, new)
    assert [precedence.waits(item) for item in crowds] == [False, *[True] * (LOOKS - 1)]
    own = WorkItem(FindFaces(b"y"), crowds[0].owner, None)
    precedence.holds(crowds[0], own)
    assert not precedence.waits(crowds[0]), "one's own next photo waits"
    ben.worked = LONG_LOOK
    precedence.holds(crowds[0], ben)
    assert precedence.waits(crowds[0])
    assert not precedence.waits(ben), "not yet long"
    clock.now = crowds[0].submitted + LATELY + 1
    precedence.holds(crowds[0], ben)
    assert not precedence.waits(crowds[0]), "nobody is held for ever"


async def test_work_that_is_under_way_counts_as_had() -> None:
    clock = Clock()
    precedence = Room(Spending(clock), lambda item: 1.0, clock)
    ann, ben = WorkItem(Project(b"x"), ANN, None), item_of(BEN)
    ann.worked = MUCH + 1
    precedence.holds(ann, ben)
    assert precedence.waits(ann)
    assert not precedence.waits(ben)


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
