"""StyleGAN3 (Karras et al. 2021, arXiv 2106.12423), configurations T and R: alias-free, no noise, no skips.

Fourier features, rotated and shifted by the first style -> layers that work on a grid with a margin around the picture. Each
layer: modulated convolution; upsampling; leaky ReLU; low-pass filter and downsampling to the next grid. Filters and paddings
follow from each layer's place in the progression of cutoffs; published files contain them.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ModelRefused
from core.generator.architecture import MAPPING, with_random_weights
from core.generator.base import FileGenerator
from core.generator.finish import Ending, finish
from core.generator.mapping import Mapping, MappingShape
from core.generator.ops import SLOPE, filtered, modulated
from core.generator.reading.mapping import nvidia_mapping
from core.generator.reading.parts import averaged, dense, has_module, has_numbers, module, numbers, option
from core.generator.registry import Converted, Family

_LARGEST = 8192  # pixels of a grid, and channels of a layer
# of appendix G: layers before the last, critically sampled ones among them, first cutoff and stopband, margin, taps
_LAYERS, _CRITICAL, _CUTOFF, _STOPBAND, _MARGIN, _TAPS = 14, 2, 2.0, 2**2.1, 10, 6


class Fourier(nn.Module):
    """The input layer: a sinusoid for each channel on a grid, rotated and shifted by a style."""

    transform: Tensor
    frequencies: Tensor
    phases: Tensor

    def __init__(self, shape: dict[str, Any], w_dim: int) -> None:
        super().__init__()
        channels, self.size, self.rate, self.bandwidth = (shape[name] for name in ("channels", "size", "rate", "bandwidth"))
        self.style = nn.Linear(w_dim, 4)  # cosine and sine of a rotation, not yet of length 1, and a shift
        self.weight = nn.Parameter(torch.empty(channels, channels))
        self.register_buffer("transform", torch.empty(3, 3))  # of the whole picture, as kept in the file
        self.register_buffer("frequencies", torch.empty(channels, 2))
        self.register_buffer("phases", torch.empty(channels))

    def forward(self, w: Tensor) -> Tensor:
        """Compute the features [N, channels, size, size] of w [N, w_dim]."""
        turn = self._transforms(w.float())
        frequencies = self.frequencies.float() @ turn[:, :2, :2]  # [N, C, 2]
        phases = self.phases.float() + (self.frequencies.float() @ turn[:, :2, 2:])[:, :, 0]
        # what a transform pushes out of the band that the grid can hold fades away
        excess = (frequencies.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)
        axis = (torch.arange(self.size, device=w.device) + 0.5 - self.size / 2) / self.rate
        across, down = axis[None, None, None, :], axis[None, None, :, None]
        waves = across * frequencies[:, :, :1, None] + down * frequencies[:, :, 1:, None] + phases[:, :, None, None]
        x = torch.sin(2 * math.pi * waves) * (1 - excess).clamp(0, 1)[:, :, None, None]
        return torch.einsum("oc,nchw->nohw", self.weight.float(), x).to(w.dtype)

    def _transforms(self, w: Tensor) -> Tensor:
        """Compute the transforms [N, 3, 3]: the style's rotation, then its shift, then the file's transform."""
        t = F.linear(w, self.style.weight.float(), self.style.bias.float())
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        zero, one = torch.zeros_like(t[:, 0]), torch.ones_like(t[:, 0])
        rotation = torch.stack([t[:, 0], -t[:, 1], zero, t[:, 1], t[:, 0], zero, zero, zero, one], dim=1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -t[:, 2], zero, one, -t[:, 3], zero, zero, one], dim=1).view(-1, 3, 3)
        return rotation @ shift @ self.transform.float()


class Layer(nn.Module):
    """A layer from one grid to the next. The last one makes colours and has neither filter nor activation."""

    gain: Tensor

    def __init__(self, shape: dict[str, Any], w_dim: int) -> None:
        super().__init__()
        inputs, outputs, size = shape["inputs"], shape["outputs"], shape["kernel"]
        self.up, self.down, self.pad, self.clamp = shape["up"], shape["down"], tuple(shape["pad"]), shape["clamp"]
        self.colours = shape["colours"]
        self.style = nn.Linear(w_dim, inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.register_buffer("gain", torch.empty(()))  # brings what comes in to unit deviation
        for name in ("up_filter", "down_filter"):
            self.register_buffer(name, torch.empty(shape[name]) if shape[name] else None)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = modulated(x, self.weight, self.style(w), demodulate=not self.colours, pad=self.weight.shape[-1] - 1)
        loud = 1 if self.colours else 2**0.5  # comes after the leaky ReLU, which keeps a factor above 0
        x = x * (self.gain * loud) + (self.bias * loud)[:, None, None]
        x = _with(x, self.up_filter, up=self.up, pad=self.pad)
        x = finish(x, None, None, torch.zeros_like(self.bias), Ending(1 if self.colours else SLOPE, self.clamp))
        return _with(x, self.down_filter, down=self.down)


def _with(x: Tensor, kernel: Any, up: int = 1, down: int = 1, pad: Any = (0, 0, 0, 0)) -> Tensor:
    """Filter x as `filtered` does, or, if the kernel is None, only pad or crop it."""
    if kernel is None:
        return F.pad(x, pad) if any(pad) else x
    return filtered(x, kernel, up, down, pad)


class StyleGAN3(FileGenerator):
    """A StyleGAN3 as a Generator; see core.generator.protocol for shapes."""

    def __init__(self, shape: dict[str, Any], digest: str = "") -> None:
        super().__init__(shape, digest)
        self.mapping_network = Mapping(MappingShape(**shape["mapping"]))
        self.z_dim, self.w_dim = self.mapping_network.shape.z_dim, self.mapping_network.shape.w_dim
        self.label_dim = self.mapping_network.shape.label_dim
        self.resolution, self.scale = int(shape["resolution"]), float(shape["scale"])
        layers = shape["layers"]
        self.rates = [int(layer["rate"]) for layer in layers]
        self.num_ws = 1 + len(layers)
        self.style_resolutions = (int(shape["input"]["rate"]), *self.rates)
        self.input = Fourier(shape["input"], self.w_dim)
        self.layers = nn.ModuleList(Layer(layer, self.w_dim) for layer in layers)
        self.register_buffer("w_avg", torch.empty(self.w_dim))

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map z [N, z_dim] and labels [N, label_dim] (None: the class `label`) to w [N, w_dim]."""
        return self.mapping_network(z.to(self.w_avg.device), self.label if labels is None else labels)  # type: ignore[no-any-return]

    def style_weights(self) -> list[Tensor]:
        return [part.style.weight for part in (self.input, *self.layers)]

    def features(self, ws: Tensor, side: int) -> Tensor:
        """Compute the features of the last layer on a grid of `side` pixels a picture, without its margin: [N, C, side, side].

        Raises ValueError if no layer has that grid.
        """
        if side not in self.rates:
            raise ValueError(f"no layer's grid has {side} pixels")
        x, last = self.input(ws[:, 0]), len(self.rates) - 1 - self.rates[::-1].index(side)
        for index in range(last + 1):
            x = self.layers[index](x, ws[:, index + 1])
        margin = (x.shape[-1] - side) // 2
        return x[:, :, margin : margin + side, margin : margin + side]  # type: ignore[no-any-return]

    def synthesis(self, ws: Tensor) -> Tensor:
        assert ws.shape[1:] == (self.num_ws, self.w_dim), ws.shape
        x = self.input(ws[:, 0])
        for index, layer in enumerate(self.layers):
            x = layer(x, ws[:, index + 1])
        return x * self.scale  # type: ignore[no-any-return]

    def forward(self, ws: Tensor) -> Tensor:
        return self.synthesis(ws)


