"""FFHQ alignment (Karras et al. 2019, appendix A, and the data set's own description), and the way back.

A square is placed by the eyes and the mouth. Its x axis is the eye-to-eye vector plus the eyes-to-mouth vector turned by 90
degrees. Half its side is the larger of 2.0 eye-to-eye distances and 1.8 eyes-to-mouth distances. Its centre lies a tenth of
the way from the eyes to the mouth. Beyond the edges of the photo, the photo is mirrored; towards the edge of the square the
mirror image is blurred and faded to the median colour, as in all pictures that the generator learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.faces.sampling import cut, square_matrix, through

# FFHQ took the means of dlib's points 36-41 and 42-47 and the points 48 and 54. These of MediaPipe's 478 mean the
# same: corner, upper lid (two), corner, lower lid (two) of each eye, and the corners of the mouth.
EYE_LEFT = (33, 160, 158, 133, 153, 144)  # left in the picture
EYE_RIGHT = (362, 385, 387, 263, 373, 380)
MOUTH_LEFT, MOUTH_RIGHT = 61, 291
# How much lower dlib puts them than MediaPipe, in eyes-to-mouth distances: medians over 195 generated faces. With it
# the corners of the squares differ on 56 faces of photographs by 1.1 % of the side in the mean, at worst by 3.5 %;
# without it by 1.2 and 3.6. What is left is mostly either model's own uncertainty.
EYES_LOWER, MOUTH_LOWER = 0.003, 0.012

EYES_REACH, MOUTH_REACH, DOWN = 2.0, 1.8, 0.1
BORDER = 0.1  # of the side: kept around the square, so that filters have something to read
PAD = 0.3  # of the side: the least that is mirrored in once anything is
BLUR = 0.02  # of the side: the Gaussian's deviation


@dataclass(frozen=True, eq=False)
class Aligned:
    """One aligned face and its place in the photo.

    Coordinates are continuous: (0, 0) is the top left corner of photo and crop.
    """

    image: NDArray[np.uint8]  # [S, S, 3]
    quad: NDArray[np.float64]  # [4, 2]: upper left, lower left, lower right, upper right corner in photo pixels
    matrix: NDArray[np.float64]  # [3, 3]: crop pixels -> photo pixels, homogeneous; its inverse goes back


def ffhq_quad(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the corners [4, 2] of the aligned square, in photo pixels and in `Aligned.quad`'s order, from landmarks
    [478, 2].
    """
    return through(ffhq_matrix(landmarks, 1), np.array([[0, 0], [0, 1], [1, 1], [1, 0]]))


def align(pixels: NDArray[np.uint8], landmarks: NDArray[np.floating], size: int = 1024) -> Aligned:
    """Cut the aligned square of one face out of uint8 [H, W, 3], as `size` x `size` pixels. Landmarks are [478, 2]."""
    assert pixels.dtype == np.uint8, pixels.dtype
    matrix, quad = ffhq_matrix(landmarks, size), ffhq_quad(landmarks)
    part, to_part = _around(pixels, quad, size)
    canvas, corner = _padded(part, through(to_part, quad))
    to_canvas = to_part @ matrix
    to_canvas[:2, 2] -= corner
    return Aligned(cut(canvas, to_canvas, size), quad, matrix)


