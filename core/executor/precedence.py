"""Gives precedence to members who asked for or had little work lately over one who takes much, across all lanes.

Within a lane the fair queue gives everyone their turn. But lanes share a processor, and a step that was begun must be waited
for: a member who asks for much in every lane would slow everybody down, though never served for long. So such a member's
requests are begun, and continued after each step, only while nobody is there who takes less: half as much, or, against a
member with many unfinished requests, anything less.

How many faces a photo shows is not known beforehand. So a first look that takes long gives way to those that took less so far.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final

from core.executor.item import WorkItem
from core.executor.kinds import Lane
from core.executor.spending import Spending
from core.executor.supervisor import LOOKS

LATELY: Final = 60.0  # seconds that are looked back on, and the longest that a member is held without an answer
MUCH: Final = 40.0  # seconds of work in them: who asks for one thing after the other hardly gets there, on a slow processor
AT_ONCE: Final = 2  # unfinished requests: somebody who uses one message at a time has no more
LONG: Final = 10.0  # seconds of work, had and asked for: less work, even in many requests, delays nobody
HALF: Final = 0.5  # share of one's own work below which another has precedence: two who take turns must not hold each other
LONG_LOOK: Final = 2.0  # seconds of work on one photo: few faces take less
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
        under_way = sum(one.worked for one in self._unfinished.get(member, {}).values())
        return self._asks_much(member) or self._spending.of_member(member, LATELY) + under_way > MUCH

    def _asks_much(self, member: Hashable) -> bool:
        return len(self._unfinished.get(member, ())) > AT_ONCE and self._of(member) > LONG

    def waits(self, item: WorkItem) -> bool:
        """Tell whether an item must not be begun or continued: its member takes much, and somebody is there who takes less,
        or it is a look that takes long while another waits.

        But a member without an answer for `LATELY` seconds continues with the oldest request.
        """
        long = self._holds_up_a_look(item)
        if not long and not self.takes_much(item):
            return False
        member, now = item.owner.member_id, self._clock()
        since = max(item.submitted, self._answered.get(member, 0.0))
        if now - since > LATELY and item.id == next(iter(self._unfinished[member]), None):
            return False
        if long:
            return True
        if self._least is None:
            just_answered = {one for one, at in self._answered.items() if now - at < LINGERS}
            self._least = min(map(self._of, self._unfinished.keys() | just_answered))
        return self._least < self._of(member) * (1.0 if self._asks_much(member) else HALF)

    def _holds_up_a_look(self, item: WorkItem) -> bool:
        """Tell whether this is a look that takes long while somebody else's waits which, so far, does not.

        Where a worker has no room for one more, the look that was asked for first is gone on with until there is.
        """
        if item.lane is not Lane.LOOK or item.worked <= LONG_LOOK:
            return False
        looks = [one for items in self._unfinished.values() for one in items.values() if one.lane is Lane.LOOK]
        long = [one.id for one in looks if one.worked > LONG_LOOK]
        if len(long) >= LOOKS and item.id == min(long):
            return False
        others = (one for one in looks if one.owner.member_id != item.owner.member_id)
        return any(one.worked <= LONG_LOOK and not self.waits(one) for one in others)

    def _of(self, member: Hashable) -> float:
        """Compute the seconds of work that a member had in the last `LATELY` seconds, plus those asked for."""
        if member not in self._takes:
            asked = sum(max(self._seconds(item), item.worked) for item in self._unfinished.get(member, {}).values())
            self._takes[member] = self._spending.of_member(member, LATELY) + asked
        return self._takes[member]
