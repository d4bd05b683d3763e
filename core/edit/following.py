"""Follows faces through the frames of an animation, and steadies where they are.

A landmarker that looks at each frame by itself trembles, though the face does not. A point is moved towards the mean of its
neighbours in time by as much as it trembles and no more: so what moves in earnest is followed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.composite.mesh import face_size
from core.faces import Face, Photo, align

TREMBLE: Final = 0.006  # in face sizes: how far a point may be off in a frame, with a face at rest
_KERNEL: Final = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16  # over frames
_SHORT: Final = np.array([1.0, 2.0, 1.0]) / 4  # where there are but two
_JUMP: Final = 0.6  # in face widths: further than this no face moves between two frames
_GROWTH: Final = 1.5  # nor does its width change by more than this factor
_LOOK: Final = 64  # pixels of an aligned face in which a cut is seen
_CUT: Final = 30.0  # levels, on average over such a face: further apart are two takes, or two people


@dataclass(frozen=True, eq=False)
class Track:
    """One face through the frames: where it was found in each, steadied; None where it was not."""

    faces: list[Face | None]
    shots: list[range]  # stretches of frames without a cut within them; together they are all frames


def follow(frames: Sequence[Photo], found: Sequence[Sequence[Face]], face: Face, start: int) -> Track:
    """Follow a face that was chosen in frame `start` to the end; `found` are the faces of each frame."""
    faces: list[Face | None] = [None] * start + [face]
    last, looks, cuts = face, _look(frames[start], face), [0]
    for at in range(start + 1, len(frames)):
        here = min(found[at], key=lambda one: _apart(one, last), default=None)
        if here is None or _apart(here, last) > _JUMP or not 1 / _GROWTH < here.width / last.width < _GROWTH:
            faces.append(None)
            continue
        look = _look(frames[at], here)
        if float(np.abs(look - looks).mean()) > _CUT:
            cuts.append(at)
        faces.append(here)
        last, looks = here, look
    shots = [range(one, other) for one, other in zip(cuts, [*cuts[1:], len(frames)], strict=True)]
    return Track(_steadied(faces, shots), shots)


def smoothed(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Smooth values [T, ...] over time; at both ends they are taken to go on as they came."""
    whole: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    count = min(2, len(whole) - 1)
    if count == 0:
        return whole
    before, after = 2 * whole[0] - whole[count:0:-1], 2 * whole[-1] - whole[-2 : -2 - count : -1]
    padded = np.concatenate([before, whole, after])
    result = np.zeros_like(whole)
    for offset, weight in enumerate(_KERNEL if count == 2 else _SHORT):
        result += weight * padded[offset : offset + len(whole)]
    return result


def _steadied(faces: Sequence[Face | None], shots: Sequence[range]) -> list[Face | None]:
    steady = list(faces)
    for stretch in _stretches(faces, shots):
        seen = [face for face in (faces[at] for at in stretch) if face is not None]
        points = np.stack([face.landmarks.astype(np.float64) for face in seen])
        off = smoothed(points) - points
        most = TREMBLE * np.array([face_size(one) for one in points])[:, None]
        off *= np.minimum(1, most / np.maximum(np.linalg.norm(off, axis=2), 1e-9))[..., None]
        for at, face, where in zip(stretch, seen, points + off, strict=True):
            steady[at] = replace(face, landmarks=where.astype(np.float32))
    return steady


def _stretches(faces: Sequence[Face | None], shots: Sequence[range]) -> list[list[int]]:
    """List the longest rows of frames, each within a shot, in all of which the face is seen."""
    rows: list[list[int]] = []
    for shot in shots:
        going: list[int] = []
        for at in shot:
            if faces[at] is None:
                going = []
                continue
            if not going:
                rows.append(going)
            going.append(at)
    return rows


def _apart(one: Face, other: Face) -> float:
    return float(np.hypot(*(one.centre - other.centre))) / other.width


def _look(frame: Photo, face: Face) -> NDArray[np.float64]:
    """Make a small grey picture [S, S] of a face, without its brightness."""
    image = Image.fromarray(align(frame.pixels, face.landmarks, _LOOK).image).convert("L")
    grey = np.asarray(image, dtype=np.float64)
    grey -= grey.mean()
    return grey
