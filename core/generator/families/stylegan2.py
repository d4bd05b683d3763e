"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958) and StyleGAN2-ADA (arXiv 2006.06676) of any side, width and label.

4x4 constant -> for each side a block of modulated convolutions, the first of which doubles the side. The architecture tells
how features become the picture: "skip" adds up a picture of every block; "resnet" and "orig" draw only from the last block,
and "resnet" adds to each block's output a shortcut from its input. A block's picture is modulated by the style after those of
its convolutions, which is also the first style of the next block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.generator.architecture import MAPPING, widths, with_random_weights
from core.generator.base import FileGenerator, NoiseMode, noise_for
from core.generator.finish import Ending, finish
from core.generator.mapping import ACTIVATIONS, Mapping, MappingShape
from core.generator.ops import SLOPE, convolved, doubled, half_modulated, modulated
from core.generator.registry import Converted, Family

ARCHITECTURES = ("skip", "resnet", "orig")
_HALF = 0.5**0.5


class Layer(nn.Module):
    """A layer: style, modulated convolution, noise, bias, activation."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, shape: dict[str, Any]) -> None:
        super().__init__()
        size, activation, clamp = shape.get("size", 3), shape["activation"], shape["clamp"]
        self.style = nn.Linear(w_dim, inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.noise_strength = nn.Parameter(torch.empty(()))
        self.register_buffer("noise", torch.empty(side, side))
        self.slope, self.clamp = {"lrelu": SLOPE, "relu": 0.0, "linear": 1.0}[activation], clamp
        self.gain = 1.0 if activation == "linear" else 2**0.5

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None, up: Tensor | None = None, gain: float = 1.0) -> Tensor:
        """Compute [N, O, H, W] of x [N, I, H, W] and w [N, w_dim]; twice the side if `up`, a low-pass kernel, is given.

        `noise` is [side, side] or [N, 1, side, side], or None for none.
        """
        loud = self.gain * gain  # these activations keep a factor above 0: it goes into all that they are given
        x, scale = half_modulated(x, self.weight, self.style(w), demodulate=True, up=up, gain=loud)
        if noise is not None:
            noise = noise.to(x.dtype) * (self.noise_strength * loud)
        ending = Ending(self.slope, None if self.clamp is None else self.clamp * gain)
        return finish(x, scale, noise, self.bias * loud, ending)


class ToPicture(nn.Module):
    """A modulated 1x1 convolution to three colours."""

    def __init__(self, inputs: int, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.style = nn.Linear(w_dim, inputs)
        self.weight = nn.Parameter(torch.empty(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = modulated(x, self.weight, self.style(w), demodulate=False) + self.bias[:, None, None]
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class Block(nn.Module):
    """The layers of one side: two, or one at 4 pixels."""

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, shape: dict[str, Any], last: bool) -> None:
        super().__init__()
        self.side, self.architecture = side, shape["architecture"]
        self.first = Layer(inputs, outputs, side, w_dim, shape) if side > 4 else None
        self.second = Layer(outputs, outputs, side, w_dim, shape)
        self.picture = ToPicture(outputs, w_dim, shape["clamp"]) if last or self.architecture == "skip" else None
        self.around = nn.Parameter(torch.empty(outputs, inputs, 1, 1)) if side > 4 and self.architecture == "resnet" else None

    def layers(self) -> list[Layer]:
        return [self.second] if self.first is None else [self.first, self.second]

    def forward(self, x: Tensor, ws: Tensor, noise: Iterator[Tensor | None], up: Tensor) -> Tensor:
        """Compute the features of this side from x of half the side and ws [N, 1 or 2, w_dim]."""
        if self.first is None:
            return self.second(x, ws[:, 0], next(noise))  # type: ignore[no-any-return]
        if self.around is None:
            return self.second(self.first(x, ws[:, 0], next(noise), up), ws[:, 1], next(noise))  # type: ignore[no-any-return]
        y: Tensor = convolved(x, self.around, up) * _HALF
        x = self.second(self.first(x, ws[:, 0], next(noise), up), ws[:, 1], next(noise), gain=_HALF)
        return y + x


class StyleGAN2(FileGenerator):
    """A StyleGAN2 as a Generator; see core.generator.protocol for shapes."""

    kernel: Tensor
    picture_kernel: Tensor | None

    def __init__(self, shape: dict[str, Any], digest: str = "") -> None:
        super().__init__(shape, digest)
        channels = shape["channels"]
        for what, known in (("architecture", ARCHITECTURES), ("activation", ACTIVATIONS)):
            if shape[what] not in known:
                raise ValueError(f"its {what} is {shape[what]!r}, and only {', '.join(known)} are supported")
        self.mapping_network = Mapping(MappingShape(**shape["mapping"]))
        self.z_dim, self.w_dim = self.mapping_network.shape.z_dim, self.mapping_network.shape.w_dim
        self.label_dim = self.mapping_network.shape.label_dim
        sides = [4 * 2**i for i in range(len(channels))]
        self.resolution, self.num_ws = sides[-1], 2 * len(sides)
        self.style_resolutions = (4, *(side for side in sides[1:] for _ in range(2)), sides[-1])
        self.constant = nn.Parameter(torch.empty(channels[0], 4, 4))
        self.blocks = nn.ModuleList(
            Block(channels[max(i - 1, 0)], channels[i], side, self.w_dim, shape, side == sides[-1])
            for i, side in enumerate(sides)
        )
        self.register_buffer("kernel", torch.empty(shape["kernel"]))
        own = shape.get("picture_kernel")  # where pictures are enlarged by another filter than features
        self.register_buffer("picture_kernel", None if own is None else torch.empty(own))
        self.register_buffer("w_avg", torch.empty(self.w_dim))

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map z [N, z_dim] and labels [N, label_dim] (None: the class `label`) to w [N, w_dim]."""
        return self.mapping_network(z.to(self.w_avg.device), self.label if labels is None else labels)  # type: ignore[no-any-return]

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def noise_maps(self) -> list[Tensor]:
        return [layer.noise for block in self._blocks() for layer in block.layers()]

    def style_weights(self) -> list[Tensor]:
        weights: list[list[Tensor]] = [[] for _ in range(self.num_ws)]
        index = 0
        for block in self._blocks():
            for layer in block.layers():
                weights[index].append(layer.style.weight)
                index += 1
            if block.picture is not None:
                weights[index].append(block.picture.style.weight)
        return [torch.cat(of_style) for of_style in weights]

    def features(self, ws: Tensor, side: int) -> Tensor:
        for x, _, block in self._walk(ws, noise_for(ws, self.noise_maps(), None, "const")):
            if block.side == side:
                return x
        raise ValueError(f"no block ends at {side} pixels")

    def synthesis(self, ws: Tensor, noise: Sequence[Tensor] | None = None, noise_mode: NoiseMode = "const") -> Tensor:
        assert ws.shape[1:] == (self.num_ws, self.w_dim), ws.shape
        image: Tensor | None = None
        kernel = self.kernel if self.picture_kernel is None else self.picture_kernel
        for x, w, block in self._walk(ws, noise_for(ws, self.noise_maps(), noise, noise_mode)):
            image = doubled(image, kernel) if image is not None else None
            if block.picture is not None:
                drawn: Tensor = block.picture(x, w)
                drawn = drawn.float() if drawn.dtype in (torch.float16, torch.bfloat16) else drawn  # a sum over all sides
                image = drawn if image is None else image + drawn
        assert image is not None
        return image

    def forward(self, ws: Tensor) -> Tensor:
        return self.synthesis(ws)

    def _walk(self, ws: Tensor, noise: Iterator[Tensor | None]) -> Iterator[tuple[Tensor, Tensor, Block]]:
        """Yield for each block its features, the style of its picture, and the block."""
        x, index = self.constant.expand(len(ws), -1, -1, -1), 0
        for block in self._blocks():
            count = len(block.layers())
            x = block(x, ws[:, index : index + count], noise, self.kernel)
            index += count
            yield x, ws[:, index], block


def _convert(tree: Any) -> Converted | None:
    from core.generator.reading.stylegan2 import convert  # here: those who only draw need no readers

    return convert(tree)


def _published(side: int) -> StyleGAN2:
    """Make configuration F."""
    shape = {"channels": widths(side, 32768), "architecture": "skip", "activation": "lrelu", "clamp": 256.0, "kernel": [4, 4]}
    return with_random_weights(StyleGAN2({**shape, "mapping": MAPPING}))


FAMILY = Family(StyleGAN2.load, _convert, {"stylegan2": _published})
