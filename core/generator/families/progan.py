"""Progressive GAN (Karras et al. 2018, arXiv 1710.10196). It has no w and no styles; z itself is the latent.

Normalised z -> 4x4 -> two 3x3 convolutions for each side, the first after repeating each pixel 2x2. A leaky ReLU follows
every convolution but the last, then the channels at each position are normalised. The picture is a 1x1 convolution of the
last features. As a Generator it has one style, z.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ModelRefused
from core.generator.architecture import widths, with_random_weights
from core.generator.base import FileGenerator
from core.generator.ops import SLOPE, doubling, unit
from core.generator.reading.parts import state_dict, wanted
from core.generator.registry import Converted, Family


class ProGAN(FileGenerator):
    """A Progressive GAN as a Generator; see core.generator.protocol for shapes."""

    def __init__(self, shape: dict[str, Any], digest: str = "") -> None:
        super().__init__(shape, digest)
        channels = shape["channels"]
        self.z_dim = self.w_dim = int(shape["z_dim"])
        sides = [4 * 2**i for i in range(len(channels))]
        self.resolution, self.num_ws, self.style_resolutions = sides[-1], 1, (4,)
        self.begin = nn.ConvTranspose2d(self.z_dim, channels[0], 4)  # of one pixel: a dense layer to 4x4
        self.grow = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(channels))
        self.same = nn.ModuleList(nn.Conv2d(count, count, 3, padding=1) for count in channels)
        self.picture = nn.Conv2d(channels[-1], 3, 1)
        self.register_buffer("w_avg", torch.empty(self.z_dim))

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return z [N, z_dim] itself, which is its w; no labels are taken."""
        return z.to(self.w_avg.device)

    def style_weights(self) -> list[Tensor]:
        return [self.begin.weight.flatten(1).T]

    def features(self, ws: Tensor, side: int) -> Tensor:
        assert ws.shape[1:] == (1, self.w_dim), ws.shape
        x = unit(ws[:, 0])[:, :, None, None]
        for index, same in enumerate(self.same):
            x = unit(F.leaky_relu((self.grow[index - 1] if index else self.begin)(x), SLOPE))
            x = unit(F.leaky_relu(same(x), SLOPE))
            if x.shape[-1] == side:
                return x
        raise ValueError(f"no layer draws {side} pixels")

    def synthesis(self, ws: Tensor) -> Tensor:
        return self.picture(self.features(ws, self.resolution))  # type: ignore[no-any-return]

    def forward(self, ws: Tensor) -> Tensor:
        return self.synthesis(ws)


def convert(tree: Any) -> Converted | None:
    """Convert the PyTorch form published by genforce; None for other content. Raises ModelRefused for an unsupported one."""
    state = state_dict(tree)
    if state is None or "layer0.wscale.bias" not in state or "output0.wscale.bias" not in state:
        return None
    if float(state.get("lod", torch.zeros(()))) != 0:
        raise ModelRefused(reason="its training has not grown to the full size")
    count = sum(re.fullmatch(r"output\d+\.wscale\.bias", name) is not None for name in state)
    first = wanted(state, "layer0.conv.weight")
    z_dim = first.shape[1]
    # a convolution over one pixel with a border of three: its weight mirrored is what a transposed one lays down
    tensors = {"begin.weight": (first.flip(2, 3) * _scale(first)).transpose(0, 1)}
    tensors["begin.bias"] = wanted(state, "layer0.wscale.bias")
    channels = []
    for index in range(count):
        same = wanted(state, f"layer{2 * index + 1}.conv.weight")
        tensors[f"same.{index}.weight"] = same * _scale(same)
        tensors[f"same.{index}.bias"] = wanted(state, f"layer{2 * index + 1}.wscale.bias")
        channels.append(len(same))
        if index:
            tensors[f"grow.{index - 1}.weight"] = _doubling(state, f"layer{2 * index}").transpose(0, 1)
            tensors[f"grow.{index - 1}.bias"] = wanted(state, f"layer{2 * index}.wscale.bias")
    picture = wanted(state, f"output{count - 1}.conv.weight")
    tensors["picture.weight"] = picture / picture.shape[1] ** 0.5
    tensors["picture.bias"] = wanted(state, f"output{count - 1}.wscale.bias")
    tensors["w_avg"] = torch.zeros(z_dim)
    shape = {"channels": channels, "z_dim": z_dim}
    return Converted(f"Progressive GAN (genforce), {4 * 2 ** (count - 1)} pixels", shape, tensors)


def _doubling(state: dict[str, Tensor], place: str) -> Tensor:
    if f"{place}.weight" in state:  # trained as one operation: [3, 3, I, O]
        weight = wanted(state, f"{place}.weight").permute(3, 2, 0, 1)
        return doubling(weight * _scale(weight), fused=True)
    weight = wanted(state, f"{place}.conv.weight")
    return doubling(weight * _scale(weight), fused=False)


def _scale(weight: Tensor) -> float:
    """Compute the factor of He's initialisation, which this network applies at run time."""
    return float((2 / weight[0].numel()) ** 0.5)


def _published(side: int) -> ProGAN:
    return with_random_weights(ProGAN({"channels": widths(side, 16384), "z_dim": 512}))


FAMILY = Family(ProGAN.load, convert, {"progan": _published})
