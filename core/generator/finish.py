"""What follows a convolution of StyleGAN2: demodulation, noise, bias, activation and clamp, with few passes over memory.

Features of 1024 pixels take 128 MB, far more than a cache: one operation after the other on all of them takes as long as half
the convolution. So all operations are done on a few channels at a time, in place; and the gradient needs only the result.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def _pieces(x: Tensor) -> list[slice]:
    """Divide the channels of x [N, O, H, W] into pieces that fit a cache; a GPU takes them all at once."""
    count = x.shape[1] if x.device.type != "cpu" else max(1, _PIECE // max(1, x[0, 0].numel()))
    return [slice(first, first + count) for first in range(0, x.shape[1], count)]


def _in_place(x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor, ending: Ending) -> bool:
    """Do it in place. Returns whether anything was cut, or may have been."""
    cut = False
    for piece in _pieces(x):
        part = x[:, piece]
        if scale is not None:
            part.mul_(scale[:, piece, None, None])
        if noise is not None:
            part.add_(noise)
        part.add_(bias[piece, None, None])
        if ending.slope != 1:
            F.leaky_relu_(part, ending.slope)
        if ending.limit is not None and (x.device.type != "cpu" or float(part.abs().amax()) > ending.limit):
            part.clamp_(-ending.limit, ending.limit)
            cut = True
    return cut


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
        out = torch.empty_like(y)
        of_scale = None if scale is None else torch.empty_like(scale)
        of_noise = torch.zeros_like(y[:, :1]) if noise is not None and ctx.needs_input_grad[2] else None
        of_bias = torch.empty_like(bias)
        for piece in _pieces(y):
            part, slope = y[:, piece], slopes[:, piece]
            if ctx.cut and ending.limit is not None:
                slope = torch.ops.aten.hardtanh_backward(slope, part, -ending.limit, ending.limit)
            g = slope if ending.slope == 1 else torch.ops.aten.leaky_relu_backward(slope, part, ending.slope, True)
            of_bias[piece] = (sums := g.sum(dim=(2, 3))).sum(dim=0)
            if of_noise is not None:
                of_noise += g.sum(dim=1, keepdim=True)
            if of_scale is None:
                out[:, piece] = g
                continue
            known = sums * bias[piece] if noise is None else sums * bias[piece] + _dot(g, noise)
            of_scale[:, piece] = (_dot(slope, part) - known) / scale[:, piece]
            torch.mul(g, scale[:, piece, None, None], out=out[:, piece])
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
