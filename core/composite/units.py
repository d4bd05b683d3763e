"""How muscles move the photo's own face, whatever was drawn: fields of motion over the mesh, in pixels of the photo.

The names are those of the Facial Action Coding System (Ekman and Friesen 1978), which tells what each muscle does to brows,
lids, nose and lips. A generator that draws an expression poorly needs not draw it: the photo's own skin, lashes and lips move.
Amounts were chosen by eye; 1 is clearly to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.composite.mesh import (
    BROW_ROWS,
    COUNT,
    EYES,
    LIPS_INSIDE,
    LIPS_OUTSIDE,
    ON_BROWS,
    ON_EYES,
    ON_LIPS,
    OVAL,
    Points,
    downwards,
    face_size,
    smooth,
)
from core.expressions import Unit

Field = NDArray[np.float64]  # [468, 2]

_ROUNDS = 12  # of smoothing, over which the skin between gives way
_LIFTED = np.array([0.026, 0.028, 0.027, 0.023, 0.015])  # in face sizes, from the inner end of a brow to the outer
_APART = np.array([0.005, 0.004, 0.002, 0.0, 0.0])
_NARROWED, _LOWERED = 0.3, 0.08  # shares of an eye's opening that its lower lid takes in a smile of the eyes, and its upper one
_NARROW = 0.12, 0.28  # opening over width, of an eye that gives up nothing of it, and of one that gives up all that
_CHEEKS = ((50, 101, 118, 117, 119), (280, 330, 347, 346, 348))  # where a cheek rises under them
_CHEEKS_RISE = 0.02  # in face sizes, as are the following but those of lids
_INNER, _OUTER = 0.03, 0.03  # that the ends of a brow rise
_FROWN, _TOGETHER = 0.025, 0.014  # that a brow's inner end sinks, and goes to the middle
_WIDER = 0.22  # share of an eye's opening that its upper lid rises
_WIDE = 0.34, 0.5  # opening over width from which an eye opens less, and from which it opens no further
_WINGS = ((48, 64, 98, 129, 49, 102, 219, 240, 235, 59, 166), (278, 294, 327, 358, 279, 331, 439, 460, 455, 289, 392))
_BESIDE_WINGS = ((50, 101, 36, 205, 203, 206, 216), (280, 330, 266, 425, 423, 426, 436))  # where the fold to the mouth begins
_TIP = (4, 1, 2, 94, 19, 5)
_WINGS_RISE, _WINGS_APART, _BESIDE_RISE, _TIP_RISE = 0.024, 0.006, 0.022, 0.007
_LIP_RISES = 0.022, 0.012, 0.012, 0.006  # the upper lip's outer and inner edge, the lower one's inner and outer
_LONGER, _SAGS = 0.03, 0.014  # that a stretched corner of the mouth goes outwards, and down
_CORNERS_FALL = 0.02
_JAW = 0.7  # share of a gap between the lips that the lower one closes, with the jaw
_OUTSIDE = 0.85  # share of that which the lips' outer edges take
_GAPE = 0.09, 0.12  # gap from which lips come together by less, and from which not at all: the chin would not follow


class _Motion:
    """A field that is being put together: points that were placed, or held where they are, stay so when it is smoothed."""

    def __init__(self, photo: Points, *held: tuple[int, ...]) -> None:
        self.photo, self.size, self.down = photo, face_size(photo), downwards(photo)
        self.field, self.placed = np.zeros((COUNT, 2)), np.zeros(COUNT, dtype=bool)
        self.placed[[i for row in (OVAL, *held) for i in row]] = True

    def move(self, points: tuple[int, ...], by: Field) -> None:
        """Move points by face sizes [2] or [N, 2]."""
        self.field[list(points)] += self.size * by
        self.placed[list(points)] = True

    def smoothed(self) -> Field:
        return smooth(self.field, self.placed, _ROUNDS)


class Muscles:
    """The muscles of one face, by its points [468, 2] in the photo. What each does is computed once."""

    def __init__(self, photo: Points) -> None:
        self._photo = photo
        self._known: dict[Unit, Field] = {}

    def moved(self, units: Mapping[Unit, float]) -> Field:
        """Add up the motion of the units, each times its amount: [468, 2] in pixels."""
        total = np.zeros((COUNT, 2))
        for unit, amount in units.items():
            if unit not in self._known:
                self._known[unit] = _UNITS[unit](self._photo)
            total += amount * self._known[unit]
        return total

    @cached_property
    def lifted(self) -> Field:
        """The motion [468, 2], in pixels, that undoes a deep frown."""
        return _lifted(self._photo)

    @cached_property
    def rising(self) -> Field:
        """The motion [468, 2], in pixels, that makes the eyes smile."""
        return _rising(self._photo)


def _lifted(photo: Points) -> Field:
    """Compute the motion [468, 2], in pixels, that raises brows lowered in a deep frown.

    Both ends of a brow rise: raised inner ends alone would look worried. Eyes and the oval stay where they are, and the
    skin between gives way.
    """
    made = _Motion(photo, ON_EYES)
    for rows in BROW_ROWS:
        outwards = _along(photo, rows[0][0], rows[0][-1])
        for row in rows:
            made.move(row, np.outer(_LIFTED, -made.down) + np.outer(_APART, outwards))
    return made.smoothed()


def _rising(photo: Points) -> Field:
    """Compute the motion [468, 2], in pixels, that makes the eyes smile: lower lids rise, and the cheeks below push them up.

    An eye gives up a share of its own opening, and a narrow one less of it. The mouth, the brows and the oval stay.
    """
    made = _Motion(photo, ON_LIPS, ON_BROWS, ON_EYES)
    for above, below in EYES:
        opening = photo[list(above)] - photo[list(below)]
        opening *= np.clip((_opened(photo, above, below) - _NARROW[0]) / (_NARROW[1] - _NARROW[0]), 0, 1)
        made.field[list(below)] = _NARROWED * opening
        made.field[list(above[1:-1])] = -_LOWERED * opening[1:-1]
    for cheek in _CHEEKS:
        made.field[list(cheek)] = -_CHEEKS_RISE * made.size * made.down
        made.placed[list(cheek)] = True
    return made.smoothed()


def lips_together(points: Points, share: float) -> Field:
    """Compute the motion [468, 2], in pixels, that closes the gap between the lips by a share of it, 0..1.

    `points` [468, 2] are the face's. Lips far apart stay so.
    """
    made = _Motion(points, ON_EYES, ON_BROWS, _TIP, *_WINGS)
    above, below = (points[list(row)] for row in LIPS_INSIDE)
    gap = np.maximum((below - above) @ made.down, 0) / made.size
    by = share * np.clip((_GAPE[1] - gap.max()) / (_GAPE[1] - _GAPE[0]), 0, 1) * np.outer(gap, made.down)
    for place, part in enumerate((1 - _JAW, -_JAW)):
        made.move(LIPS_INSIDE[place], part * by)
        made.move(LIPS_OUTSIDE[place], part * _OUTSIDE * by)
    return made.smoothed()


def _brow(rise: Callable[[Field], Field], inwards: float = 0.0) -> Callable[[Points], Field]:
    """Make a unit of the brows: `rise` gives face sizes for places [5] from the inner end, 0, to the outer, 1."""

    def unit(photo: Points) -> Field:
        made, place = _Motion(photo, ON_EYES), np.linspace(0, 1, 5)
        for rows in BROW_ROWS:
            outwards = _along(photo, rows[0][0], rows[0][-1])
            for row in rows:
                made.move(row, np.outer(rise(place), -made.down) - np.outer(inwards * (1 - 0.7 * place), outwards))
        return made.smoothed()

    return unit


def _upper_lid_raiser(photo: Points) -> Field:
    made = _Motion(photo, ON_EYES, ON_BROWS, ON_LIPS)
    for above, below in EYES:
        room = np.clip((_WIDE[1] - _opened(photo, above, below)) / (_WIDE[1] - _WIDE[0]), 0, 1)
        made.field[list(above)] = _WIDER * room * (photo[list(above)] - photo[list(below)])
    return made.smoothed()


def _nose_wrinkler(photo: Points) -> Field:
    made = _Motion(photo, ON_EYES, ON_BROWS, ON_LIPS)
    across = _along(photo, 33, 263)
    for wing, beside, outwards in zip(_WINGS, _BESIDE_WINGS, (-across, across), strict=True):
        made.move(wing, -_WINGS_RISE * made.down + _WINGS_APART * outwards)
        made.move(beside, -_BESIDE_RISE * made.down)
    made.move(_TIP, -_TIP_RISE * made.down)
    return made.smoothed()


def _upper_lip_raiser(photo: Points) -> Field:
    """Raise the upper lip, most on both sides of its middle; the lower one follows a little."""
    made = _Motion(photo, ON_EYES, ON_BROWS, ON_LIPS)
    place = np.linspace(-1, 1, 11)
    within = 1 - place**4
    curled = (1 - 0.9 * place**4) * (0.55 + 0.45 * np.abs(np.sin(np.pi * place))) * (np.abs(place) < 1)
    rows = (LIPS_OUTSIDE[0], LIPS_INSIDE[0], LIPS_INSIDE[1], LIPS_OUTSIDE[1])
    for row, rise, shape in zip(rows, _LIP_RISES, (curled, within, within, within), strict=True):
        made.move(row, np.outer(rise * shape, -made.down))
    return made.smoothed()


def _corners(outwards: float, down: float) -> Callable[[Points], Field]:
    """Make a unit that moves the corners of the mouth by so many face sizes, and what is between them less."""

    def unit(photo: Points) -> Field:
        made, place = _Motion(photo, ON_EYES, ON_BROWS, ON_LIPS), np.linspace(-1, 1, 11)
        across, aside = _along(photo, 61, 291), np.sign(place) * np.abs(place) ** 1.3
        for row in (*LIPS_INSIDE, *LIPS_OUTSIDE):
            made.field[list(row)] = made.size * (np.outer(outwards * aside, across) + np.outer(down * place**2, made.down))
        return made.smoothed()

    return unit


_UNITS: Final[Mapping[Unit, Callable[[Points], Field]]] = {
    "inner-brow-raiser": _brow(lambda place: _INNER * (1 - place) ** 1.5),
    "outer-brow-raiser": _brow(lambda place: _OUTER * place**1.2),
    "brow-lowerer": _brow(lambda place: -_FROWN * (1 - 0.5 * place), _TOGETHER),
    "upper-lid-raiser": _upper_lid_raiser,
    "nose-wrinkler": _nose_wrinkler,
    "upper-lip-raiser": _upper_lip_raiser,
    "lip-corner-depressor": _corners(0.0, _CORNERS_FALL),
    "lip-stretcher": _corners(_LONGER, _SAGS),
}


def lids_apart(points: Points, above: tuple[int, ...], below: tuple[int, ...]) -> float:
    """Compute how far an eye's lids, two rows of `EYES`, are apart over its middle, in pixels; `points` [N, 2] are landmarks."""
    return float(np.linalg.norm(points[list(above[3:6])] - points[list(below[3:6])], axis=1).mean())


def _opened(photo: Points, above: tuple[int, ...], below: tuple[int, ...]) -> float:
    """Compute an eye's opening over its width."""
    return lids_apart(photo, above, below) / float(np.linalg.norm(photo[above[-1]] - photo[above[0]]))


def _along(photo: Points, start: int, end: int) -> Field:
    """Compute the unit vector [2] from one point to another."""
    way: Field = photo[end] - photo[start]
    return way / np.linalg.norm(way)