def convert(tree: Any) -> Converted | None:
    """Convert NVIDIA's PyTorch pickle of either configuration; None for other content. Raises ModelRefused."""
    record = averaged(tree)
    if record is None or not has_module(record, "synthesis") or not has_module(module(record, "synthesis"), "input"):
        return None
    synthesis = module(record, "synthesis")
    mapping, tensors = nvidia_mapping(module(record, "mapping"))
    names = option(synthesis, "layer_names", [])
    fourier, tensors_of_input = _fourier(module(synthesis, "input"))
    tensors |= {f"input.{name}": tensor for name, tensor in tensors_of_input.items()}
    layers = []
    for index, name in enumerate(names):
        layer, found = _layer(module(synthesis, str(name)))
        layers.append(layer)
        tensors |= {f"layers.{index}.{key}": tensor for key, tensor in found.items()}
    if not layers or layers[-1]["outputs"] != 3:
        raise ModelRefused(reason=f"it draws pictures of {layers[-1]['outputs'] if layers else 0} colours instead of 3")
    side = int(option(synthesis, "img_resolution"))
    shape = {"mapping": mapping, "input": fourier, "layers": layers, "resolution": side,
             "scale": float(option(synthesis, "output_scale", 1))}  # fmt: skip
    return Converted(f"StyleGAN3 (PyTorch), {side} pixels", shape, tensors)


