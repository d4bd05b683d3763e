"""Two checks of a photo before any work: is it explicit, and may somebody in it be under 18?

Both are small published networks and both are wrong at times. So they refuse a photo without accusing anybody, and none
of their scores is kept or logged. Measured (CPU, ten views of a face, two of a photo):
- Explicit (Yahoo's open_nsfw): 63 photographs of people scored up to 0.40 as a whole, up to 0.55 in parts of three
quarters of each side, 0.44 in parts of 85 %, 0.49 in squares along a photo and 0.81 in halves (threshold 0.5, 0.7, 0.65, 0.7
and 0.9), so none is refused; 200 generated portraits (seeds 5000-5199) scored up to 0.27 as a whole. It was tried on no
explicit photo.
- Age (age-v1, dlib's ResNet-10 as ONNX): on the 122 faces of 70 photographs, of adults by the look of them, at most 0.137 of the
estimate lay below 18, so none is refused (one with letters over its mouth was, at 0.54, before they were filled). The
generator also draws children: of the 200 seeds the default refuses 30, four of which look adult, and lets through one or
two that may not be. It was tried on no photograph of a minor.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import LooksExplicit
from core.faces import Face, align
from core.settings import Settings
from core.system import usable_cores
from core.weights.cache import weight_bytes

ADULT: Final = 18  # years

_SCALED, _SEEN = 256, 224  # pixels: open_nsfw's photo is resized to the first, and its middle of the second is scored
# What else of a photo is looked at: parts of so many of its sides, so many along each side, evenly spaced so that they
# overlap and reach every edge. A part without its surroundings scores higher than it should (a neck, a bare arm), so the
# distance between its threshold and 1 is only so much of the whole photo's: 0.5 becomes 0.65, 0.7 and 0.9.
_PARTS: Final = ((0.85, 2, 0.7), (0.75, 2, 0.6), (0.5, 3, 0.2))
# A photo more than `_OBLONG` times as long as it is wide is looked at in squares of its shorter side too, which overlap by half
# or more; one more than `_LONG` times as long in these alone, which of more than `_SQUARES` times are squeezed. So no photo
# takes more than 23 looks, however many pixels it has; it is made small twice at most.
_OBLONG, _LONG, _SQUARES, _SQUARE_EASE = 1.25, 2.0, 12, 0.6
_BGR_MEANS: Final = np.array([104.0, 117.0, 123.0], dtype=np.float32)  # Caffe's VGG means, as open_nsfw was trained
_CHIP = 64  # pixels of a face as age-v1 sees it
_RGB_MEANS: Final = np.array([122.782, 117.001, 104.298], dtype=np.float32)  # dlib's, over 256
_ALIGNED = 256  # pixels of the FFHQ square that chips are cut from
# (x, y, side) of a chip in shares of the FFHQ square: dlib's face chip with its padding of 0.2, median of 100 seeds
# (0.504, 0.603, 0.641); then larger, smaller, higher and lower, since an estimate of one view jumps by years.
_CHIPS: Final = ((0.5, 0.6, 0.64), (0.5, 0.6, 0.58), (0.5, 0.6, 0.72), (0.5, 0.57, 0.64), (0.5, 0.62, 0.64))


# What lies before a face misleads the estimate: letters over the mouth, as a meme has them, make children of 122 in 170 adults.
# Filled from what is around, 4 of the 170 are refused. Of children that are covered so (20, with fingers, a cup, a mask, letters
# or a microphone) 89 in 100 are refused instead of 67, if the threshold is a quarter lower for a face of which less is seen.
COVERED_EASE: Final = 0.75
_FILLED_FROM = 5  # pixels around a gap that fill it
_DETAILED = 64  # pixels: on narrower faces things in front can't be found, and there may be many such faces

Things = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # uint8 [S, S, 3] -> probabilities [M, M] of things before the face
Look = Callable[[cv2.dnn.Net], bool]  # with the network for explicit content: whether it refuses what it sees


class Gates:
    """Both networks, loaded at once so that missing weights show at the start. For one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # 66 ms a photo and 17 ms a face; two threads at one look took longer. What else uses OpenCV takes a few milliseconds.
        cv2.setNumThreads(1)
        self._explicit = _network(settings, "explicit")
        self._age = _network(settings, "age")

    def checking(self, pixels: NDArray[np.uint8]) -> Checking:
        """Begin to check a photo, uint8 [H, W, 3], as a whole and in overlapping parts, one look for each."""
        least = self._settings.gate_explicit

        def looks() -> Iterator[Look]:
            yield lambda network: _score(network, pixels) >= least
            for part, ease in _parts(pixels):
                yield partial(_reaches, part=part, threshold=1 - (1 - least) * ease)

        return Checking(looks(), self._explicit, self._beside)

    @cached_property
    def _beside(self) -> tuple[ThreadPoolExecutor, cv2.dnn.Net] | None:
        """A second thread for looks, with a network of its own; None where there is only one core to work on."""
        if (self._settings.threads or usable_cores()) == 1:
            return None
        return ThreadPoolExecutor(1, "explicit"), _network(self._settings, "explicit")

    def check_whole(self, pixels: NDArray[np.uint8]) -> None:
        """Check a picture, uint8 [H, W, 3], as a whole only. Raises LooksExplicit."""
        if self.explicit(pixels) >= self._settings.gate_explicit:
            raise LooksExplicit

    def young(self, pixels: NDArray[np.uint8], faces: Sequence[Face], things: Things | None) -> Iterator[int | None]:
        """Check every face of the photo, turned upright; also those that nobody asked for, since the result shows them all.

        Yields after each face its index if it may be of somebody under 18, else None. `things` finds what lies in front of a
        face; with None, or for faces under 64 pixels, nothing is taken to be there.
        """
        for face in faces:
            aligned = align(pixels, face.landmarks, _ALIGNED).image
            before = things(aligned) if things is not None and face.width >= _DETAILED else None
            yield face.index if self.looks_young(aligned, before) else None

    def looks_young(self, aligned: NDArray[np.uint8], before: NDArray[np.float32] | None = None) -> bool:
        """Tell whether an aligned face uint8 [S, S, 3] may be of somebody under 18.

        `before` [M, M], 0..1, are probabilities that something lies in front of it. Such places are first filled from
        around them, and the threshold is a quarter lower.
        """
        covered = None if before is None else _covered(before, len(aligned))
        if covered is None or not covered.any():
            return self.under_age(aligned) >= self._settings.gate_young
        filled = cv2.inpaint(np.ascontiguousarray(aligned), covered, _FILLED_FROM, cv2.INPAINT_TELEA)
        return self.under_age(np.asarray(filled, dtype=np.uint8)) >= self._settings.gate_young * COVERED_EASE

    def explicit(self, pixels: NDArray[np.uint8]) -> float:
        """Score how explicit a photo uint8 [H, W, 3] seems as a whole, 0..1."""
        return _score(self._explicit, pixels)

    def under_age(self, aligned: NDArray[np.uint8]) -> float:
        """Estimate the probability, 0..1, that an aligned face uint8 [S, S, 3] is under 18: the mean over ten views."""
        face = Image.fromarray(aligned)
        chips = np.stack([_chip(face, *place) for place in _CHIPS])
        views = (np.concatenate([chips, chips[:, :, ::-1]]) - _RGB_MEANS) / 256
        years = _run(self._age, views.transpose(0, 3, 1, 2))  # [10, 81]: the probability of each age from 0 to 80
        return float(years[:, :ADULT].sum(axis=1).mean())


