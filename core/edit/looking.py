"""Checks a new photo and finds its faces in parts, so that other work can be done in between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from core.errors import LooksYoung
from core.faces import Face, FaceFinder, Photo
from core.gates import ADULT, Gates, Things

PARTS: Final = 4  # colours, faces, the photo's check, the faces' check
_REMEMBERED: Final = 32  # files: a request looks at its photo two or three times, the next press once more


class Judged:
    """A memory of which faces the gates refused in the last few files, by the files' digests."""

    def __init__(self) -> None:
        self._refused: OrderedDict[str, frozenset[int]] = OrderedDict()

    def of(self, name: str) -> frozenset[int] | None:
        """Return the indices of the faces that were refused in a file; None for an unknown file."""
        return self._refused.get(name)

    def note(self, name: str, refused: frozenset[int] = frozenset()) -> None:
        """Remember the indices of a file's refused faces, and forget the oldest file if there are too many."""
        self._refused[name] = refused
        while len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)


class Looking:
    """One check of a photo: iterate over `run`, then read the usable `faces`, left to right."""

    def __init__(
        self, photo: Photo, finder: FaceFinder, gates: tuple[Gates, Things] | None, judged: Judged, *, alone: bool
    ) -> None:
        """Keep the photo to check.

        `gates` are the checks with the function that finds things in front of faces; None checks nothing. With `alone` a
        refused face bars only itself, else the whole photo.
        """
        self.photo = photo
        self.faces: list[Face] = []
        self._finder, self._gates, self._judged, self._alone = finder, gates, judged, alone

    def run(self) -> Iterator[int]:
        """Yield, wherever other work may come in between, how many of the PARTS are done.

        Raises PhotoError: PhotoRefused from the gates, NoFace and the like if no face is usable.
        """
        name, seen = self.photo.sha256, self.photo.srgb
        refused = self._judged.of(name)
        gates, things = (None, None) if refused is not None or self._gates is None else self._gates
        yield 1
        found: list[Face] = []
        with nullcontext() if gates is None else gates.checking(seen) as checking:
            for so_far in self._finder.finding(seen):
                found = so_far
                if checking is not None:
                    checking.meanwhile()
                yield 1
            yield 2
            for _ in () if checking is None else checking.rest():
                yield 2
        yield 3
        if gates is not None:
            young: set[int] = set()
            for one in gates.young(seen, found, things):
                young |= set() if one is None else {one}
                if young and not self._alone:
                    raise LooksYoung(age=ADULT)
                yield 3
            refused = frozenset(young)
            self._judged.note(name, refused)
        yield PARTS
        self.faces = self._usable(found, refused or frozenset())

    def _usable(self, found: list[Face], refused: Collection[int]) -> list[Face]:
        """Return the usable faces, with the refused ones marked.

        Raises NoFace and the like, or LooksYoung if none may be edited.
        """
        if refused and not self._alone:
            raise LooksYoung(age=ADULT)
        usable = self._finder.usable([_standing(face, refused) for face in found] if refused else found)
        if all(face.standing == "barred" for face in usable):
            raise LooksYoung(age=ADULT)
        return usable


def _standing(face: Face, refused: Collection[int]) -> Face:
    """Mark a face as "barred" if the gates refuse it, or else as "beside" one that they refuse."""
    return replace(face, standing="barred" if face.index in refused else "beside")
