"""Operations that the StyleGAN families share: low-pass filters with up- and downsampling, and modulated convolutions."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input

from core.generator.finish import scaled

SLOPE = 0.2  # of every leaky ReLU of these families
_TINY = 1e-12  # a factor this small counts as none
_CACHED = 2**20  # numbers that a core's cache holds
_SMALL = 4  # taps up to which one pass with the whole kernel takes less time than one along each axis


def filtered(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Tensor:
    """Insert zeros between pixels, pad, convolve with a low-pass kernel, and keep every `down`-th pixel.

    x [N, C, H, W]; `kernel` [K] (applied along both axes) or [K, K]; `pad` is left, right, top, bottom, negative to crop. The
    kernel is multiplied by up squared, so that the inserted zeros don't darken the picture.
    """
    kernel = kernel.to(x.dtype).flip(list(range(kernel.ndim)))  # torch correlates, a filter convolves
    if kernel.ndim == 1 and len(kernel) > _SMALL:
        x = _spread(x, up, pad)
        across, along = kernel * up, (kernel * up)[:, None]
        return _by_kernel(_by_kernel(x, across[None], (1, down)), along, (down, 1))
    kernel = (torch.outer(kernel, kernel) if kernel.ndim == 1 else kernel) * up**2
    even = up == 1 and len(set(pad)) == 1 and pad[0] >= 0  # then the convolution pads by itself, without a copy
    x = x if even else _spread(x, up, pad)
    return _by_kernel(x, kernel, (down, down), pad[0] if even else 0)


def _by_kernel(x: Tensor, kernel: Tensor, stride: tuple[int, int], padding: int = 0) -> Tensor:
    """Correlate each channel of x [N, C, H, W] with a fixed kernel [K, L], keeping nothing of x for the gradient."""
    if torch.compiler.is_compiling() or not (torch.is_grad_enabled() and x.requires_grad):
        return _correlated(x, kernel, stride, padding)
    done: Tensor = _ByKernel.apply(x, kernel, stride, padding)  # type: ignore[no-untyped-call]
    return done


def _correlated(x: Tensor, kernel: Tensor, stride: tuple[int, int], padding: int) -> Tensor:
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), stride=stride, padding=padding, groups=channels)


class _ByKernel(torch.autograd.Function):
    """torch's own convolution keeps x, for a gradient by the kernel, which is fixed: most of what a projection would hold."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: tuple[int, int], padding: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.shape, ctx.stride, ctx.padding = x.shape, stride, padding
        return _correlated(x, kernel, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        (kernel,) = ctx.saved_tensors
        channels = ctx.shape[1]
        weight = kernel.expand(channels, 1, -1, -1)
        of_x: Tensor = conv2d_input(ctx.shape, weight, slopes, ctx.stride, ctx.padding, groups=channels)  # type: ignore[no-untyped-call]
        return of_x, None, None, None


def styled_depthwise(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Convolve each channel of x [1, C, H, W] with its own kernel [C, 1, 3, 3] times its factor of `style` [C]."""
    learning = torch.is_grad_enabled() and x.requires_grad and not weight.requires_grad and not torch.compiler.is_compiling()
    if learning and x.dtype == torch.float32:  # what it takes in half precision was not measured
        done: Tensor = _StyledDepthwise.apply(x, weight, style)  # type: ignore[no-untyped-call]
        return done
    return F.conv2d(x, weight * style[:, None, None, None], padding=1, groups=x.shape[1])


class _StyledDepthwise(torch.autograd.Function):
    """Without the gradient by the kernels, which takes torch more time than the other: x and its own gradient tell the style's.

    The gradient by x is linear in a channel's factor, and so the sum of x times it is the factor times the gradient by it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, style)
        return F.conv2d(x, weight * style[:, None, None, None], padding=1, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, style = ctx.saved_tensors
        factors = torch.where(style.abs() < _TINY, _TINY, style)  # not zero, which would hide what it is the factor of
        kernels = weight * factors[:, None, None, None]
        # the gradient by x is a convolution too, with the kernels turned; torch's own way there takes longer
        of_x = F.conv2d(slopes, kernels.flip(2, 3), padding=1, groups=x.shape[1])
        return of_x, None, _summed(x, of_x) / factors


def _summed(x: Tensor, y: Tensor) -> Tensor:
    """Sum the products of x and y, both [N, C, H, W], over all but the channels: [C]. A few rows at a time stay in the cache."""
    rows = max(1, _CACHED // x[:, :, :1].numel())
    parts = zip(torch.split(x, rows, dim=2), torch.split(y, rows, dim=2), strict=True)
    return torch.stack([(one * other).sum(dim=(0, 2, 3)) for one, other in parts]).sum(dim=0)


def _spread(x: Tensor, up: int, pad: tuple[int, int, int, int]) -> Tensor:
    """Insert `up` - 1 zeros after each pixel along both axes, and pad."""
    if up > 1:
        n, channels, height, width = x.shape
        spread = x.new_zeros(n, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = x
        x = spread.reshape(n, channels, height * up, width * up)
    return F.pad(x, pad) if any(pad) else x


def separable(kernel: Tensor) -> Tensor:
    """Split a kernel [K, K] into the [K] whose outer product with itself it is; a kernel without one is returned as it is."""
    if kernel.ndim == 1:
        return kernel
    line = kernel.sum(dim=0)
    same = torch.allclose(torch.outer(line, line), kernel, atol=1e-7, rtol=1e-5)
    return line if same else kernel


def doubled(images: Tensor, kernel: Tensor) -> Tensor:
    """Enlarge images to twice the side, with a low-pass kernel of even size, as StyleGAN2 does before it adds a larger image."""
    taps = kernel.shape[-1]
    before, after = (taps + 1) // 2, (taps - 2) // 2
    return filtered(images, kernel, up=2, pad=(before, after, before, after))


def modulated(
    x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, up: Tensor | None = None, pad: int | None = None
) -> Tensor:
    """Convolve with input channels scaled by the styles (StyleGAN2, Karras et al. 2020, section 2.2).

    x [N, I, H, W], weight [O, I, K, K] with K odd, styles [N, I]. `demodulate` scales each output channel to unit deviation,
    assuming inputs of unit deviation. With a low-pass kernel `up` the output has twice the side. `pad` is the number of zeros
    around x; None keeps the side.
    """
    x, scale = half_modulated(x, weight, styles, demodulate, up, pad)
    return x if scale is None else x * scale[:, :, None, None]


def half_modulated(
    x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, up: Tensor | None = None, pad: int | None = None, gain: float = 1
) -> tuple[Tensor, Tensor | None]:
    """Do all of `modulated`, times `gain`, but multiply by a scale [N, O] that is returned with the result; None for 1.

    The styles of one image go into the weights, where these are fewer than the pixels. Where a gradient is wanted they go into
    the pixels, because a gradient for the weights takes as long as another convolution; not so for a picture's three colours.
    """
    if x.dtype == torch.float16 and demodulate:  # both scales cancel; without them squares could exceed 65,504
        weight = weight / weight.abs().amax(dim=(1, 2, 3), keepdim=True)
        styles = styles / styles.abs().amax(dim=1, keepdim=True)
    squares = torch.linalg.vector_norm(weight.float(), dim=(2, 3)).square()  # [O, I]
    scale = (styles.float().square() @ squares.T + 1e-8).rsqrt().mul(gain).to(x.dtype) if demodulate else None
    learning = torch.is_grad_enabled() and styles.requires_grad
    if len(x) == 1 and weight.numel() < x.numel() and (not learning or len(weight) == 3):
        weight = weight * styles[0, :, None, None]
        weight = weight * (gain if scale is None else scale[0, :, None, None, None])
        return convolved(x, weight, up, pad), None
    x = convolved(scaled(x, styles), weight, up, pad)
    return (x, scale) if scale is not None or gain == 1 else (x * gain, None)


def convolved(x: Tensor, weight: Tensor, up: Tensor | None = None, pad: int | None = None) -> Tensor:
    """Convolve with a weight [O, I, K, K], keeping the side unless `pad` says otherwise.

    With a low-pass kernel `up` the side is doubled by a transposed convolution, in which the weight acts mirrored.
    """
    size = weight.shape[-1]
    if up is None:
        return F.conv2d(x, weight, padding=size // 2 if pad is None else pad)
    if size == 1:
        return doubled(F.conv2d(x, weight), up)
    taps = up.shape[-1]
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    before, after = size // 2 + (taps + 1) // 2 - (size - 1), size // 2 + (taps - 2) // 2 - (size - 2)
    return filtered(x, up * (2 if up.ndim == 1 else 4), pad=(before, after, before, after))


def doubling(weight: Tensor, fused: bool) -> Tensor:
    """Combine repeating each pixel 2x2 and a convolution [O, I, 3, 3] into one transposed convolution [O, I, 4, 4].

    A `fused` weight is a transposed convolution's already, and acts mirrored.
    """
    padded = F.pad(weight if fused else weight.flip(2, 3), (1, 1, 1, 1))
    return padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]


def unit(x: Tensor) -> Tensor:
    """Divide each vector (dimension 1) by its root mean square (PixelNorm, Karras et al. 2018)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
