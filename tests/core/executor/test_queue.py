"""Fairness of the queue, by itself."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from core.executor.queue import FairQueue
from tests.core.executor.kit import Someone


def drain(queue: FairQueue[str]) -> list[str]:
    return list(iter(queue.pop, None))


def filled(names: list[str], cost: float = 1.0) -> FairQueue[str]:
    """Items named guild-member-number, for example 'a1-0'."""
    queue: FairQueue[str] = FairQueue()
    for name in names:
        queue.push(name, Someone(ord(name[0]), int(name[1])), cost)
    return queue


def test_one_member_is_served_in_order() -> None:
    assert drain(filled(["a1-0", "a1-1", "a1-2"])) == ["a1-0", "a1-1", "a1-2"]


def test_members_of_a_guild_take_turns() -> None:
    assert drain(filled(["a1-0", "a1-1", "a1-2", "a2-0", "a2-1"])) == ["a1-0", "a2-0", "a1-1", "a2-1", "a1-2"]


def test_guilds_take_turns_whatever_the_number_of_their_members() -> None:
    served = drain(filled(["a1-0", "a2-0", "a3-0", "a4-0", "b1-0", "b1-1"]))
    assert served == ["a1-0", "b1-0", "a2-0", "b1-1", "a3-0", "a4-0"]


def test_the_same_number_in_two_guilds_is_two_members() -> None:
    assert drain(filled(["a1-0", "a1-1", "a1-2", "b1-0"]))[:2] == ["a1-0", "b1-0"]


def test_a_burst_delays_a_newcomer_by_one_job() -> None:
    queue = filled([f"a1-{n}" for n in range(50)])
    for _ in range(20):
        queue.pop()
    queue.push("a2-0", Someone(ord("a"), 2), 1.0)
    queue.push("b1-0", Someone(ord("b"), 1), 1.0)
    assert {queue.pop() for _ in range(3)} >= {"a2-0", "b1-0"}


def test_waiting_for_nothing_saves_up_no_credit() -> None:
    queue = filled([f"a1-{n}" for n in range(40)] + ["b1-0"])
    for _ in range(30):
        queue.pop()
    for n in range(1, 8):
        queue.push(f"b1-{n}", Someone(ord("b"), 1), 1.0)
    assert Counter(str(queue.pop())[0] for _ in range(8)) == {"a": 4, "b": 4}


def test_work_is_shared_and_not_the_number_of_jobs() -> None:
    queue: FairQueue[str] = FairQueue()
    for n in range(10):
        queue.push(f"dear {n}", Someone(1, 1), 4.0)
        queue.push(f"cheap {n}", Someone(2, 2), 1.0)
    first = Counter(str(queue.pop()).split()[0] for _ in range(10))
    assert first == {"dear": 2, "cheap": 8}


def test_an_item_put_back_is_next_and_costs_nothing_twice() -> None:
    queue = filled(["a1-0", "a1-1", "b1-0", "b1-1"])
    first = next(queue.order())
    assert first == "a1-0"
    queue.take(first)
    queue.put_back(first, Someone(ord("a"), 1), 1.0)
    assert drain(queue) == ["a1-0", "b1-0", "a1-1", "b1-1"]


def test_removed_items_are_gone_and_cost_nothing() -> None:
    queue = filled(["a1-0", "a1-1", "b1-0"])
    assert queue.remove("a1-0")
    assert not queue.remove("a1-0")
    assert "a1-0" not in queue
    assert drain(queue) == ["a1-1", "b1-0"]


def test_who_is_being_served_does_not_go_before_a_newcomer() -> None:
    queue = filled(["a1-0"])
    assert queue.pop() == "a1-0"
    queue.push("a1-1", Someone(ord("a"), 1), 1.0)
    queue.push("a2-0", Someone(ord("a"), 2), 1.0)
    queue.push("b1-0", Someone(ord("b"), 1), 1.0)
    assert drain(queue) == ["b1-0", "a2-0", "a1-1"]


def test_a_stream_of_newcomers_keeps_nobody_waiting_for_ever() -> None:
    queue = filled([f"{guild}{member}-0" for guild in "abc" for member in range(2)])
    served = []
    for number in range(30):
        queue.push(f"new {number}", Someone(1000 + number, 0), 1.0)
        served.append(queue.pop())
    assert {"a0-0", "a1-0", "b0-0", "b1-0", "c0-0", "c1-0"} <= set(served)
    assert len(queue._guilds) <= len(queue) + 10


def test_nothing_is_kept_of_those_who_have_been_served() -> None:
    queue = filled([f"{guild}{member}-0" for guild in "abcdef" for member in range(5)])
    drain(queue)
    assert len(queue) == 0
    queue.rest()
    assert not queue._guilds
    assert not queue._turns._served


names = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=60)


@settings(deadline=None)
@given(names, st.lists(st.booleans(), max_size=60))
def test_nothing_is_lost_or_served_twice_and_the_forecast_is_kept(who: list[tuple[str, int]], pops: list[bool]) -> None:
    queue: FairQueue[str] = FairQueue()
    served: list[str | None] = []
    for number, (guild, member) in enumerate(who):
        queue.push(f"{guild}{member}-{number}", Someone(ord(guild), member), 1.0)
        if number < len(pops) and pops[number]:
            served.append(queue.pop())
    forecast = list(queue.order())
    assert drain(queue) == forecast
    assert sorted([*map(str, served), *forecast]) == sorted(f"{g}{m}-{n}" for n, (g, m) in enumerate(who))


@settings(deadline=None)
@given(names)
def test_while_both_wait_no_guild_is_ahead_by_more_than_a_job(who: list[tuple[str, int]]) -> None:
    queue = filled([f"{guild}{member}-{number}" for number, (guild, member) in enumerate(who)])
    waiting = Counter(guild for guild, _ in who)
    served: Counter[str] = Counter()
    while (item := queue.pop()) is not None:
        served[item[0]] += 1
        waiting[item[0]] -= 1
        counts = [served[guild] for guild in waiting if waiting[guild] > 0]
        assert not counts or max(counts) - min(counts) <= 1


def test_turns_are_charged_by_what_was_taken_and_not_by_the_estimate() -> None:
    queue = filled(["a1-0", "a1-1", "b1-0", "b1-1", "b1-2"])
    queue.take("a1-0")
    queue.settle("a1-0", 3.0)  # three times what it was thought to be
    for name in ("b1-0", "b1-1", "b1-2"):
        assert next(queue.order()) == name
        queue.take(name)
        queue.settle(name, 0.1)
    for number in range(3, 6):
        queue.push(f"b1-{number}", Someone(ord("b"), 1), 1.0)
    assert drain(queue) == ["b1-3", "b1-4", "a1-1", "b1-5"]


def test_members_of_a_guild_are_charged_by_what_was_taken() -> None:
    queue = filled(["a1-0", "a1-1", "a2-0", "a2-1", "a2-2"])
    queue.take("a1-0")
    queue.settle("a1-0", 2.5)
    assert drain(queue) == ["a2-0", "a2-1", "a2-2", "a1-1"]


def test_who_came_while_a_slow_item_was_served_goes_first() -> None:
    queue = filled(["a1-0"])
    queue.take("a1-0")
    for name in ("a1-1", "b1-0", "b1-1", "b1-2"):
        queue.push(name, Someone(ord(name[0]), 1), 1.0)
    queue.settle("a1-0", 50.0)
    assert drain(queue) == ["b1-0", "b1-1", "b1-2", "a1-1"]


def test_an_item_that_is_settled_twice_or_not_at_all_harms_nobody() -> None:
    queue = filled(["a1-0", "b1-0"])
    queue.take("a1-0")
    queue.settle("b1-0", 9.0)  # waits still
    queue.settle("a1-0", 2.0)
    queue.settle("a1-0", 2.0)
    assert drain(queue) == ["b1-0"]
    queue.rest()
    queue.settle("b1-0", 2.0)
    assert not queue._turns._served


def test_direct_messages_are_nobodys_server() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(4):
        queue.push(f"ann {number}", Someone(None, 1), 1.0)
        queue.push(f"server {number}", Someone(1, 9), 1.0)
    queue.push("ben", Someone(None, 2), 1.0)
    assert [queue.pop() for _ in range(3)] == ["ann 0", "server 0", "ben"]
    assert [queue.pop() for _ in range(2)] == ["ann 1", "server 1"]
