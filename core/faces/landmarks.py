"""Every face of a photo with MediaPipe's FaceLandmarker: 478 points, 52 blendshapes, head pose.

The landmarker's own detector looks at the whole picture on 128 pixels, so a face narrower than about a tenth of the
picture is lost. Overlapping windows, each half as large as the last, find those; every find is then measured again in
a window of its own, which makes the points of small and of large faces equally precise.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from PIL import Image

from core.errors import FaceTooSmall, FaceTurnedAway, NoFace
from core.settings import Settings
from core.weights.cache import weight_path

MIN_FACE = 48  # pixels between the cheeks; below, the generator would have to invent the person
MAX_YAW = 45.0  # degrees; beyond, FFHQ has next to no faces and the far eye is hidden
MAX_FACES = 40  # of one photo
_WINDOW = 512  # pixels of the window in which a face is measured; the network itself looks at 256
_SHARE = 0.12  # of a window's side: narrower faces are looked for in smaller windows
_PASSER_BY = 5  # faces this many times smaller than the largest one are not looked for
_CHEEK_LEFT, _CHEEK_RIGHT = 234, 454


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a photo."""

    index: int  # 0 is the leftmost
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 around all points, in photo pixels
    landmarks: np.ndarray  # float32 [478, 2], photo pixels
    blendshapes: dict[str, float]  # 52 names such as mouthSmileLeft, 0..1
    pose: tuple[float, float, float]  # yaw, pitch, roll in degrees: to the picture's right, upwards, clockwise

    @property
    def width(self) -> float:
        """Pixels between the cheeks."""
        return float(np.hypot(*(self.landmarks[_CHEEK_RIGHT] - self.landmarks[_CHEEK_LEFT])))

    @property
    def centre(self) -> np.ndarray:
        """Middle of the box, float [2]."""
        return np.array([self.box[0] + self.box[2], self.box[1] + self.box[3]]) / 2


