"""Warping pictures along a mesh: fields interpolated between meshes with the same triangles, and sampling along them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from core.composite.mesh import NOSE_TIP, Points, triangles


class Raster:
    """A mesh rasterised on a pixel grid: the triangle that each pixel lies in, and its position inside that triangle."""

    def __init__(self, points: Points, height: int, width: int) -> None:
        """Rasterise the points [V, 2] of `with_rim`, given in the grid's own pixels."""
        corners = points[triangles()]  # [T, 3, 2]
        centre = corners.mean(axis=1)
        # painted from the outside in: where a turned face folds over itself, the part nearer to the nose is in front
        order = np.argsort(-np.linalg.norm(centre - points[NOSE_TIP], axis=1), kind="stable")
        canvas = Image.new("I", (width, height), -1)
        draw = ImageDraw.Draw(canvas)
        for index in order:
            draw.polygon([(x - 0.5, y - 0.5) for x, y in corners[index].tolist()], fill=int(index))
        self.triangle = np.asarray(canvas)  # int32 [H, W], -1 outside
        self.inside = self.triangle >= 0
        self._chosen = self.triangle[self.inside]
        self._weights = _barycentric(corners[self._chosen], self.inside)

    def interpolate(self, values: NDArray[np.float64], outside: float = 0.0) -> Tensor:
        """Interpolate values [V, K] at the mesh's points linearly inside each triangle: float32 [1, K, H, W].

        Pixels in no triangle get `outside`.
        """
        at_corners = values[triangles()[self._chosen]]  # [N, 3, K]
        field = np.full((values.shape[1], *self.inside.shape), outside, dtype=np.float32)
        field[:, self.inside] = np.einsum("nc,nck->kn", self._weights, at_corners)
        return torch.from_numpy(field)[None]

    def covered(self, chosen: NDArray[np.bool_]) -> Tensor:
        """Mask the pixels that lie in a `chosen` triangle, bool [T]: float32 [1, 1, H, W], 0 or 1."""
        made = np.zeros(self.inside.shape, dtype=np.float32)
        made[self.inside] = chosen[self._chosen]
        return torch.from_numpy(made)[None, None]


def polygon(points: Points, height: int, width: int) -> Tensor:
    """Mask the inside of the closed polygon through `points` [N, 2], in pixels of the grid: float32 [1, 1, H, W], 0 or 1."""
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon([(x - 0.5, y - 0.5) for x, y in points.tolist()], fill=1)
    return torch.from_numpy(np.array(canvas, dtype=np.float32))[None, None]


def outline(points: Points, height: int, width: int, thickness: float) -> Tensor:
    """Mask the closed line through points [N, 2], `thickness` pixels wide: float32 [1, 1, H, W], 0 or 1."""
    canvas = Image.new("L", (width, height))
    closed = [(x - 0.5, y - 0.5) for x, y in [*points.tolist(), points[0].tolist()]]
    ImageDraw.Draw(canvas).line(closed, fill=1, width=max(1, round(thickness)), joint="curve")
    return torch.from_numpy(np.array(canvas, dtype=np.float32))[None, None]


def line(start: Points, end: Points, height: int, width: int, thickness: float) -> Tensor:
    """Mask the line between two points [2], `thickness` pixels wide with round ends: float32 [1, 1, H, W], 0 or 1."""
    along, here = torch.tensor(np.asarray(end - start), dtype=torch.float32), grid(height, width) - _point(start)
    share = torch.einsum("i,nihw->nhw", along, here) / along.square().sum().clamp(min=1e-6)
    away = here - share.clamp(0, 1)[:, None] * along.view(1, 2, 1, 1)
    made: Tensor = (away.square().sum(dim=1, keepdim=True) <= (thickness / 2) ** 2).float()
    return made


def _point(values: Points) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32).view(1, 2, 1, 1)


