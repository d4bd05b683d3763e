"""Whether two pictures show one person: dlib's descriptor. For measurements alone; no edit depends on it."""

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
    """dlib's 128 numbers of a face. Their Euclidean distance is 0.3-0.4 for one person on two photos, 0.6 is dlib's own
    threshold, 0.85 is usual between strangers."""

    def __init__(self, settings: Settings) -> None:
        """Load dlib's networks. Raises ExtraMissing without dlib, WeightsMissing where the group `eval` was not pulled."""
        self._dlib = extra("dlib")
        self._points = self._dlib.shape_predictor(str(weight_path(settings, "identity-landmarks")))
        self._network = self._dlib.face_recognition_model_v1(str(weight_path(settings, "identity")))
        self._detector = self._dlib.get_frontal_face_detector()

    def box(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Any:
        """Find the face in uint8 [H, W, 3] as dlib sees it; by the `landmarks` [478, 2] where dlib sees none.

        Take one box for all edits of a face: the box's own jumps would count as a change of the person.
        """
        found = self._detector(pixels, 0)
        if found:
            return max(found, key=lambda one: one.width())
        (x0, y0), (x1, y1) = landmarks.min(axis=0), landmarks.max(axis=0)
        return self._dlib.rectangle(round(x0), round(y0 + 0.1 * (y1 - y0)), round(x1), round(y1))

    def descriptor(self, pixels: NDArray[np.uint8], box: Any) -> NDArray[np.float64]:
        """Describe the person in the face as dlib does: [128]."""
        shape = self._points(pixels, box)
        return np.array(self._network.compute_face_descriptor(pixels, shape))
