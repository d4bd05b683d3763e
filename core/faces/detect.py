"""Finds places where faces may be, at any size and tilt: BlazeFace (short range) over a pyramid of windows.

The detector sees 128 pixels, on which a face of a group photo is a smudge. So it sees the whole photo, then overlapping
windows of a half, a quarter and an eighth of it, and even smaller ones of a long strip. Each find there is checked again,
enlarged, in four rotations. This second look discards smudges, and tells an upside-down face from an upright one: the
detector, trained on selfies, scores upright faces higher (0.9 against 0.7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.faces.colours import STRIP
from core.faces.sampling import cut, square_matrix, through

NOTED = 0.5  # score from which a find is checked again
SURE = 0.9  # score from which an upright face needs no look in other turns
NEEDED = 0.75  # score of a face. Measured: 56 faces of photographs 0.87 to 0.96, pictures without faces up to 0.71
PASSER_BY = 6  # a face this many times narrower than the widest is somebody in the background, not of the photo
MOST = 40  # faces of one photo: the largest posted group had 27, and each further face costs time
MOST_LOOKS = 160  # second looks at one photo: a sheet of almost-faces would take forever
LEVELS = 4  # of the pyramid: faces from about 1/64 of the photo's longer side
_LONG = 2.0  # a photo more than so many times as long as it is wide is a strip, a panorama, a screenshot of a long chat:
_STRIP = 4  # its faces are as wide as its shorter side lets them be, so the finest windows are a quarter of that side,
_FINEST = 400  # pixels of them at least: on narrower faces than these windows show, no edit is made
_VIEW = 256  # pixels of a window as the detector gets it
_GAP = 2.0  # times as many pixels as wanted are averaged at once, before the finer filter
_SHARE = 0.12  # of a window's side: narrower faces are left to the next level
_LOOKS = (1.5, 3.0)  # sides of the windows of the second look, in face widths
_LOOK = 128  # pixels of them: all that the network sees
_QUARTERS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])  # x axis after so many quarters clockwise


@dataclass(frozen=True, eq=False)
class Find:
    """A place, in photo pixels, where a face is or seems to be."""

    centre: NDArray[np.float64]  # [2]
    right: NDArray[np.float64]  # [2]: half the face's width, along the line from its right eye to its left
    score: float  # 0..1

    @property
    def width(self) -> float:
        """The width of the face in pixels, about from cheek to cheek."""
        return 2 * float(np.hypot(*self.right))

    def matrix(self, widths: float, size: int) -> NDArray[np.float64]:
        """Compute the matrix [3, 3] from pixels of an upright square to photo pixels.

        The square is `widths` face widths wide and has `size` pixels a side.
        """
        return square_matrix(self.centre, self.right * widths, size)


Detector = Callable[[NDArray[np.uint8]], list[Find]]  # uint8 [H, W, 3] -> finds in its pixels


def finding(detector: Detector, pixels: NDArray[np.uint8]) -> Iterator[list[Find]]:
    """Find every face of uint8 [H, W, 3] once, widest first, at most `MOST`; passers-by are left out.

    It goes in steps: the finds so far are yielded after each, and all of them last.

    Windows go from large to small, so that in a crowd the narrow faces are those left out.
    """
    faces: list[Find] = []
    nothing: list[Find] = []  # places that a second look has cleared; overlapping windows name them again and again
    looks = 0
    for level, side in enumerate(_sides(*pixels.shape[:2])):
        widest = max((face.width for face in faces), default=0.0)
        if level and (side < _VIEW / 2 or 2 * side * _SHARE < widest / PASSER_BY):
            break  # nothing of use is that small
        seen: list[Find] = []
        for row in _scan(detector, pixels, side):
            seen += row
            yield faces
        for find in sorted(seen, key=lambda find: -find.score):
            if any(same(find, face) for face in faces) or any(_alike(find, other, 0.2, 1.2) for other in nothing):
                continue
            if len(faces) == MOST or looks == MOST_LOOKS:
                break
            looks += 1
            face = look_again(detector, pixels, find)
            if face is None:
                nothing.append(find)
            elif not any(same(face, other) for other in faces):
                faces.append(face)
            yield faces
    faces.sort(key=lambda face: -face.width)
    yield [face for face in faces if face.width * PASSER_BY >= faces[0].width]


def _sides(height: int, width: int) -> list[float]:
    """List the sides of the windows of each level, in photo pixels, from large to small."""
    long, short = max(height, width), min(height, width)
    sides = [long / 2**level for level in range(LEVELS)]
    if long <= _LONG * short:
        return sides
    finest = max(short / _STRIP, float(_FINEST))
    while sides[-1] / 2 > 1.4 * finest:  # the last step may be a little larger than the others
        sides.append(sides[-1] / 2)
    return [*sides, finest] if sides[-1] > finest else sides


def look_again(detector: Detector, pixels: NDArray[np.uint8], find: Find) -> Find | None:
    """Check a find more closely: the face there, placed and scored more precisely; None if there is none."""
    views = []
    for widths in _LOOKS:
        matrix = find.matrix(widths, _LOOK)
        views.append((matrix, cut(pixels, matrix, _LOOK)))
    best = _look(detector, views, find, 0)
    if best is None or best.score < SURE:
        turned = [_look(detector, views, find, turns) for turns in (1, 2, 3)]
        best = max((one for one in (best, *turned) if one is not None), key=lambda one: one.score, default=None)
    return best if best is not None and best.score >= NEEDED else None


def same(a: Find, b: Find) -> bool:
    """Tell whether two finds are of the same face, or of a face and a part of it.

    Centres of two different faces are at least half the wider width apart.
    """
    return _alike(a, b, 0.5, np.inf)


def _alike(a: Find, b: Find, gap: float, ratio: float) -> bool:
    """Tell whether two finds' centres are closer than `gap` times the wider width, and their widths within a factor `ratio`."""
    wider, narrower = max(a.width, b.width), min(a.width, b.width)
    return float(np.hypot(*(a.centre - b.centre))) < gap * wider and wider < ratio * narrower


