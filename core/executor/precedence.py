"""Lets members who have had little of the workers lately go before one who has had much, in all lanes together.

Within a lane the fair queue sees to it that everyone has their turn. But lanes share a processor, and a step that was begun
is waited for: a member who asks for all there is, in every lane, would slow everybody down though it is never their turn for
long. So what such a member asks for is begun only while nobody is there who has had less than half as much.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from time import monotonic
from typing import Final

from core.executor.item import WorkItem
from core.executor.spending import Spending

LATELY: Final = 60.0  # seconds that are looked back on: nobody is held for longer than that
MUCH: Final = 40.0  # seconds of work in them: who asks for one thing after the other hardly gets there, on a slow processor
LINGERS: Final = 0.5  # seconds that a member counts as there after an answer: a photo takes three requests, one after the other


class Precedence:
    """Who goes first, of the members with something unfinished. `look` before the questions are asked."""

    def __init__(self, spending: Spending, clock: Callable[[], float] = monotonic) -> None:
        self._spending, self._clock = spending, clock
        self._left: dict[Hashable, float] = {}  # members who were answered just now, and when
        self._items: Collection[WorkItem] = ()
        self._had: dict[Hashable, float] = {}  # in the last `LATELY` seconds, of those who were asked about
        self._least: float | None = None  # of all who are there, once it was asked for

    def answered(self, item: WorkItem) -> None:
        """A member was given an answer, and may ask for the next part of their request at once."""
        self._left[item.owner.member_id] = self._clock()

    def look(self, items: Collection[WorkItem]) -> None:
        """Note who is there: these are all unfinished items."""
        now = self._clock()
        self._left = {member: at for member, at in self._left.items() if now - at < LINGERS}
        self._items, self._least = items, None
        self._had.clear()

    def had_much(self, item: WorkItem) -> bool:
        """Whether its member has had much lately."""
        return self._of(item.owner.member_id) > MUCH

    def waits(self, item: WorkItem) -> bool:
        """Whether it is not to be begun, or gone on with, for now: its member has had much, and somebody is there who has not."""
        if not self.had_much(item):
            return False
        if self._least is None:
            members = {one.owner.member_id for one in self._items} | self._left.keys()
            self._least = min(map(self._of, members))
        return self._least < self._of(item.owner.member_id) / 2

    def gives_way(self, item: WorkItem, other: WorkItem) -> bool:
        """Whether what is being done of one member is to be left for something of another, who has had less than half as much."""
        return self.had_much(item) and self._of(other.owner.member_id) < self._of(item.owner.member_id) / 2

    def _of(self, member: Hashable) -> float:
        if member not in self._had:
            self._had[member] = self._spending.of_member(member, LATELY)
        return self._had[member]
