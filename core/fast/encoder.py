"""The encoder: an aligned photo -> ws in one pass, the start of `fast`. Its picture is similar to the photo, not the person.

The trunk is EfficientNet-Lite0, the network of the perceptual loss, fine-tuned at 128 pixels. Features of two of its levels
feed a linear layer to w (fitted as a ridge regression) and a small hidden layer, which corrects w and adds an offset to every
style (as in e4e, Tov et al. 2021) within the directions in which w varies most.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.fast.trained import load_trained
from core.generator.protocol import Generator
from core.projection.features import Features

SIDE = 128  # pixels; pose, shape and colours are all there, at a quarter of the cost of 256
_LEVELS = ((2, 40, 24), (4, 112, 64))  # stage of the trunk, its channels, channels kept
_GRID = 8  # positions a side: 16 pixels each
_HIDDEN = 256
OFFSETS = 64  # directions of w in which a style may differ from the others


class Encoder(nn.Module):
    """The encoder network: images [N, 3, S, S] of -1..1, S at least 128 -> ws [N, num_ws, w_dim]."""

    average: Tensor
    basis: Tensor

    def __init__(self, num_ws: int, w_dim: int, trunk: Features | None = None) -> None:
        super().__init__()
        source = copy.deepcopy(trunk) if trunk is not None else Features()
        self.stem, self.blocks, self.ends = source.stem, source.blocks, source.ends
        self.keep = nn.ModuleList(nn.Conv2d(channels, kept, 1) for _, channels, kept in _LEVELS)
        inputs = _GRID**2 * sum(kept for _, _, kept in _LEVELS)
        self.direct = nn.Linear(inputs, w_dim)
        self.hidden = nn.Linear(inputs, _HIDDEN)
        self.correct = nn.Linear(_HIDDEN, w_dim)
        self.offset = nn.Linear(_HIDDEN, num_ws * OFFSETS)
        self.register_buffer("average", torch.zeros(w_dim))
        self.register_buffer("basis", torch.zeros(OFFSETS, w_dim))  # principal directions of w, each of length 1 deviation
        for layer in (self.direct, self.correct, self.offset):
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)

    @classmethod
    def untrained(cls, generator: Generator, trunk: Features) -> Encoder:
        """Make an encoder with the published trunk whose outputs are still close to the average face."""
        encoder = cls(generator.num_ws, generator.w_dim, trunk)
        z = torch.randn(10_000, generator.z_dim, generator=torch.Generator().manual_seed(123))
        with torch.inference_mode():
            w = generator.mapping(z.to(generator.w_average().device)).cpu() - generator.w_average().cpu()
            _, lengths, directions = torch.linalg.svd(w, full_matrices=False)
        encoder.average.copy_(generator.w_average())
        basis = directions * (lengths / len(w) ** 0.5)[:, None]
        largest = basis.gather(1, basis.abs().argmax(dim=1, keepdim=True))
        encoder.basis.copy_((basis * largest.sign())[:OFFSETS])  # the sign of a principal direction is arbitrary: fix it
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return encoder

    @classmethod
    def load(cls, generator: Generator, file: Path) -> Encoder:
        """Load a file of `egao train encoder`. Raises WeightsUnfit if it was trained for another generator, ModelUnreadable."""
        return load_trained(cls(generator.num_ws, generator.w_dim), file, generator)

    def forward(self, images: Tensor) -> Tensor:
        w, offsets = self.parts(images)
        return w[:, None] + offsets

    def parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Predict (w [N, w_dim], offsets [N, num_ws, w_dim]); ws is their sum."""
        x = self.levels(images)
        hidden = F.gelu(self.hidden(x))
        w = self.average + self.direct(x) + self.correct(hidden)
        return w, self.offset(hidden).unflatten(1, (-1, OFFSETS)) @ self.basis

    def levels(self, images: Tensor) -> Tensor:
        """Compute the features [N, D] that the linear layers read, of images [N, 3, S, S]."""
        if images.shape[-1] != SIDE:
            images = F.interpolate(images, (SIDE, SIDE), mode="area")
        x = F.relu6(self.stem(images))
        stages, found = {self.ends[stage]: keep for (stage, _, _), keep in zip(_LEVELS, self.keep, strict=True)}, []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in stages:
                kept = stages[index](x)
                found.append(F.adaptive_avg_pool2d(kept, _GRID).flatten(1))
        return torch.cat(found, dim=1)
