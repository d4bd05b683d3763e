"""The Haar wavelet step of 2x2 pixels and back, which a generator that draws in bands spends much of its time in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def inverse_haar(x: Tensor) -> Tensor:
    """Apply the orthonormal 2x2 inverse Haar transform: [N, 4C, H, W] (all channels of LL, then LH, HL, HH) -> [N, C, 2H, 2W]."""
    return twice_inverse_haar(x / 2)


def forward_haar(images: Tensor) -> Tensor:
    """Apply the Haar transform [N, C, 2H, 2W] -> [N, 4C, H, W], the inverse of `inverse_haar`."""
    return _to_bands(images / 2)


class _InverseHaar(torch.autograd.Function):
    """Twice the inverse transform, with its gradient written out: autograd's own would take twice the memory traffic."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _to_pixels(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _to_bands(gradient)


def twice_inverse_haar(x: Tensor) -> Tensor:
    """Apply `inverse_haar` and multiply by 2: the factor of 1/2 may be contained in what comes before."""
    return _InverseHaar.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def _to_pixels(x: Tensor) -> Tensor:
    n, channels, h, w = x.shape
    ll, lh, hl, hh = torch.split(x.permute(0, 2, 3, 1), channels // 4, dim=3)
    top, bottom, top_high, bottom_high = ll + lh, ll - lh, hl + hh, hl - hh  # the vertical step
    if torch.compiler.is_compiling():  # a compiler finds the places itself, and does not take them as `out`
        above = torch.stack([top + top_high, top - top_high], dim=3)
        below = torch.stack([bottom + bottom_high, bottom - bottom_high], dim=3)
        return torch.stack([above, below], dim=2).view(n, 2 * h, 2 * w, channels // 4).permute(0, 3, 1, 2)
    out = x.new_empty(n, h, 2, w, 2, channels // 4)
    # straight to where they belong: a shuffle afterwards would read and write everything once more
    torch.add(top, top_high, out=out[:, :, 0, :, 0])
    torch.sub(top, top_high, out=out[:, :, 0, :, 1])
    torch.add(bottom, bottom_high, out=out[:, :, 1, :, 0])
    torch.sub(bottom, bottom_high, out=out[:, :, 1, :, 1])
    return out.view(n, 2 * h, 2 * w, channels // 4).permute(0, 3, 1, 2)


def _to_bands(y: Tensor) -> Tensor:
    n, c, h, w = y.shape
    quads = y.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c)
    a, b, d, e = quads[:, :, 0, :, 0], quads[:, :, 0, :, 1], quads[:, :, 1, :, 0], quads[:, :, 1, :, 1]
    out = y.new_empty(n, h // 2, w // 2, 4 * c)
    ll, lh, hl, hh = torch.split(out, c, dim=3)
    left, right, left_high, right_high = a + d, b + e, a - d, b - e
    torch.add(left, right, out=ll)
    torch.add(left_high, right_high, out=lh)
    torch.sub(left, right, out=hl)
    torch.sub(left_high, right_high, out=hh)
    return out.permute(0, 3, 1, 2)
