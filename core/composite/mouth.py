"""The inside of the mouth: the photo's own teeth where it shows them, the generator's where it does not.

Teeth do not move with the lips. If a mouth closes a little, its lips slide over the photo's teeth; if it opens a little
further, the teeth that are seen are stretched. If it changes more, the inside is drawn by the generator in the photo's
light, sharpness and grain: a mixture of both would be nobody's teeth. Masks are float32 [1, 1, H, W], 0..1; points are
in the pixels of the same grid, and `size` is the face's size in these pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from core.composite.mesh import LIPS_INSIDE, LIPS_OUTLINE, LIPS_OUTSIDE, Points
from core.composite.motion import lips_width, mouth_gap
from core.composite.warp import blur, line, outline, polygon, smoothstep

LOOP = [*LIPS_INSIDE[0], *LIPS_INSIDE[1][-2:0:-1]]  # the inner lips as a closed loop
_SHUT = 0.004  # in face sizes: a gap below this is a closed mouth
_KEPT = 0.55, 0.7  # smaller gap over larger: from the second on the teeth are the photo's, up to the first drawn anew
_ROUNDED = 0.15  # so much sooner they are, if the mouth's width changes and not its gap
_SEAM = 0.008  # in face sizes, width of the line along the lips' edge that belongs to the inside
_SOFT = 0.004
_LIPS_EDGE = 0.05  # width of the line along the lips' outer edge that goes with them where they are drawn anew
_SHINE, _LIGHTEST = 1.1, 225.0  # teeth over the lightest skin, and in levels, at most
_WHITENED = 0.3  # share of the teeth's tint that is removed: white in the generator's light may be yellow in another
_ENDS = 0.04  # across a corner of the mouth
_CORNER = 0.1, 0.12  # length and width of the strip beside a corner of the mouth in which its line may lie
_SOFTER = (0.0, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)  # pixels of blur that are tried
_MOST_GRAIN = 8.0  # levels


@dataclass(frozen=True)
class Mouth:
    """How far the mouth is open before and after an edit: the gap between the lips, in face sizes; and how wide it stays."""

    before: float
    after: float
    width: float = 1.0  # the smaller of the widths before and after over the larger

    @classmethod
    def between(cls, before: Points, after: Points, size: float) -> Self:
        """Measure it in landmarks [N, 2] before and after the edit; `size` is the face's, in the same pixels."""
        widths = [lips_width(points, LIPS_INSIDE[0]) for points in (before, after)]
        return cls(mouth_gap(before) / size, mouth_gap(after) / size, min(widths) / max(*widths, 1e-6))

    @property
    def stays_shut(self) -> bool:
        return max(self.before, self.after) < _SHUT

    @property
    def opens(self) -> bool:
        return self.after >= self.before

    @property
    def own(self) -> float:
        """Share of the mouth's inside that is the photo's own, 0..1."""
        share = min(self.before, self.after) / max(self.before, self.after, 1e-6)
        share = min(share, self.width - _ROUNDED)  # teeth between rounded lips are too few for a grin
        x = float(np.clip((share - _KEPT[0]) / (_KEPT[1] - _KEPT[0]), 0, 1))
        return x * x * (3 - 2 * x)


def inside(target: Points, height: int, width: int, size: float) -> Tensor:
    """Mask the inside of the edited mouth and the seam along the lips: float32 [1, 1, H, W], 0..1."""
    loop = target[LOOP]
    covered: Tensor = blur(torch.maximum(polygon(loop, height, width), outline(loop, height, width, _SEAM * size)), _SOFT * size)
    return covered


def whole(target: Points, height: int, width: int, size: float) -> Tensor:
    """Mask the edited mouth with its lips and their outer edge: [1, 1, H, W], 0..1."""
    lips = target[list(LIPS_OUTLINE)]
    covered = torch.maximum(polygon(lips, height, width), outline(lips, height, width, _LIPS_EDGE * size))
    return blur(covered, 0.3 * _LIPS_EDGE * size)


def shown(photo: Points, height: int, width: int, size: float) -> Tensor:
    """Mask what is certainly inside the photo's own mouth and no part of its lips: [1, 1, H, W], 0..1."""
    return ((blur(polygon(photo[LOOP], height, width), 2 * _SOFT * size) - 0.6) / 0.35).clamp(0, 1)


def shaded(own: Tensor, drawn: Tensor, where: Tensor, size: float) -> Tensor:
    """Darken the photo's teeth `own` to the level of the `drawn` ones, both [1, 3, H, W]: lips that come down cast a shadow.

    Both are compared where the mask `where` is 1.
    """

    def mean(image: Tensor) -> Tensor:
        grey = image.mean(dim=1, keepdim=True)
        return (blur(grey * where, 0.02 * size) + 1) / (blur(where, 0.02 * size) + 0.02)

    return own * ((mean(drawn) + 10) / (mean(own) + 10)).clamp(0.45, 1.1)


