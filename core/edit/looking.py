"""Looks at a new photo in parts, so that other work can go on in between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from core.errors import LooksYoung
from core.faces import Face, FaceFinder, Photo
from core.gates import ADULT, Gates, Things

PARTS: Final = 4  # colours, the photo's check, faces, their check
_REMEMBERED: Final = 32  # files: a request looks at its photo two or three times, the next press once more


class Judged:
    """What the gates said of the files that they saw last, by digest: they say the same of the same file."""

    def __init__(self) -> None:
        self._refused: OrderedDict[str, frozenset[int]] = OrderedDict()

    def of(self, name: str) -> frozenset[int] | None:
        """Look up the indices of the faces that were refused; None for a file that is not known."""
        return self._refused.get(name)

    def note(self, name: str, refused: frozenset[int] = frozenset()) -> None:
        """Remember the faces that were refused of a file, and forget the file that came first if there are too many."""
        self._refused[name] = refused
        while len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)


class Looking:
    """One look at a photo: iterate `run`, then read the usable `faces`, left to right."""

    def __init__(
        self, photo: Photo, finder: FaceFinder, gates: tuple[Gates, Things] | None, judged: Judged, *, alone: bool
    ) -> None:
        """`gates`: with what marks things before faces; None to check nothing.

        `alone`: a face that they refuse bars itself, else the whole photo.
        """
        self.photo = photo
        self.faces: list[Face] = []
        self._finder, self._gates, self._judged, self._alone = finder, gates, judged, alone

    def run(self) -> Iterator[int]:
        """Yield, wherever it can be left for a while, how many of the PARTS are done.

        Raises PhotoError: PhotoRefused from the gates, NoFace and its kin where no face is usable.
        """
        name, seen = self.photo.sha256, self.photo.srgb
        refused = self._judged.of(name)
        gates, things = (None, None) if refused is not None or self._gates is None else self._gates
        yield 1
        if gates is not None:
            gates.check_photo(seen)
        yield 2
        found = self._finder.find(seen)
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
        """Keep the usable faces, with what bars them. Raises NoFace and its kin, LooksYoung where nothing may be edited."""
        if refused and not self._alone:
            raise LooksYoung(age=ADULT)
        usable = self._finder.usable([_standing(face, refused) for face in found] if refused else found)
        if all(face.standing == "barred" for face in usable):
            raise LooksYoung(age=ADULT)
        return usable


def _standing(face: Face, refused: Collection[int]) -> Face:
    """Note on a face whether it is one of those that the gates refuse, or `beside` one."""
    return replace(face, standing="barred" if face.index in refused else "beside")
