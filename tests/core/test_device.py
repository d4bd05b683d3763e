"""Work that is done for two things at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from core.device import two_at_once


@pytest.fixture(autouse=True)
def _three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_two_are_done_at_once_and_come_in_their_order() -> None:
    both, threads = threading.Barrier(2, timeout=60), set[int]()

    def work(number: int) -> int:
        assert torch.get_num_threads() == 1
        threads.add(threading.get_ident())
        if number < 4:
            both.wait()  # until the other is there
        return number * 10

    assert list(two_at_once(work, range(5))) == [0, 10, 20, 30, 40]
    assert len(threads) == 2
    assert torch.get_num_threads() == 3
    kept: list[int] = []
    for one in two_at_once(work, [4, 5, 6]):
        kept.append(torch.get_num_threads() + one)
    assert kept == [43, 53, 63], "between two results all threads are there"


def test_one_thread_does_all_where_there_is_no_second() -> None:
    torch.set_num_threads(1)
    here = threading.get_ident()
    assert list(two_at_once(lambda _: threading.get_ident(), range(3))) == [here] * 3


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_comes_in_its_place_and_nothing_goes_on_behind_it(bad: int) -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == bad:
            raise ValueError(number)
        done.append(number)
        return number

    results = two_at_once(work, range(4))
    assert [next(results) for _ in range(bad)] == list(range(bad))
    with pytest.raises(ValueError, match=str(bad)):
        next(results)
    assert sorted(done) == [n for n in range(2 * (bad // 2) + 2) if n != bad], "the other of the pair is done, and no more"
    assert torch.get_num_threads() == 3
