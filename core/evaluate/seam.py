"""Measures where an edit changed the photo, and whether the border of the change is visible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

_REACH = 1.35  # times the face's oval: the region of the face, with a band of neck and hair line
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
         150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
_SPECK = 9  # pixels: changed specks smaller than this are no edge
_BAND = 7  # pixels: width of the edge that is compared


def outside(photo: NDArray[np.uint8], edited: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> int:
    """Count the pixels of uint8 [H, W, 3] that differ outside the region of the face with these landmarks.

    `landmarks` [478, 2] are in the photo's pixels.
    """
    oval = landmarks[list(_OVAL)].astype(np.float64)
    middle = oval.mean(axis=0)
    region = Image.new("L", (photo.shape[1], photo.shape[0]))
    ImageDraw.Draw(region).polygon([tuple(point) for point in middle + _REACH * (oval - middle)], fill=255)
    return int(((photo != edited).any(axis=2) & (np.asarray(region) == 0)).sum())


def seam(photo: NDArray[np.uint8], edited: NDArray[np.uint8]) -> float:
    """Compute the gradient energy of the edited photo along the border of the change, divided by the photo's own there.

    1 if the border is invisible, well above 1 if there is a line; NaN if nothing changed.
    """
    changed = (photo != edited).any(axis=2)
    rows, columns = np.nonzero(changed)
    if not len(rows):
        return float("nan")
    y0, x0 = max(int(rows.min()) - 2 * _BAND, 0), max(int(columns.min()) - 2 * _BAND, 0)
    window = slice(y0, int(rows.max()) + 2 * _BAND), slice(x0, int(columns.max()) + 2 * _BAND)
    mask = Image.fromarray(changed[window].astype(np.uint8) * 255).filter(ImageFilter.MedianFilter(_SPECK))
    grown, shrunk = mask.filter(ImageFilter.MaxFilter(_BAND)), mask.filter(ImageFilter.MinFilter(_BAND))
    edge = np.asarray(grown) != np.asarray(shrunk)
    if not edge.any():
        return float("nan")
    return _energy(edited[window], edge) / max(_energy(photo[window], edge), 1e-6)


def _energy(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    grey = pixels.astype(np.float64).mean(axis=2)
    down, right = np.gradient(grey)
    return float((down**2 + right**2)[where].mean())