class FaceFinder:
    """Holds one landmarker. Use from one thread; close it, or use it in a `with`."""

    def __init__(self, settings: Settings) -> None:
        model = weight_path(settings, "landmarks")
        with _silent():
            self._mp, self._landmarker = _landmarker(str(model))
        self._close = weakref.finalize(self, _close, self._landmarker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the native model."""
        self._close()

    def find(self, pixels: np.ndarray) -> list[Face]:
        """Faces of uint8 [H, W, 3], left to right; empty where there is none."""
        found: list[Face] = []
        for window in _windows(*pixels.shape[:2]):
            # nobody means the passers-by behind a portrait, and looking for them costs seconds on a large photo
            least = max(MIN_FACE, max((face.width for face in found), default=0.0) / _PASSER_BY)
            if found and (window[2] - window[0]) * _SHARE * 2 < least:
                break
            for rough in self._detect(pixels, window):
                if len(found) < MAX_FACES and not any(_same(rough, known) for known in found):
                    face = self._measure(pixels, rough)
                    if face is not None and not any(_same(face, known) for known in found):
                        found.append(face)
        found.sort(key=lambda face: float(face.centre[0]))
        return [replace(face, index=index) for index, face in enumerate(found)]

    def require(self, pixels: np.ndarray) -> list[Face]:
        """The faces that an edit can use, numbered left to right.

        Raises NoFace; FaceTooSmall or FaceTurnedAway where faces were found but none is usable.
        """
        found = self.find(pixels)
        if not found:
            raise NoFace()
        large = [face for face in found if face.width >= MIN_FACE]
        if not large:
            raise FaceTooSmall(pixels=round(max(face.width for face in found)), limit=MIN_FACE)
        usable = [face for face in large if abs(face.pose[0]) <= MAX_YAW]
        if not usable:
            raise FaceTurnedAway(degrees=round(min(abs(face.pose[0]) for face in large)), limit=round(MAX_YAW))
        return [replace(face, index=index) for index, face in enumerate(usable)]

    def _detect(self, pixels: np.ndarray, window: tuple[int, int, int, int]) -> list[Face]:
        """Faces that the landmarker sees in the window x0, y0, x1, y1, in photo coordinates."""
        x0, y0, x1, y1 = window
        part = pixels[y0:y1, x0:x1]
        scale = max(1.0, max(part.shape[:2]) / (2 * _WINDOW))
        if scale > 1:
            size = (max(1, round(part.shape[1] / scale)), max(1, round(part.shape[0] / scale)))
            part = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        image = self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(part))
        result = self._landmarker.detect(image)
        size_of, corner = np.array([x1 - x0, y1 - y0], dtype=np.float32), np.array([x0, y0], dtype=np.float32)
        faces = []
        for points, shapes, matrix in zip(
            result.face_landmarks, result.face_blendshapes, result.facial_transformation_matrixes, strict=True
        ):
            landmarks = np.array([[p.x, p.y] for p in points], dtype=np.float32) * size_of + corner
            box = (*landmarks.min(axis=0).tolist(), *landmarks.max(axis=0).tolist())
            blendshapes = {shape.category_name: float(shape.score) for shape in shapes}
            faces.append(Face(0, box, landmarks, blendshapes, _pose(np.asarray(matrix))))
        return faces

    def _measure(self, pixels: np.ndarray, rough: Face) -> Face | None:
        """The face again in a window made for it; None where a second look finds none, which drops false finds."""
        height, width = pixels.shape[:2]
        half = max(rough.box[2] - rough.box[0], rough.box[3] - rough.box[1])
        low = np.maximum(np.floor(rough.centre - half), 0).astype(int)
        high = np.minimum(np.ceil(rough.centre + half), [width, height]).astype(int)
        if (high - low).min() < 8:
            return None
        seen = self._detect(pixels, (int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        return min(seen, key=lambda face: float(np.hypot(*(face.centre - rough.centre))), default=None)


def _windows(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """The whole picture, then ever smaller overlapping squares while they can hold a face of MIN_FACE pixels."""
    yield 0, 0, width, height
    side = max(height, width) // 2
    while side * _SHARE * 2 >= MIN_FACE and side >= _WINDOW // 2:
        for y in _starts(height, side):
            for x in _starts(width, side):
                yield x, y, min(x + side, width), min(y + side, height)
        side //= 2


def _starts(length: int, side: int) -> list[int]:
    """Evenly spaced starts of windows that overlap by about half and reach both ends."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return [int(start) for start in np.linspace(0, length - side, count).round()]


def _same(a: Face, b: Face) -> bool:
    """Two finds of one face: the centre of either lies well within the other."""
    gap = float(np.hypot(*(a.centre - b.centre)))
    return gap < 0.5 * max(a.box[2] - a.box[0], b.box[2] - b.box[0])


def _pose(matrix: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees from the landmarker's 4x4 transformation (canonical face -> camera, y up)."""
    rotation = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    yaw = np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2]))
    pitch = np.degrees(np.arcsin(np.clip(-rotation[1, 2], -1, 1)))
    roll = np.degrees(np.arctan2(rotation[1, 0], rotation[1, 1]))
    return float(yaw), -float(pitch), -float(roll)


def _close(landmarker: Any) -> None:
    try:
        landmarker.close()
    except RuntimeError:
        # at interpreter exit the library's own thread pool is gone already; the process frees the model, and without a
        # handle its __del__ has nothing left to complain about
        landmarker._handle = None


def _landmarker(model: str) -> tuple[Any, Any]:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model),
        num_faces=MAX_FACES,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    library: Any = mp
    blank = library.Image(image_format=library.ImageFormat.SRGB, data=np.zeros((64, 64, 3), np.uint8))
    landmarker.detect(blank)  # the graph starts, and has its say on stderr, with the first picture
    return library, landmarker


@contextmanager
def _silent() -> Iterator[None]:
    """Send file descriptor 2 nowhere while native code starts: its log has no switch that this build obeys."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