def _fourier(record: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    weight = numbers(record, "weight")
    style_weight, style_bias = dense(module(record, "affine"))
    shape = {"channels": len(weight), "size": _side(option(record, "size")),
             "rate": float(option(record, "sampling_rate")), "bandwidth": float(option(record, "bandwidth"))}  # fmt: skip
    return shape, {
        "weight": weight / len(weight) ** 0.5, "style.weight": style_weight, "style.bias": style_bias,
        "transform": numbers(record, "transform"), "frequencies": numbers(record, "freqs"), "phases": numbers(record, "phases"),
    }  # fmt: skip


def _layer(record: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    weight, colours = numbers(record, "weight"), bool(option(record, "is_torgb"))
    style_weight, style_bias = dense(module(record, "affine"))
    if colours:
        scale = weight[0].numel() ** -0.5
        style_weight, style_bias = style_weight * scale, style_bias * scale
    else:
        weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
    found = {"weight": weight, "bias": numbers(record, "bias"), "style.weight": style_weight, "style.bias": style_bias,
             "gain": numbers(record, "magnitude_ema").rsqrt().reshape(())}  # fmt: skip
    shape = {
        "inputs": weight.shape[1], "outputs": weight.shape[0], "kernel": weight.shape[-1], "colours": colours,
        "up": _factor(option(record, "up_factor")), "down": _factor(option(record, "down_factor")),
        "pad": [_padding(pixels) for pixels in option(record, "padding")],
        "clamp": None if option(record, "conv_clamp") is None else float(option(record, "conv_clamp")),
        "rate": min(int(option(record, "out_sampling_rate")), _LARGEST),
    }  # fmt: skip
    for name in ("up_filter", "down_filter"):
        there = has_numbers(record, name)
        shape[name] = list(numbers(record, name).shape) if there else None
        found |= {name: numbers(record, name)} if there else {}
    return shape, found


def _side(size: Any) -> int:
    """Read the only number of [width, height], which must be equal. Raises ModelRefused."""
    sides = {int(side) for side in (size if isinstance(size, list | tuple) else [size])}
    if len(sides) != 1 or not 0 < min(sides) <= _LARGEST:
        raise ModelRefused(reason=f"a grid of {size} pixels")
    return sides.pop()


def _factor(factor: Any) -> int:
    if not 1 <= int(factor) <= 8:
        raise ModelRefused(reason=f"a layer that changes the side by {factor}")
    return int(factor)


def _padding(pixels: Any) -> int:
    if abs(int(pixels)) > _LARGEST:
        raise ModelRefused(reason=f"a layer that pads by {pixels} pixels")
    return int(pixels)


def _published(side: int, *, rotates: bool) -> StyleGAN3:
    """Make configuration T, or R: 1x1 convolutions, twice as wide, and radially symmetric filters."""
    steps = [min(index / (_LAYERS - _CRITICAL), 1.0) for index in range(_LAYERS + 1)]
    cutoffs = [_CUTOFF * (side / 2 / _CUTOFF) ** step for step in steps]
    stopbands = [_STOPBAND * (side / 2 * 2**0.3 / _STOPBAND) ** step for step in steps]
    rates = [2 ** math.ceil(math.log2(min(2 * stopband, side))) for stopband in stopbands]
    sizes = [*(rate + 2 * _MARGIN for rate in rates[:-2]), side, side]
    base, most, kernel = (65536, 1024, 1) if rotates else (32768, 512, 3)
    widths = [*(round(min(base / 2 / cutoff, most)) for cutoff in cutoffs[:-1]), 3]
    layers = []
    for index in range(_LAYERS + 1):
        before, colours = max(index - 1, 0), index == _LAYERS
        inside = max(rates[before], rates[index]) * (1 if colours else 2)
        up, down = inside // rates[before], inside // rates[index]
        up_taps, down_taps = (1 if colours or factor == 1 else _TAPS * factor for factor in (up, down))
        size = 1 if colours else kernel
        pad = (sizes[index] - 1) * down + 1 - (sizes[before] + size - 1) * up + up_taps + down_taps - 2
        pads = [(pad + up) // 2, pad - (pad + up) // 2] * 2
        radial = rotates and cutoffs[index] * 2 < rates[index]
        filters: dict[str, Any] = {"up_filter": [up_taps] if up_taps > 1 else None, "down_filter": None}
        if down_taps > 1:
            filters["down_filter"] = [down_taps] * (2 if radial else 1)
        layers.append({"inputs": widths[before], "outputs": widths[index], "kernel": size, "colours": colours, "up": up,
                       "down": down, "pad": pads, "clamp": 256.0, "rate": rates[index], **filters})  # fmt: skip
    entry = {"channels": widths[0], "size": sizes[0], "rate": float(rates[0]), "bandwidth": cutoffs[0]}
    mapping = {**MAPPING, "layers": 2}
    made = StyleGAN3({"mapping": mapping, "input": entry, "layers": layers, "resolution": side, "scale": 0.25})
    return with_random_weights(made, {"transform": torch.eye(3)}, {"frequencies", "phases"})


FAMILY = Family(
    StyleGAN3.load, convert,
    {"stylegan3-t": partial(_published, rotates=False), "stylegan3-r": partial(_published, rotates=True)},
)  # fmt: skip
