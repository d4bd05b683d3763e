"""What follows a convolution of StyleGAN2: demodulation, noise, bias, activation and clamp, with few passes over memory.

Features of 1024 pixels take 128 MB, far more than a cache: one operation after the other on all of them takes as long as half
the convolution. So all operations are done on a few channels, or rows of one, at a time, in place; and the gradient needs no more
than the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_PIECE = 2**18  # numbers: about what the second cache of a core holds


@dataclass(frozen=True)
class Ending:
    """How a layer ends: the slope of its leaky ReLU below 0 (1 for none), and the size at which features are cut, or None."""

    slope: float
    limit: float | None


def finish(x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor, ending: Ending) -> Tensor:
    """Compute activation(x * scale + noise + bias), cut at +-limit. May change x, which nobody else may need.

    x [N, O, H, W]; `scale` [N, O] or None for 1; `noise` [H, W] or [N, 1, H, W] or None; `bias` [O].
    """
    if torch.compiler.is_compiling():  # a compiler fuses operations itself, if it can see them
        return _whole(x, scale, noise, bias, ending)
    given = [one for one in (x, scale, noise, bias) if one is not None]
    if torch.is_grad_enabled() and any(one.requires_grad for one in given):
        done: Tensor = _Finish.apply(x, scale, noise, bias, ending)  # type: ignore[no-untyped-call]
        return done
    _in_place(x, scale, noise, bias, ending)
    return x


def _whole(x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor, ending: Ending) -> Tensor:
    x = x if scale is None else x * scale[:, :, None, None]
    x = x if noise is None else x + noise
    x = F.leaky_relu(x + bias[:, None, None], ending.slope)
    return x if ending.limit is None else x.clamp(-ending.limit, ending.limit)


def _pieces(x: Tensor) -> Iterator[tuple[slice, slice]]:
    """Divide the channels and rows of x [N, O, H, W] into pieces that fit a cache; a GPU takes them all at once."""
    channels, height, width = x.shape[1:]
    rows = height if x.device.type != "cpu" else min(height, max(1, _PIECE // width))
    count = channels if x.device.type != "cpu" else max(1, _PIECE // (rows * width))
    for first, top in product(range(0, channels, count), range(0, height, rows)):
        yield slice(first, first + count), slice(top, top + rows)


def _in_place(x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor, ending: Ending) -> bool:
    """Do it in place. Returns whether anything was cut, or may have been."""
    cut = False
    for piece, rows in _pieces(x):
        part = x[:, piece, rows]
        if scale is not None:
            part.mul_(scale[:, piece, None, None])
        if noise is not None:
            part.add_(noise[..., rows, :])
        part.add_(bias[piece, None, None])
        if ending.slope != 1:
            F.leaky_relu_(part, ending.slope)
        if ending.limit is not None and (x.device.type != "cpu" or _largest(part) > ending.limit):
            part.clamp_(-ending.limit, ending.limit)
            cut = True
    return cut


def _largest(x: Tensor) -> float:
    low, high = torch.aminmax(x)
    return max(-float(low), float(high))


class _Finish(torch.autograd.Function):
    """`finish` with its gradient.

    With y the result before it is cut, p what the activation is given and g the gradient for p, g * p is the gradient for y
    times y: both slopes cancel. So no more than y is kept, and x is not needed.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor, ending: Ending
    ) -> Tensor:  # fmt: skip
        ctx.mark_dirty(x)
        ctx.ending, ctx.cut = ending, _in_place(x, scale, noise, bias, ending)
        ctx.save_for_backward(x, scale, noise, bias)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        y, scale, noise, bias = ctx.saved_tensors
        ending: Ending = ctx.ending
        out, of_bias = torch.empty_like(y), torch.zeros_like(bias)
        of_scale = None if scale is None else torch.zeros_like(scale)
        of_noise = torch.zeros_like(y[:, :1]) if noise is not None and ctx.needs_input_grad[2] else None
        for piece, rows in _pieces(y):
            part, slope = y[:, piece, rows], slopes[:, piece, rows]
            if ctx.cut and ending.limit is not None:
                slope = torch.ops.aten.hardtanh_backward(slope, part, -ending.limit, ending.limit)
            g = slope if ending.slope == 1 else torch.ops.aten.leaky_relu_backward(slope, part, ending.slope, True)
            of_bias[piece] += (sums := g.sum(dim=(2, 3))).sum(dim=0)
            if of_noise is not None:
                of_noise[:, :, rows] += g.sum(dim=1, keepdim=True)
            if of_scale is None:
                out[:, piece, rows] = g
                continue
            known = sums * bias[piece] if noise is None else sums * bias[piece] + _dot(g, noise[..., rows, :])
            of_scale[:, piece] += (_dot(slope, part) - known) / scale[:, piece]
            torch.mul(g, scale[:, piece, None, None], out=out[:, piece, rows])
        if of_noise is not None:
            of_noise = of_noise.sum_to_size(noise.shape)
        return out, of_scale, of_noise, of_bias, None


def scaled(x: Tensor, factors: Tensor) -> Tensor:
    """Multiply the channels of x [N, I, H, W] by factors [N, I], with a gradient in fewer passes than torch's own."""
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return x * factors[:, :, None, None]
    done: Tensor = _Scaled.apply(x, factors)  # type: ignore[no-untyped-call]
    return done


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor) -> Tensor:
        ctx.save_for_backward(x, factors)
        return x * factors[:, :, None, None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, factors = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return slopes * factors[:, :, None, None] if wanted[0] else None, _dot(slopes, x) if wanted[1] else None


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Sum the product of [N, C, H, W] and [N, C, H, W], [N, 1, H, W] or [H, W] over all positions: [N, C]."""
    if other.ndim == 2:
        return one.flatten(2) @ other.flatten()
    n, channels = one.shape[:2]
    if other.shape[1] != channels:
        return (one.flatten(2) @ other.flatten(2).mT)[:, :, 0]
    sides = one.shape[2] * one.shape[3]
    return torch.bmm(one.reshape(n * channels, 1, sides), other.reshape(n * channels, sides, 1)).view(n, channels)
