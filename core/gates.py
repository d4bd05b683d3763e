"""Two looks at a photo before anything is made of it: is it explicit, and may somebody in it be under 18?

Both are small published networks and both are wrong at times; so they refuse a photo, accuse nobody, and nothing of
what they saw is kept or logged. Measured (CPU, ten views of a face, two of a photo):

- Explicit (Yahoo's open_nsfw): 28 photographs scored up to 0.18, 200 generated portraits (seeds 5000-5199) up to 0.27;
  the default threshold refuses none of them. It was tried on no explicit photo.
- Age (age-v1, dlib's ResNet-10 as ONNX): on 56 faces of photographs, of adults by the look of them, at most 0.013 of the
  estimate lay below 18, and none is refused. The generator also draws children: of the 200 seeds the default refuses
  30, four of which look adult, and lets through one or two that may not be. It was tried on no photograph of a minor.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import LooksExplicit, LooksYoung
from core.faces import Face, align
from core.settings import Settings
from core.weights import weight_bytes

ADULT: Final = 18  # years

_SCALED, _SEEN = 256, 224  # pixels: open_nsfw's photo is squeezed to the one, its middle of the other is looked at
_BGR_MEANS: Final = np.array([104.0, 117.0, 123.0], dtype=np.float32)  # Caffe's VGG means, as open_nsfw was trained
_CHIP = 64  # pixels of a face as age-v1 sees it
_RGB_MEANS: Final = np.array([122.782, 117.001, 104.298], dtype=np.float32)  # dlib's, over 256
_ALIGNED = 256  # pixels of the FFHQ square that chips are cut from
# (x, y, side) of a chip in shares of the FFHQ square: dlib's face chip with its padding of 0.2, median of 100 seeds
# (0.504, 0.603, 0.641); then larger, smaller, higher and lower, since an estimate of one view jumps by years.
_CHIPS: Final = ((0.5, 0.6, 0.64), (0.5, 0.6, 0.58), (0.5, 0.6, 0.72), (0.5, 0.57, 0.64), (0.5, 0.62, 0.64))


class Gates:
    """Both networks, loaded at once so that missing weights show at the start. For one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        cv2.setNumThreads(1)  # 66 ms a photo and 17 ms a face; two threads took longer. Nothing else here uses OpenCV.
        self._explicit = _network(settings, "explicit")
        self._age = _network(settings, "age")

    def check_photo(self, pixels: NDArray[np.uint8]) -> None:
        """Look at a whole photo, uint8 [H, W, 3]. Raises LooksExplicit."""
        if self.explicit(pixels) >= self._settings.gate_explicit:
            raise LooksExplicit

    def check_faces(self, pixels: NDArray[np.uint8], faces: Sequence[Face]) -> None:
        """Look at every face of the photo, also those that nobody asked for: their pictures would be shown to choose by.

        Raises LooksYoung.
        """
        if any(self.under_age(align(pixels, face.landmarks, _ALIGNED).image) >= self._settings.gate_young for face in faces):
            raise LooksYoung(age=ADULT)

    def explicit(self, pixels: NDArray[np.uint8]) -> float:
        """How explicit a photo uint8 [H, W, 3] seems, 0..1: the mean of it and its mirror image."""
        squeezed = Image.fromarray(pixels).resize((_SCALED, _SCALED), Image.Resampling.BILINEAR, reducing_gap=3.0)
        # the network was fitted to what a JPEG file gives back, and scores without its blocks differ by a few hundredths
        buffer = io.BytesIO()
        squeezed.save(buffer, "jpeg")
        edge = (_SCALED - _SEEN) // 2
        seen = np.asarray(Image.open(buffer), dtype=np.float32)[edge : edge + _SEEN, edge : edge + _SEEN, ::-1] - _BGR_MEANS
        return float(_run(self._explicit, np.stack([seen, seen[:, ::-1]]))[:, 1].mean())

    def under_age(self, aligned: NDArray[np.uint8]) -> float:
        """Share of the age estimate that lies below 18 for an aligned face uint8 [S, S, 3], 0..1: the mean of ten views."""
        face = Image.fromarray(aligned)
        chips = np.stack([_chip(face, *place) for place in _CHIPS])
        views = (np.concatenate([chips, chips[:, :, ::-1]]) - _RGB_MEANS) / 256
        years = _run(self._age, views.transpose(0, 3, 1, 2))  # [10, 81]: the probability of each age from 0 to 80
        return float(years[:, :ADULT].sum(axis=1).mean())


def _chip(face: Image.Image, x: float, y: float, side: float) -> NDArray[np.float32]:
    box = [edge * face.width for edge in (x - side / 2, y - side / 2, x + side / 2, y + side / 2)]
    chip = face.resize((_CHIP, _CHIP), Image.Resampling.BILINEAR, box=(box[0], box[1], box[2], box[3]))
    return np.asarray(chip, dtype=np.float32)


def _network(settings: Settings, name: str) -> cv2.dnn.Net:
    """The network on the CPU. OpenCV runs it because ONNX Runtime (1.32) sends telemetry and writes a device's id.

    A network may name other files that its numbers stand in, and OpenCV (5.1) reads them, whichever they are: so only
    the very bytes of the manifest are given to it. Raises WeightsMissing, WeightsCorrupt.
    """
    return cv2.dnn.readNetFromONNX(np.frombuffer(weight_bytes(settings, name), dtype=np.uint8))


def _run(network: cv2.dnn.Net, batch: NDArray[np.floating]) -> NDArray[np.float32]:
    network.setInput(np.ascontiguousarray(batch, dtype=np.float32))
    return np.asarray(network.forward(), dtype=np.float32)
