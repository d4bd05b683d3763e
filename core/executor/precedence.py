"""Gives precedence to members who asked for or had little work lately over one who takes much, across all lanes.

Within a lane the fair queue gives everyone their turn. But lanes share a processor, and a step that was begun must be waited
for: a member who asks for much in every lane would slow everybody down, though never served for long. So such a member's
requests are begun, and continued after each step, only while nobody is there who takes less: half as much, or, against a
member with many unfinished requests, anything less.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final

from core.executor.item import WorkItem
from core.executor.spending import Spending

LATELY: Final = 60.0  # seconds that are looked back on, and the longest that a member is held without an answer
MUCH: Final = 40.0  # seconds of work in them: who asks for one thing after the other hardly gets there, on a slow processor
AT_ONCE: Final = 2  # unfinished requests: somebody who uses one message at a time has no more
LONG: Final = 10.0  # seconds of work, had and asked for: less work, even in many requests, delays nobody
HALF: Final = 0.5  # share of one's own work below which another has precedence: two who take turns must not hold each other
LINGERS: Final = 0.5  # seconds that a member counts as there after an answer: a photo takes three requests, one after the other


class Precedence:
    """The order of precedence among members with unfinished requests. Call `look` before asking questions."""

    def __init__(self, spending: Spending, seconds: Callable[[WorkItem], float], clock: Callable[[], float] = monotonic) -> None:
        """`seconds` estimates the seconds of work that an item takes; `clock` tells seconds."""
        self._spending, self._seconds, self._clock = spending, seconds, clock
        self._unfinished: dict[Hashable, dict[int, WorkItem]] = {}  # of each member, the oldest first
        self._answered: dict[Hashable, float] = {}  # members who were answered lately, and when
        self._takes: dict[Hashable, float] = {}  # results of this round, by member
        self._least: float | None = None  # of all who are there, once it was asked for

    def came(self, item: WorkItem) -> None:
        """Count an item as unfinished, until it has `left`."""
        self._unfinished.setdefault(item.owner.member_id, {})[item.id] = item

    def left(self, item: WorkItem) -> None:
        """Stop counting an item: it is answered or dropped."""
        items = self._unfinished.get(item.owner.member_id, {})
        items.pop(item.id, None)
        if not items:
            self._unfinished.pop(item.owner.member_id, None)

    def answered(self, item: WorkItem) -> None:
        """Note that an item's member got an answer, and may send the next part of their request at once."""
        self._answered.pop(item.owner.member_id, None)
        self._answered[item.owner.member_id] = self._clock()

    def look(self) -> None:
        """Forget the results of the last round; call it before each round of questions."""
        now = self._clock()
        while self._answered and now - next(iter(self._answered.values())) >= LATELY:
            del self._answered[next(iter(self._answered))]
        self._takes.clear()
        self._least = None

    def takes_much(self, item: WorkItem) -> bool:
        """Tell whether an item's member had much work lately, or has many requests unfinished."""
        member = item.owner.member_id
        return self._asks_much(member) or self._spending.of_member(member, LATELY) > MUCH

    def _asks_much(self, member: Hashable) -> bool:
        return len(self._unfinished.get(member, ())) > AT_ONCE and self._of(member) > LONG

    def waits(self, item: WorkItem) -> bool:
        """Tell whether an item must not be begun or continued: its member takes much, and somebody is there who takes less.

        But a member without an answer for `LATELY` seconds continues with the oldest request.
        """
        if not self.takes_much(item):
            return False
        member, now = item.owner.member_id, self._clock()
        since = max(item.submitted, self._answered.get(member, 0.0))
        if now - since > LATELY and item.id == next(iter(self._unfinished[member]), None):
            return False
        if self._least is None:
            just_answered = {one for one, at in self._answered.items() if now - at < LINGERS}
            self._least = min(map(self._of, self._unfinished.keys() | just_answered))
        return self._least < self._of(member) * (1.0 if self._asks_much(member) else HALF)

    def _of(self, member: Hashable) -> float:
        """Compute the seconds of work that a member had in the last `LATELY` seconds, plus those asked for."""
        if member not in self._takes:
            asked = sum(map(self._seconds, self._unfinished.get(member, {}).values()))
            self._takes[member] = self._spending.of_member(member, LATELY) + asked
        return self._takes[member]
