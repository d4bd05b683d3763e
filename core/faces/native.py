"""MediaPipe's two networks behind plain arrays. Only this module knows MediaPipe's classes and silences its log."""

from __future__ import annotations

import atexit
import io
import os
import sys
import threading
import weakref
import zipfile
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.faces.detect import NOTED, Find

_DETECTOR = "face_detector.tflite"  # in the landmarker's bundle: BlazeFace, short range
_FACES = 3  # that the landmarker looks for in a window of one; beside it there may be others
# Networks whose owner was forgotten instead of closed. The garbage collector may run at any line, also inside the very
# lock that MediaPipe's close() takes, and would then wait for itself: so it only puts them here, and the next one to
# start closes them. (weakref.finalize does the same for those still alive at exit, before _close_all.)
_ABANDONED: deque[tuple[Any, Any]] = deque()
# What a process says once, with the first picture whose copy for the network lies so: mostly the blank one that starts the
# graphs, but where memory happens to be aligned then it is some later picture.
_UNALIGNED = b"Input tensor memory is not aligned"
_unaligned_was_said = threading.Event()
_STDERR = threading.RLock()  # who has redirected it
_RIGHT_EYE, _LEFT_EYE = 0, 1  # of the detector's six points; the person's own right


@dataclass(frozen=True, eq=False)
class RawFace:
    """The landmarker's measurements of one face."""

    landmarks: NDArray[np.float64]  # [478, 2], pixels of the picture it was given
    blendshapes: dict[str, float]  # 52 names, 0..1
    transformation: NDArray[np.float64]  # [4, 4]: canonical face -> camera; x to the right, y up, z to the viewer


def media_pipe() -> Any:
    """Import MediaPipe, late because of its hundred megabytes, and without Matplotlib, which takes longer than all the rest.

    MediaPipe imports that for the sake of one function that plots landmarks in space, which nobody here calls.
    """
    plots = ("matplotlib", "matplotlib.pyplot")
    absent = () if "mediapipe" in sys.modules else tuple(name for name in plots if name not in sys.modules)
    sys.modules.update((name, ModuleType(name)) for name in absent)
    try:
        import mediapipe

        return mediapipe
    finally:
        for name in absent:  # who does plot gets the real one
            del sys.modules[name]


class Native:
    """Detector and landmarker from one bundle of bytes. Threads take turns; `close` frees them."""

    def __init__(self, bundle: bytes) -> None:
        self._mp, self._turn = media_pipe(), threading.Lock()
        while _ABANDONED:
            _close(*_ABANDONED.popleft())
        with _silent():
            self._detector = _detector(bundle)
            self._landmarker = _landmarker(bundle)
            blank = np.zeros((64, 64, 3), np.uint8)
            self.detect(blank)  # the graphs start, and have their say on stderr, with the first picture
            self.landmarks(blank)
        self._end = weakref.finalize(self, _ABANDONED.append, (self._detector, self._landmarker))

    def close(self) -> None:
        """Free both networks; a second call does nothing."""
        if self._end.detach():
            _close(self._detector, self._landmarker)

    def detect(self, pixels: NDArray[np.uint8]) -> list[Find]:
        """Find faces in uint8 [H, W, 3] of any size; the network sees it at 128 pixels."""
        finds = []
        extent = np.array([pixels.shape[1], pixels.shape[0]], dtype=np.float64)
        with self._turn, _quiet():
            detections = self._detector.detect(self._image(pixels)).detections
        for detection in detections:
            box, points = detection.bounding_box, detection.keypoints
            centre = np.array([box.origin_x + box.width / 2, box.origin_y + box.height / 2])
            eyes = np.array([[points[i].x, points[i].y] for i in (_RIGHT_EYE, _LEFT_EYE)]) * extent
            line = eyes[1] - eyes[0]
            length = float(np.hypot(*line))
            if length > 0 and box.width > 0:
                finds.append(Find(centre, line / length * box.width / 2, float(detection.categories[0].score)))
        return finds

    def landmarks(self, pixels: NDArray[np.uint8]) -> list[RawFace]:
        """Measure the faces, at most three, in a window uint8 [H, W, 3] around one face."""
        with self._turn, _quiet():
            result = self._landmarker.detect(self._image(pixels))
        extent = np.array([pixels.shape[1], pixels.shape[0]], dtype=np.float64)
        found = zip(result.face_landmarks, result.face_blendshapes, result.facial_transformation_matrixes, strict=True)
        return [
            RawFace(
                np.array([[point.x, point.y] for point in points]) * extent,
                {shape.category_name: float(shape.score) for shape in shapes},
                np.asarray(matrix, dtype=np.float64),
            )
            for points, shapes, matrix in found
        ]

    def _image(self, pixels: NDArray[np.uint8]) -> Any:
        return self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))


@atexit.register
def _close_all() -> None:
    while _ABANDONED:
        _close(*_ABANDONED.popleft())


def _detector(bundle: bytes) -> Any:
    tasks = media_pipe().tasks
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        model = archive.read(_DETECTOR)
    base = tasks.BaseOptions(model_asset_buffer=model)
    options = tasks.vision.FaceDetectorOptions(base_options=base, min_detection_confidence=NOTED)
    return tasks.vision.FaceDetector.create_from_options(options)


def _landmarker(bundle: bytes) -> Any:
    tasks = media_pipe().tasks
    options = tasks.vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=bundle),
        num_faces=_FACES,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    return tasks.vision.FaceLandmarker.create_from_options(options)


def _close(*tasks: Any) -> None:
    for task in tasks:
        try:
            with _silent():
                task.close()
        except RuntimeError:
            # at interpreter exit the library's own thread pool is gone already; the process frees the model, and
            # without a handle its __del__ has nothing left to complain about
            task._handle = None


def _quiet() -> AbstractContextManager[None]:
    """Silence one picture, until its one complaint was made: from then on a crash's last words reach stderr."""
    return nullcontext() if _unaligned_was_said.is_set() else _silent()


@contextmanager
def _silent() -> Iterator[None]:
    """Discard what is written to file descriptor 2 inside the block: MediaPipe's log can't be switched off in this build."""
    with _STDERR:
        saved = os.dup(2)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)  # who writes more than a pipe holds loses it, and does not wait
        try:
            os.dup2(writing, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(writing)
            with os.fdopen(reading, "rb") as said:
                if _UNALIGNED in (said.read() or b""):
                    _unaligned_was_said.set()