def _look(detector: Detector, views: list[tuple[NDArray[np.float64], NDArray[np.uint8]]], find: Find, turns: int) -> Find | None:
    """Check a find in views rotated by `turns` quarters clockwise; its score is their mean.

    None if any view has no face there.
    """
    seen: list[Find] = []
    turn = square_matrix(np.full(2, _LOOK / 2), _QUARTERS[turns] * _LOOK / 2, _LOOK)  # turned pixels -> view's pixels
    for matrix, view in views:
        finds = [_moved(one, matrix @ turn) for one in detector(np.rot90(view, turns))]
        here = [one for one in finds if _alike(one, find, 0.5, 1.7)]
        if not here:
            return None
        seen.append(max(here, key=lambda one: one.score))
    return Find(seen[0].centre, seen[0].right, float(np.mean([one.score for one in seen])))


def _scan(detector: Detector, pixels: NDArray[np.uint8], side: float) -> Iterator[list[Find]]:
    """Yield the finds of each row of overlapping windows of `side` photo pixels."""
    height, width = pixels.shape[:2]
    scale = max(1.0, side / _VIEW)
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    small = shrunk(pixels, size)
    to_photo = np.diag([width / size[0], height / size[1], 1.0])
    window = round(side / scale)
    for y in _starts(size[1], window):
        row: list[Find] = []
        for x in _starts(size[0], window):
            shift = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
            row += [_moved(find, to_photo @ shift) for find in detector(small[y : y + window, x : x + window])]
        yield row


def shrunk(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Make uint8 [H, W, 3] smaller, to a size of (width, height), as Pillow does with a reducing gap of `_GAP`, but in strips.

    As a whole it would be held a second time, in four bytes a pixel, beside a photo of the most that may be. Where nothing has to
    be made smaller, the same array is returned.
    """
    height, width = pixels.shape[:2]
    if size == (width, height):
        return pixels
    across, down = (int(had / has / _GAP) or 1 for had, has in zip((width, height), size, strict=True))
    if across > 1 or down > 1:
        parts = (Image.fromarray(pixels[rows]).reduce((across, down)) for rows in _strips(height, width, down))
        reduced = Image.fromarray(np.concatenate([np.asarray(part) for part in parts]))
        return np.asarray(reduced.resize(size, Image.Resampling.BILINEAR, (0, 0, width / across, height / down)))
    small, scale = np.empty((size[1], size[0], 3), np.uint8), height / size[1]
    for rows in _strips(size[1], round(width * scale)):
        top, bottom = max(0, int((rows.start - 2) * scale)), min(height, int((rows.stop + 2) * scale) + 1)
        box = (0, rows.start * scale - top, width, rows.stop * scale - top)
        part = Image.fromarray(pixels[top:bottom])
        small[rows] = np.asarray(part.resize((size[0], rows.stop - rows.start), Image.Resampling.BILINEAR, box))
    return small


def _strips(height: int, width: int, multiple: int = 1) -> Iterator[slice]:
    """Yield slices of rows that cover a picture, each of about `STRIP` pixels and, but for the last, of a multiple of rows."""
    rows = max(1, STRIP // (width * multiple)) * multiple
    yield from (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _starts(length: int, window: int) -> list[int]:
    """List evenly spaced starts of windows that overlap by about half and reach both ends."""
    if length <= window:
        return [0]
    count = int(np.ceil((length - window) / (window / 2))) + 1
    return [int(start) for start in np.linspace(0, length - window, count).round()]


def _moved(find: Find, matrix: NDArray[np.float64]) -> Find:
    """Transform a find by an affine map [3, 3]."""
    return Find(through(matrix, find.centre[None])[0], matrix[:2, :2] @ find.right, find.score)