class Checking:
    """One check of a photo for explicit content, whose looks two threads share. Use it in a `with`.

    The caller has `meanwhile` called often while it does other things, and has the check done when `rest` ends. Between two
    calls the second thread does at most one look, so that a photo can be left for a while.
    """

    def __init__(
        self, looks: Iterator[Look], network: cv2.dnn.Net, beside: tuple[ThreadPoolExecutor, cv2.dnn.Net] | None
    ) -> None:
        self._looks, self._network, self._beside = looks, network, beside
        self._coming: Future[bool] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._coming is not None and not self._coming.cancel():
            self._coming.exception()  # waits: whoever asked drops the photo now

    def meanwhile(self) -> None:
        """Give the second thread its next look, unless it is still at one. Raises LooksExplicit."""
        if self._beside is None or (self._coming is not None and not self._coming.done()):
            return
        self._arrived()
        if (look := next(self._looks, None)) is not None:
            thread, network = self._beside
            self._coming = thread.submit(look, network)

    def rest(self) -> Iterator[None]:
        """Do all that is left, yielding after each look of this thread. Raises LooksExplicit."""
        self.meanwhile()
        while (look := next(self._looks, None)) is not None:
            if look(self._network):
                raise LooksExplicit
            self.meanwhile()
            yield
        self._arrived()

    def _arrived(self) -> None:
        coming, self._coming = self._coming, None
        if coming is not None and coming.result():
            raise LooksExplicit


def _score(network: cv2.dnn.Net, pixels: NDArray[np.uint8]) -> float:
    """Score how explicit a photo uint8 [H, W, 3] seems as a whole, 0..1.

    The score is the mean over the photo's middle (which the network was trained on), all of it, and the mirror images of both.
    """
    squeezed = Image.fromarray(pixels).resize((_SCALED, _SCALED), Image.Resampling.BILINEAR, reducing_gap=3.0)
    views = [_seen(squeezed, _SCALED), _seen(squeezed, _SEEN)]
    every = [*views, *(view[:, ::-1] for view in views)]  # one after the other: four at once say the same in a third more time
    return float(np.concatenate([_run(network, view[None]) for view in every])[:, 1].mean())


