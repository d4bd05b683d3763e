"""Measures every face of a photo: 478 landmarks, 52 blendshapes, head pose.

`core.faces.detect` tells where faces are. Here MediaPipe's FaceLandmarker measures each in an upright window of its own, so
that points of small and large, upright and tilted faces are equally precise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import FaceTooSmall, FaceTurnedAway, NoFace
from core.faces.detect import Find, finding
from core.faces.native import Native, RawFace
from core.faces.sampling import cut, through
from core.settings import Settings
from core.weights.cache import weight_bytes

Picture = NDArray[np.uint8]

MIN_FACE = 48  # pixels between the cheeks; below, the generator would have to invent the person
MAX_YAW = 45.0  # degrees; beyond, FFHQ has next to no faces and the far eye is hidden
_WIDTHS = 2.0  # face widths a side of the window in which a face is measured
_WINDOW = 384  # pixels of it: then the landmarker's own 256-pixel input is cut from it at about its own scale
_ALIGNED = 0.504, 0.572, 0.556  # centre and width of an aligned face, shares of the side: means over generated faces
_CHEEK_LEFT, _CHEEK_RIGHT = 234, 454  # left and right in the picture; these four bound the face's oval
_BROW, _CHIN = 10, 152


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a photo."""

    index: int  # 0 is the leftmost
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 around all points, in photo pixels
    landmarks: NDArray[np.float32]  # [478, 2], photo pixels; (0, 0) is the photo's corner
    blendshapes: dict[str, float]  # 52 names such as jawOpen, 0..1
    pose: tuple[float, float, float]  # yaw, pitch, roll in degrees, as the viewer sees them: see `_pose`
    standing: Literal["passed", "beside", "barred"] = "passed"  # with the checks; "beside": they refuse another of the photo

    @property
    def width(self) -> float:
        """Pixels between the cheeks."""
        return float(np.hypot(*(self.landmarks[_CHEEK_RIGHT] - self.landmarks[_CHEEK_LEFT])))

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of the box, [2]."""
        return np.array([self.box[0] + self.box[2], self.box[1] + self.box[3]]) / 2


class FaceFinder:
    """The detector and the landmarker. Use it from one thread; close it, or use it in a `with`."""

    def __init__(self, settings: Settings) -> None:
        """Load the landmarker's bundle from the cache. Raises WeightsMissing, WeightsCorrupt."""
        self._native = Native(weight_bytes(settings, "landmarks"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks."""
        self._native.close()

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces of uint8 [H, W, 3], left to right; an empty list if there are none.

        Faces at most a sixth as wide as the widest (passers-by) are left out.
        """
        return deque(self.finding(pixels), maxlen=1).pop()

    def finding(self, pixels: NDArray[np.uint8]) -> Iterator[list[Face]]:
        """Find as `find` does, and yield wherever it can be left for a while: what is measured so far, and last all faces."""
        assert pixels.dtype == np.uint8, pixels.dtype
        assert pixels.shape[2:] == (3,), pixels.shape
        found: list[Face] = []
        finds: list[Find] = []
        for so_far in finding(self._native.detect, pixels):
            finds = so_far
            yield found
        for find in finds:
            face = self._measure(pixels, find)
            if face is not None and not any(_same(face, other) for other in found):
                found.append(face)
            yield found
        yield _numbered(found)

    def require(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces that an edit can use, numbered left to right. Raises NoFace, FaceTooSmall, FaceTurnedAway."""
        return self.usable(self.find(pixels))

    @staticmethod
    def usable(found: Sequence[Face]) -> list[Face]:
        """Keep the faces that an edit can use, numbered left to right.

        Raises NoFace if there is none at all; FaceTooSmall or FaceTurnedAway if none of them is usable.
        """
        if not found:
            raise NoFace()
        large = [face for face in found if face.width >= MIN_FACE]
        if not large:
            raise FaceTooSmall(pixels=round(max(face.width for face in found)), limit=MIN_FACE)
        usable = [face for face in large if abs(face.pose[0]) <= MAX_YAW]
        if not usable:
            raise FaceTurnedAway(degrees=round(min(abs(face.pose[0]) for face in large)), limit=round(MAX_YAW))
        return _numbered(usable)

    def aligned(self, pixels: NDArray[np.uint8], *, precise: bool = True) -> Face | None:
        """Find the face of a picture uint8 [R, R, 3] aligned as FFHQ does; None if there is none.

        Since its place is known, this takes a third of the time of `find`. If not `precise` it takes a sixth, with points
        within 0.5 % of the side and scores within 0.04.
        """
        side = pixels.shape[0]
        x, y, width = (share * side for share in _ALIGNED)
        there = Find(np.array([x, y]), np.array([width / 2, 0.0]), 1.0)
        face = self._measure(pixels, there) if precise else self._in_window(pixels, there)
        return face if face is not None else max(self.find(pixels), key=lambda one: one.width, default=None)

    def beside(
        self, pixels: Picture, landmarks: NDArray[np.floating[Any]], in_srgb: Callable[[Picture], Picture] = lambda pixels: pixels
    ) -> Face | None:
        """Find the face of uint8 [H, W, 3] at the place of these landmarks [478, 2] of another version; None if there is none.

        Both versions are measured in the same window, so one measurement does: what the window does to the points, it does to
        both. `in_srgb` converts what is cut out, of pixels in other colours.
        """
        return self._in_window(pixels, _around(np.asarray(landmarks, dtype=np.float64)), in_srgb)

    def _measure(self, pixels: NDArray[np.uint8], find: Find) -> Face | None:
        """Measure the face at a find; None if the landmarker sees none, as where the detector was wrong.

        It is measured twice, the second time in a window placed by the first landmarks. That halves the points' dependence on
        the window (corners of the aligned square move by 0.15 % of its side instead of 0.30 %).
        """
        rough = self._in_window(pixels, find)
        return None if rough is None else self._in_window(pixels, _as_find(rough)) or rough

    def _in_window(
        self, pixels: Picture, find: Find, in_srgb: Callable[[Picture], Picture] = lambda pixels: pixels
    ) -> Face | None:
        """Measure the face nearest to the middle of the window around a find; None if the landmarker sees none."""
        matrix = find.matrix(_WIDTHS, _WINDOW)
        seen = self._native.landmarks(in_srgb(cut(pixels, matrix, _WINDOW)))
        middle = np.array([_WINDOW, _WINDOW]) / 2
        raw = min(seen, key=lambda one: float(np.hypot(*(one.landmarks.mean(axis=0) - middle))), default=None)
        return None if raw is None else _face(raw, matrix)


def _as_find(face: Face) -> Find:
    """Convert a measured face to a find, as the detector would place it."""
    points = face.landmarks.astype(np.float64)
    roll = np.radians(face.pose[2])
    right = np.array([np.cos(roll), np.sin(roll)]) * face.width / 2
    return Find(points[[_CHEEK_LEFT, _CHEEK_RIGHT, _BROW, _CHIN]].mean(axis=0), right, 1.0)


def _around(points: NDArray[np.float64]) -> Find:
    """Convert landmarks [478, 2] to a find, tilted as the line between the cheeks is."""
    across = points[_CHEEK_RIGHT] - points[_CHEEK_LEFT]
    return Find(points[[_CHEEK_LEFT, _CHEEK_RIGHT, _BROW, _CHIN]].mean(axis=0), across / 2, 1.0)


def _face(raw: RawFace, matrix: NDArray[np.float64]) -> Face:
    """Convert a face measured in a window to the photo's coordinates. `matrix` [3, 3]: window pixels -> photo pixels."""
    landmarks = through(matrix, raw.landmarks).astype(np.float32)
    x0, y0 = landmarks.min(axis=0).tolist()
    x1, y1 = landmarks.max(axis=0).tolist()
    yaw, pitch, roll = _pose(raw.transformation)
    roll += float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return Face(0, (x0, y0, x1, y1), landmarks, raw.blendshapes, (yaw, pitch, (roll + 180) % 360 - 180))


def _pose(transformation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Compute yaw, pitch and roll, in degrees, from the landmarker's matrix [4, 4].

    The matrix maps a canonical face to the camera (x right, y up, z to the viewer). Positive angles: the nose points to the
    right of the picture; upwards; the head leans clockwise. A mirrored picture has the opposite yaw and roll and the same
    pitch. The rotation is decomposed as roll * yaw * pitch, so that yaw is the angle between the nose and the camera's
    vertical plane.
    """
    rotation = transformation[:3, :3] / np.linalg.norm(transformation[:3, :3], axis=0)
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1, 1))
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return float(np.degrees(yaw)), -float(np.degrees(pitch)), -float(np.degrees(roll))


def _numbered(faces: list[Face]) -> list[Face]:
    """Sort the faces from left to right and set their `index`."""
    ordered = sorted(faces, key=lambda face: (float(face.centre[0]), float(face.centre[1])))
    return [replace(face, index=index) for index, face in enumerate(ordered)]


def _same(a: Face, b: Face) -> bool:
    """Tell whether two measurements are of the same face: their centres are closer than half the wider face's width."""
    return float(np.hypot(*(a.centre - b.centre))) < 0.5 * max(a.width, b.width)
