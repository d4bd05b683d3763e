"""Cuts tilted squares out of a photo, antialiased. Coordinates are continuous: (0, 0) is the photo's top left corner."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

OUTSIDE = (128, 128, 128)  # beyond the photo: grey has little contrast to most photos


def square_matrix(centre: NDArray[np.float64], right: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Compute the similarity transform float64 [3, 3] from the pixels of a `size` x `size` square to the photo's.

    `centre` [2] is the square's centre and `right` [2] half its upper edge, both in photo pixels. The square's y axis is
    `right` turned a quarter clockwise, so it is never mirrored.
    """
    down = np.array([-right[1], right[0]])
    columns = np.stack([2 * right / size, 2 * down / size, centre - right - down], axis=1)
    return np.vstack([columns, [0.0, 0.0, 1.0]])


def through(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Transform points [N, 2] by an affine map [3, 3]: float64 [N, 2]."""
    moved: NDArray[np.float64] = np.asarray(points, dtype=np.float64) @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def cut(pixels: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Cut a square uint8 [size, size, 3] out of uint8 [H, W, 3]; `matrix` maps its pixels to photo pixels.

    If the square is coarser than the photo, pixels are averaged: first over whole blocks, then from a square of twice the
    size. Beyond the photo the square is grey.
    """
    part, low = _around(pixels, matrix, size)
    image = Image.fromarray(part)
    scale = float(np.hypot(*matrix[:2, 0]))  # photo pixels per pixel of the square
    blocks = max(1, int(scale))
    if blocks > 1:
        image = image.reduce(blocks)
    finer = 2 if scale > blocks else 1  # the blocks left between one and two photo pixels per pixel
    to_image = np.diag([1 / blocks, 1 / blocks, 1.0]) @ _shift(-low) @ matrix @ np.diag([1 / finer, 1 / finer, 1.0])
    half = np.full(2, 0.5)
    between_centres = _shift(-half) @ to_image @ _shift(half)  # OpenCV counts from the middle of the first pixel
    warped = cv2.warpAffine(
        np.asarray(image), between_centres[:2], (size * finer, size * finer), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=OUTSIDE,
    )  # fmt: skip
    if finer > 1:
        warped = np.array(Image.fromarray(warped).resize((size, size), Image.Resampling.LANCZOS))
    return warped.astype(np.uint8, copy=False)


def _around(pixels: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cut out the part of the photo under the square, with a margin for the filters, and tell the coordinates [2] of its corner.

    For a square beside the photo it is one grey pixel.
    """
    corners = through(matrix, np.array([[0, 0], [0, size], [size, size], [size, 0]]))
    margin = 4 * max(1.0, float(np.hypot(*matrix[:2, 0])))
    limits = [pixels.shape[1], pixels.shape[0]]
    low = np.clip(np.floor(corners.min(axis=0) - margin), 0, limits).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0) + margin), 0, limits).astype(int)
    part = np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]])
    if part.size == 0:
        part = np.full((1, 1, 3), OUTSIDE, dtype=np.uint8)
    return part, low.astype(np.float64)


def _shift(by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the matrix [3, 3] of a translation by x and y pixels."""
    return np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]], [0.0, 0.0, 1.0]])