def not_brighter(drawn: Tensor, photo: Tensor, around: Tensor, inner: Tensor) -> Tensor:
    """Limit the brightness of the `drawn` mouth [1, 3, H, W] to that of the photo's brightest skin: teeth do not shine.

    `around` and `inner` [1, 1, H, W] mask the skin around the mouth and its inside. The whole inside is darkened by one
    factor, so that each tooth still stands out from the next; only glints are cut off, at the brightest level of the
    photo here, for in a dark room teeth are dark. Light parts lose some of their tint: eyes expect white teeth.
    """
    skin, teeth = photo.mean(dim=1, keepdim=True), drawn.mean(dim=1, keepdim=True).clamp(min=1)
    most = max(float(skin.max()), 1.0)
    top = min(_SHINE * _quantile(skin[around > 0.5], 0.98, most), most, _LIGHTEST)
    held = teeth * min(1.0, top / _quantile(teeth[inner > 0.5], 0.9, 1.0))
    knee = 0.95 * top
    room = max(most - knee, 0.05 * top)
    held = held.clamp(max=knee) + room * torch.tanh((held - knee).clamp(min=0) / room)
    light = smoothstep(held / top, 0.5, 0.9)
    return torch.lerp(drawn, teeth, _WHITENED * light) * (held / teeth)


def _quantile(values: Tensor, share: float, otherwise: float) -> float:
    return float(values.sort().values[int(share * (len(values) - 1))]) if values.numel() else otherwise


def ends(after: Points, height: int, width: int, size: float) -> Tensor:
    """Mask the very corners of the mouth, where thin triangles of the lips fold over each other: [1, 1, H, W], 0..1."""
    made = torch.zeros(1, 1, height, width)
    for row in (LIPS_INSIDE[0], LIPS_OUTSIDE[0]):
        for point in (after[row[0]], after[row[-1]]):
            made = torch.maximum(made, line(point, point, height, width, _ENDS * size))
    return blur(made, 0.2 * _ENDS * size)


def corners(after: Points, height: int, width: int, size: float) -> Tensor:
    """Mask the skin beside the corners of the edited mouth, where an old crease would remain if the mouth narrows: [1, 1, H, W].

    The lips themselves are left out.
    """
    left, right = after[LIPS_OUTSIDE[0][0]], after[LIPS_OUTSIDE[0][-1]]
    out = (left - right) / np.linalg.norm(left - right) * _CORNER[0] * size
    made = torch.maximum(*(line(at, at + way, height, width, _CORNER[1] * size) for at, way in ((left, out), (right, -out))))
    lips = polygon(after[list(LIPS_OUTLINE)], height, width)
    return blur(made, 0.2 * _CORNER[1] * size) * (1 - blur(lips, _SOFT * size))


def textured(drawn: Tensor, photo: Tensor, around: Tensor) -> Tensor:
    """Give `drawn` the sharpness and the grain of the photo, both [1, 3, H, W] in levels: [1, 3, H, W].

    They are compared where `around` [1, 1, H, W] is above 0.5. The strongest edges there tell how much to blur, the
    quieter half of the skin how much noise to add; pores and hairs are no grain.
    """
    edges, quiet = _roughness(photo, around)
    for sigma in _SOFTER:
        softened = blur(drawn, sigma)
        present = _roughness(softened, around)
        if present[0] <= 1.15 * edges:
            break
    missing = min(max(quiet**2 - present[1] ** 2, 0.0) ** 0.5, _MOST_GRAIN)
    noise = blur(torch.randn(drawn[:, :1].shape, generator=torch.Generator().manual_seed(0)), 0.5)
    grain: Tensor = noise * (missing / _roughness(noise, torch.ones_like(noise))[1])
    return softened + grain


def _roughness(image: Tensor, around: Tensor) -> tuple[float, float]:
    """Measure the standard deviation, in levels, of the finest detail of `image` [1, C, H, W]: (at its edges, in its even half).

    Counted where `around` [1, 1, H, W] is above 0.5; the first is the 97th percentile over pixels, the second the 40th. Of fewer
    than 64 pixels it returns (1e3, 1e-3), with which the caller changes nothing.
    """
    grey = image.mean(dim=1, keepdim=True)
    power = blur((grey - blur(grey, 1.0)).square(), 2.0)[around > 0.5]
    if power.numel() < 64:
        return 1e3, 1e-3  # nothing to compare: leave the picture as it is
    ordered = power.sort().values.sqrt()
    return float(ordered[int(0.97 * len(ordered))]) + 1e-3, float(ordered[int(0.4 * len(ordered))]) + 1e-3
