"""Who is let in and who is refused: full queues, shares of members and servers, bytes, waits."""

from __future__ import annotations

import pytest

from core.errors import OwnShareFull, QueueFull, ServerShareFull, WaitTooLong
from core.executor import Capacity, FindFaces, Project
from tests.core.executor.kit import ANN, BEN, CAT, Someone, executor


async def test_who_comes_to_a_full_queue_is_told_why_and_when_to_come_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    capacity = Capacity(waiting=4, per_member=3, per_guild=4)
    async with executor(capacity=capacity) as ours:
        hold = ours.enqueue(Project(b"steps 0.05", steps=100), Someone(9, 9))
        taken = [ours.enqueue(Project(b"steps 0.05", steps=100), ANN) for _ in range(2)]
        with pytest.raises(OwnShareFull) as mine:  # two wait and two are free
            ours.enqueue(FindFaces(b"x"), ANN)
        with pytest.raises(ServerShareFull):  # of the same server
            ours.enqueue(Project(b"steps 0.05", steps=100), BEN)
        taken += [ours.enqueue(Project(b"steps 0.05", steps=100), Someone(3, 4 + n)) for n in range(1)]
        taken += [ours.enqueue(Project(b"steps 0.05", steps=100), Someone(10 + n, 10 + n)) for n in range(5)]
        with pytest.raises(QueueFull) as everybodys:  # eight have nothing else, and as many may wait
            ours.enqueue(Project(b"steps 0.05", steps=100), Someone(3, 40))
        assert type(everybodys.value) is ServerShareFull
        with pytest.raises(QueueFull) as everybodys:
            ours.enqueue(Project(b"steps 0.05", steps=100), Someone(4, 50))
        assert type(everybodys.value) is QueueFull
        seconds = mine.value.facts["seconds"]
        assert isinstance(seconds, int | float)
        assert 1 <= seconds <= 20
        assert ours.stats().refused == 4
        assert caplog.text.count("is refused") == 4
        assert all(f"is refused: {code} (" in caplog.text for code in ("OwnShareFull", "ServerShareFull", "QueueFull"))
        assert all(ours.cancel(item) for item in (*taken, hold))
        await ours.submit(FindFaces(b"x"), ANN)


async def test_no_member_and_no_server_has_more_than_its_own_number_unfinished() -> None:
    async with executor(capacity=Capacity(per_member=2, per_guild=3)) as ours:
        everywhere = [ours.enqueue(Project(b"steps 0.05", steps=100), Someone(place, 1)) for place in (1, None)]
        with pytest.raises(OwnShareFull):
            ours.enqueue(FindFaces(b"x"), Someone(2, 1))
        here = [ours.enqueue(Project(b"steps 0.05", steps=100), Someone(1, 2 + n)) for n in range(2)]
        with pytest.raises(ServerShareFull):
            ours.enqueue(FindFaces(b"x"), Someone(1, 9))
        direct = [ours.enqueue(Project(b"steps 0.05", steps=100), Someone(None, 20 + n)) for n in range(5)]
        assert all(ours.cancel(item) for item in (*everywhere, *here, *direct))


@pytest.mark.parametrize("servers", [(1,), (1, 2, 3), (None, 1)], ids=str)
async def test_who_has_nothing_waiting_gets_in_whatever_one_member_has_sent(servers: tuple[int | None, ...]) -> None:
    """Twenty-five photos as large as may be, from as many servers as there are: others still find room."""
    capacity = Capacity(bytes=1000, waiting=40, per_member=100)
    async with executor(capacity=capacity) as ours:
        taken = [ours.enqueue(Project(b"steps 0.05" + b" " * 40, steps=100), Someone(servers[0], 666))]
        refused: list[QueueFull] = []
        for number in range(25):
            try:
                request = Project(b"steps 0.05" + b" " * 40, steps=100)
                taken.append(ours.enqueue(request, Someone(servers[number % len(servers)], 666)))
            except QueueFull as error:
                refused.append(error)
        assert {type(error) for error in refused} == {OwnShareFull}
        assert sum(item.size for item in taken) <= 500  # half of what there is
        others = [ours.enqueue(Project(b"steps 0.05" + b" " * 200, steps=100), Someone(99 + n, n)) for n in range(3)]
        others.append(ours.enqueue(FindFaces(b"x" * 600), Someone(None, 7)))
        assert all(ours.cancel(item) for item in (*taken, *others))


async def test_a_member_with_many_small_requests_leaves_places_to_others() -> None:
    async with executor(capacity=Capacity(waiting=20, per_member=100, per_guild=100)) as ours:
        taken = [ours.enqueue(Project(b"steps 0.05", steps=100), ANN)]
        taken += [ours.enqueue(Project(b"steps 0.05", steps=100), ANN) for _ in range(10)]
        with pytest.raises(OwnShareFull):
            ours.enqueue(Project(b"steps 0.05", steps=100), ANN)
        others = [ours.enqueue(Project(b"steps 0.05", steps=100), Someone(50 + n, 50 + n)) for n in range(12)]
        assert all(ours.cancel(item) for item in (*taken, *others))


async def test_too_many_bytes_and_too_long_a_wait_are_refused() -> None:
    async with executor(capacity=Capacity(bytes=1000)) as ours:
        first = ours.enqueue(Project(b"steps 0.01" + b" " * 700, steps=100), ANN)
        second = ours.enqueue(Project(b"steps 0.01" + b" " * 700, steps=100), CAT)  # has nothing else
        with pytest.raises(OwnShareFull):
            ours.enqueue(FindFaces(b"x" * 400), CAT)
        with pytest.raises(QueueFull) as everybodys:
            ours.enqueue(FindFaces(b"x" * 700), Someone(3, 4))
        assert type(everybodys.value) is QueueFull
        with pytest.raises(WaitTooLong):
            ours.enqueue(Project(b"steps 0.01", steps=100), Someone(3, 4), longest_wait=0.5)
        assert ours.stats().waiting["long"] == 1
        third = ours.enqueue(Project(b"steps 0.01", steps=100), Someone(3, 4), longest_wait=1000)
        assert all(ours.cancel(item) for item in (first, second, third))