def _barycentric(corners: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute for each pixel of the mask `inside` the weights of its triangle's `corners` [N, 3, 2]: [N, 3], each row's sum 1.

    A pixel whose centre lies just outside its triangle gets weights clipped to 0..1.
    """
    y, x = np.nonzero(inside)
    here = np.stack([x, y], axis=1) + 0.5 - corners[:, 0]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    second = (here[:, 0] * b[:, 1] - here[:, 1] * b[:, 0]) / area
    third = (a[:, 0] * here[:, 1] - a[:, 1] * here[:, 0]) / area
    weights = np.clip(np.stack([1 - second - third, second, third], axis=1), 0, 1)
    result: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return result


def grid(height: int, width: int) -> Tensor:
    """Compute the centres of a grid's pixels: float32 [1, 2, H, W], x then y."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y])[None].float()


def sample(image: Tensor, where: Tensor, mode: str = "bicubic") -> Tensor:
    """Sample the image [1, C, H, W] at `where` [1, 2, h, w], in pixels from its top left corner: [1, C, h, w].

    `mode` is one of torch's `grid_sample`. Beyond the image its border is repeated.
    """
    size = torch.tensor([image.shape[3], image.shape[2]], dtype=torch.float32).view(1, 2, 1, 1)
    return F.grid_sample(image, (where / size * 2 - 1).permute(0, 2, 3, 1), mode, "border", align_corners=False)


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resize an image [1, C, H, W] to [1, C, height, width]: averaging if smaller, linear if larger."""
    if image.shape[2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Blur [1, C, H, W] by a Gaussian of `sigma` pixels, repeating the border. Wide blurs are computed on a smaller copy."""
    height, width = image.shape[2:]
    shrink = int(sigma / 3)
    if shrink > 1 and min(height, width) > 4 * shrink:
        small = resize(image, -(-height // shrink), -(-width // shrink))
        return resize(_gauss(small, sigma / shrink), height, width)
    return _gauss(image, sigma)


def _gauss(image: Tensor, sigma: float) -> Tensor:
    if sigma < 0.2:
        return image
    reach = int(np.ceil(3 * sigma))
    bell = torch.exp(-0.5 * (torch.arange(reach + 1) / sigma) ** 2)
    taps: list[float] = (bell / (2 * bell.sum() - 1)).tolist()  # the middle is 1, and all others are there twice
    for axis, pad in ((3, (reach, reach, 0, 0)), (2, (0, 0, reach, reach))):
        # whole pictures, moved to either side and added: a convolution of one channel takes two to three times as long
        padded, length = F.pad(image, pad, mode="replicate"), image.shape[axis]
        image = padded.narrow(axis, reach, length) * taps[0]
        for away, tap in enumerate(taps[1:], 1):
            both = padded.narrow(axis, reach - away, length) + padded.narrow(axis, reach + away, length)
            image.add_(both, alpha=tap)
    return image


def smoothstep(x: Tensor, low: float, high: float) -> Tensor:
    """Map each value of `x`, of any shape, to 0 up to `low` and 1 from `high`, with a smooth cubic rise between."""
    x = ((x - low) / (high - low)).clamp(0, 1)
    return x * x * (3 - 2 * x)


def box_round(mask: Tensor) -> tuple[slice, slice]:
    """Find the rows and columns [start, stop) of the smallest box round all that is set in a mask [H, W]; empty for none."""
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def span(one: slice, other: slice) -> slice:
    """Span two stretches of rows or columns, and what is between them."""
    return slice(min(one.start, other.start), max(one.stop, other.stop))


def column(values: NDArray[np.floating]) -> Tensor:
    """Convert values [K] to float32 [1, K, 1, 1]: one for each channel."""
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)


def shrunk(pixels: NDArray[np.uint8], side: int) -> Tensor:
    """Convert uint8 [R, R, 3] to float32 [1, 3, side, side], 0..255."""
    return resize(tensor_of(pixels), side, side)


def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert uint8 [H, W, 3] to float32 [1, 3, H, W], 0..255."""
    return torch.tensor(pixels).permute(2, 0, 1)[None].float()  # copied: Pillow's arrays must not be written to
