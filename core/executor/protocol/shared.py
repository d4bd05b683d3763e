"""Sends bytes that several requests share, such as a photo, to a worker only once.

The bot's side numbers the bytes that it has sent (`Sent`), and the worker keeps them by that number (`Held`). Messages arrive
in order and only the bot decides what is dropped, so both sides always agree; a restarted worker begins empty. The bytes are
only in memory, within the two bounds below, and until `Executor.forget` is called with them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from itertools import count
from typing import Any, Final

from core.executor.kinds import Request, kind_of
from core.executor.protocol.link import BadFrame

LARGEST: Final = 64 << 20  # bytes that a worker holds: a few photos of the largest size that is taken
MOST: Final = 16  # pieces that a worker holds: it has at most a batch and two long requests in work, others wait unsent


class Sent:
    """The bot's record of the bytes that a worker holds since its start."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[int, bytes] = OrderedDict()  # by number, the one that was used last at the end
        self._numbers = count(1)

    def prepare(self, request: Request) -> tuple[Request, int]:
        """Return the request as it must be sent, and the number of its shared bytes, 0 if it has none.

        Bytes that the worker holds are left out. They are recognised as the same object, so nothing is hashed.
        """
        name = kind_of(request).shared
        data = getattr(request, name) if name else b""
        if not data or len(data) > LARGEST:
            return request, 0
        for number, piece in self._pieces.items():
            if piece is data:
                self._pieces.move_to_end(number)
                return _with(request, name, b""), number
        number = next(self._numbers)
        self._pieces[number] = data
        return request, number

    def drop(self, data: bytes) -> tuple[int, ...]:
        """Remove these bytes, by identity, from the record, and return the numbers under which the worker has them to drop."""
        return self._without([number for number, piece in self._pieces.items() if piece is data])

    def surplus(self) -> tuple[int, ...]:
        """Remove what exceeds the bounds, the longest unused first; return the numbers under which the worker has it to drop."""
        gone: list[int] = []
        size = sum(map(len, self._pieces.values()))
        for number, piece in self._pieces.items():
            if size <= LARGEST and len(self._pieces) - len(gone) <= MOST:
                break
            gone.append(number)
            size -= len(piece)
        return self._without(gone)

    def _without(self, numbers: list[int]) -> tuple[int, ...]:
        for number in numbers:
            del self._pieces[number]
        return tuple(numbers)


class Held:
    """The shared bytes in the worker, for further requests."""

    def __init__(self) -> None:
        self._pieces: dict[int, bytes] = {}

    def complete(self, request: Request, number: int) -> Request:
        """Return the request with its shared bytes in place, and keep new ones. Raises BadFrame if they were never sent."""
        name = kind_of(request).shared
        if not number or not name:
            return request
        if data := getattr(request, name):
            self._pieces[number] = data
            return request
        if number not in self._pieces:
            raise BadFrame("a request names bytes that were not sent")
        return _with(request, name, self._pieces[number])

    def forget(self, numbers: tuple[int, ...]) -> None:
        """Drop the bytes that were sent under these numbers; requests already begun keep theirs until they are done."""
        for number in numbers:
            self._pieces.pop(number, None)


def _with(request: Any, name: str, data: bytes) -> Request:
    changed: Request = replace(request, **{name: data})
    return changed