def ffhq_matrix(landmarks: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """Compute the matrix float64 [3, 3] that maps pixels of a crop of `size` x `size` to photo pixels."""
    points = np.asarray(landmarks, dtype=np.float64)
    assert points.shape == (478, 2), points.shape
    left, right = points[list(EYE_LEFT)].mean(axis=0), points[list(EYE_RIGHT)].mean(axis=0)
    eyes, between = (left + right) / 2, right - left
    down = (points[MOUTH_LEFT] + points[MOUTH_RIGHT]) / 2 - eyes
    eyes += EYES_LOWER * down
    to_mouth = (1 + MOUTH_LOWER - EYES_LOWER) * down
    x = between + np.array([to_mouth[1], -to_mouth[0]])
    x *= max(np.hypot(*between) * EYES_REACH, np.hypot(*to_mouth) * MOUTH_REACH) / np.hypot(*x)
    return square_matrix(eyes + DOWN * to_mouth, x, size)


def _around(pixels: NDArray[np.uint8], quad: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cut out the photo around the square `quad`, averaged over blocks of pixels if it is finer than the crop.

    Returns that picture and the matrix [3, 3] from photo pixels to its pixels.
    """
    extent = np.array([pixels.shape[1], pixels.shape[0]])
    side = float(np.hypot(*(quad[3] - quad[0])))
    # at least a pixel of photo, even under a square that lies beside it
    low = np.clip(np.floor(quad.min(axis=0) - side * BORDER - 3).astype(int), 0, extent - 1)
    high = np.clip(np.ceil(quad.max(axis=0) + side * BORDER + 3).astype(int), low + 1, extent)
    part = Image.fromarray(np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]))
    blocks = max(1, int(side / size))
    to_part = np.array([[1.0, 0.0, -low[0]], [0.0, 1.0, -low[1]], [0.0, 0.0, blocks]]) / blocks
    return np.array(part.reduce(blocks) if blocks > 1 else part), to_part


def _padded(pixels: NDArray[np.uint8], quad: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Extend the picture over its edges, mirrored, blurred and faded, as far as the square reaches.

    Returns the extended picture and the coordinates [2] of its corner in the original one.
    """
    side = float(np.hypot(*(quad[3] - quad[0])))
    border = max(round(side * BORDER), 3)
    before = np.maximum(border - np.floor(quad.min(axis=0)), 0).astype(int)
    after = np.maximum(np.ceil(quad.max(axis=0)) + border - [pixels.shape[1], pixels.shape[0]], 0).astype(int)
    if max(before.max(), after.max()) <= border - 4:
        return pixels, np.zeros(2, dtype=np.int64)
    least = max(round(side * PAD), 1)
    before, after = np.maximum(before, least), np.maximum(after, least)
    padded = np.pad(pixels, ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="reflect")
    return _fade(padded, before, after, side), -before


def _fade(padded: NDArray[np.uint8], before: NDArray[np.int64], after: NDArray[np.int64], side: float) -> NDArray[np.uint8]:
    """Blur the mirrored border, beginning a little within the photo, and fade it to the median colour."""
    height, width = padded.shape[:2]
    depth = np.maximum(
        _outside(height, int(before[1]), int(after[1]), side)[:, None],
        _outside(width, int(before[0]), int(after[0]), side)[None, :],
    )[:, :, None]
    blurred = np.asarray(Image.fromarray(padded).filter(ImageFilter.GaussianBlur(side * BLUR)), dtype=np.float32)
    mixed = padded + (blurred - padded) * np.clip(depth * 3 + 1, 0, 1)
    median = np.median(mixed[:: max(1, height // 512), :: max(1, width // 512)], axis=(0, 1))  # enough for a colour
    mixed += (median - mixed) * np.clip(depth, 0, 1)
    faded: NDArray[np.uint8] = mixed.round().clip(0, 255).astype(np.uint8)
    return faded


def _outside(length: int, before: int, after: int, side: float) -> NDArray[np.float32]:
    """Measure how deep in the padding each place along one side lies: 0 where the photo begins, 1 at the edge, negative inside.

    Inside the photo, FFHQ counts in units of the padding too, and so blurs half of a face that was cut in two. Here the unit
    inside is always the least padding: the blur begins a tenth of the side before the edge.
    """
    place = np.arange(length, dtype=np.float32)
    first, last = before - place, place - (length - 1 - after)  # pixels beyond either edge
    within = np.float32(max(PAD * side, 1))
    return np.maximum(first / np.where(first > 0, before, within), last / np.where(last > 0, after, within))
