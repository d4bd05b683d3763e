"""Measures whether two pictures show the same person, with dlib's descriptor. Only for measurements; no edit needs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ExtraMissing
from core.settings import Settings
from core.weights.cache import weight_path


def extra(module: str) -> Any:
    """Import a module that only the extra `eval` installs. Raises ExtraMissing."""
    try:
        return import_module(module)
    except ImportError:
        raise ExtraMissing(module=module) from None


class Identity:
    """dlib's descriptor of a face, 128 numbers.

    The Euclidean distance of two is 0.3 to 0.4 for one person on two photos and about 0.85 for strangers; dlib's own
    threshold for the same person is 0.6.
    """

    def __init__(self, settings: Settings) -> None:
        """Load dlib's networks. Raises ExtraMissing without dlib, WeightsMissing if the group `eval` was not downloaded."""
        self._dlib = extra("dlib")
        self._points = self._dlib.shape_predictor(str(weight_path(settings, "identity-landmarks")))
        self._network = self._dlib.face_recognition_model_v1(str(weight_path(settings, "identity")))
        self._detector = self._dlib.get_frontal_face_detector()

    def box(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Any:
        """Find the box of the face in uint8 [H, W, 3] with dlib, or, if dlib finds none, from the `landmarks` [478, 2].

        Use one box for all edits of a face: jumps of the box would count as a change of the person.
        """
        found = self._detector(pixels, 0)
        if found:
            return max(found, key=lambda one: one.width())
        (x0, y0), (x1, y1) = landmarks.min(axis=0), landmarks.max(axis=0)
        return self._dlib.rectangle(round(x0), round(y0 + 0.1 * (y1 - y0)), round(x1), round(y1))

    def descriptor(self, pixels: NDArray[np.uint8], box: Any) -> NDArray[np.float64]:
        """Compute dlib's descriptor [128] of the face in a box of the picture uint8 [H, W, 3]."""
        shape = self._points(pixels, box)
        return np.array(self._network.compute_face_descriptor(pixels, shape))