def _reaches(network: cv2.dnn.Net, part: Image.Image, threshold: float) -> bool:
    """Tell whether the mean score of a part of a photo, 256 pixels square, and its mirror image reaches `threshold`.

    The mirror image is only scored if it can decide.
    """
    view = _seen(part, _SEEN)
    score = float(_run(network, view[None])[0, 1])
    if (score + 1) / 2 < threshold:
        return False
    return (score + float(_run(network, view[None, :, ::-1])[0, 1])) / 2 >= threshold


def _parts(pixels: NDArray[np.uint8]) -> Iterator[tuple[Image.Image, float]]:
    """Yield the parts of a photo uint8 [H, W, 3] to score, each 256 pixels square, with the ease of each: see `_PARTS`."""
    photo = Image.fromarray(pixels)
    long = max(photo.size) / min(photo.size)
    if long <= _LONG:
        small = photo.resize((2 * _SCALED, 2 * _SCALED), Image.Resampling.BILINEAR, reducing_gap=3.0)
        for share, count, ease in _PARTS:
            side = round(share * small.width)
            starts = [round(start) for start in np.linspace(0, small.width - side, count)]
            for x, y in itertools.product(starts, starts):
                box = (x, y, x + side, y + side)
                yield small.resize((_SCALED, _SCALED), Image.Resampling.BILINEAR, box=box), ease
    if long > _OBLONG:
        yield from ((square, _SQUARE_EASE) for square in _squares(photo, long))


def _squares(photo: Image.Image, long: float) -> Iterator[Image.Image]:
    """Cut a photo that is so many times as long as it is wide in overlapping squares of 256 pixels."""
    squares = long if long <= _LONG else min(_SQUARES, round(long))
    length = round(squares * _SCALED)
    wide = photo.width > photo.height
    small = photo.resize((length, _SCALED) if wide else (_SCALED, length), Image.Resampling.BILINEAR, reducing_gap=3.0)
    for start in np.linspace(0, length - _SCALED, 2 * max(2, round(squares)) - 1):
        x, y = (round(start), 0) if wide else (0, round(start))
        yield small.crop((x, y, x + _SCALED, y + _SCALED))


def _seen(picture: Image.Image, side: int) -> NDArray[np.float32]:
    """Convert a picture of 256 pixels square to the network's input: float32 [224, 224, 3] BGR, the means subtracted.

    It is resized to `side` pixels a side, and its middle of 224 is taken.
    """
    buffer = io.BytesIO()  # the network was trained on decoded JPEG files; without their artefacts scores differ by a few 0.01
    picture.save(buffer, "jpeg")
    given: Image.Image = Image.open(buffer)
    if side != given.width:
        given = given.resize((side, side), Image.Resampling.BILINEAR)
    edge = (side - _SEEN) // 2
    return np.asarray(given, dtype=np.float32)[edge : edge + _SEEN, edge : edge + _SEEN, ::-1] - _BGR_MEANS


def _chip(face: Image.Image, x: float, y: float, side: float) -> NDArray[np.float32]:
    box = [edge * face.width for edge in (x - side / 2, y - side / 2, x + side / 2, y + side / 2)]
    chip = face.resize((_CHIP, _CHIP), Image.Resampling.BILINEAR, box=(box[0], box[1], box[2], box[3]))
    return np.asarray(chip, dtype=np.float32)


def _covered(before: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """Mask where something is more likely than not, and a little around: uint8 [side, side], 0 or 1."""
    probable = Image.fromarray(before).resize((side, side), Image.Resampling.BICUBIC)
    edge = 2 * round(side / 128) + 1
    return np.asarray(cv2.dilate((np.asarray(probable) > 0.5).astype(np.uint8), np.ones((edge, edge), np.uint8)), dtype=np.uint8)


def _network(settings: Settings, name: str) -> cv2.dnn.Net:
    """Load the network on the CPU. Raises WeightsMissing, WeightsCorrupt.

    OpenCV runs it because ONNX Runtime (1.32) sends telemetry and writes a device's id. An ONNX file may name other
    files that hold its numbers, and OpenCV (5.1) would read any of them: so it only gets bytes that match the manifest.
    """
    return cv2.dnn.readNetFromONNX(np.frombuffer(weight_bytes(settings, name), dtype=np.uint8))


def _run(network: cv2.dnn.Net, batch: NDArray[np.floating]) -> NDArray[np.float32]:
    network.setInput(np.ascontiguousarray(batch, dtype=np.float32))
    return np.asarray(network.forward(), dtype=np.float32)
