"""Perceptual features: EfficientNet-Lite0 (ImageNet) in place of the published projector's VGG16.

Batch normalisation is merged into the convolutions at load. Distances follow LPIPS (Zhang et al. 2018) without its learned
weights: channels normalised at every position, squared differences, mean over the positions, sum over the taps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from core.untrusted import read_as_data

if TYPE_CHECKING:
    from core.settings import Settings

SIDE = 256  # pixels; the published projector compares at 256 too
_EPSILON = 1e-3  # of this network's batch normalisation


@dataclass(frozen=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expand: int
    outputs: int


# Table 1 of the EfficientNet paper, without squeeze-and-excitation and with ReLU6 (the Lite variant)
_STAGES = (
    _Stage(1, 3, 1, 1, 16), _Stage(2, 3, 2, 6, 24), _Stage(2, 5, 2, 6, 40), _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112), _Stage(4, 5, 2, 6, 192), _Stage(1, 3, 1, 6, 320),
)  # fmt: skip
_TAPS = (0, 1, 2, 4)  # stages compared
TAP_SIDES = (128, 64, 32, 16)  # their pixels, for a picture of SIDE
TAP_CHANNELS = tuple(_STAGES[tap].outputs for tap in _TAPS)


class _Conv(nn.Module):
    """A convolution with TensorFlow's SAME padding, which pads more at the end if the stride is two."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, kernel), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(outputs), requires_grad=False)
        self.kernel, self.stride, self.groups = kernel, stride, groups

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            return F.conv2d(x, self.weight, self.bias, padding=self.kernel // 2, groups=self.groups)
        missing = self.kernel - self.stride  # sides are even here
        x = F.pad(x, (missing // 2, missing - missing // 2) * 2)
        return F.conv2d(x, self.weight, self.bias, self.stride, groups=self.groups)


class _MBConv(nn.Module):
    """An inverted residual block: [N, inputs, S, S] -> [N, outputs, S / stride, S / stride].

    1x1 expansion (none for a factor of 1), depthwise convolution, 1x1 projection; the input is added where the shapes are
    equal.
    """

    def __init__(self, inputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        inner = inputs * stage.expand
        self.expand = _Conv(inputs, inner, 1) if stage.expand > 1 else None
        self.depthwise = _Conv(inner, inner, stage.kernel, stride, inner)
        self.project = _Conv(inner, stage.outputs, 1)
        self.residual = stride == 1 and inputs == stage.outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return torch.add(x, y) if self.residual else y


class Features(nn.Module):
    """The network [N, 3, 256, 256] of -1..1 -> a list of normalised feature maps [N, C, H, W], one for each tap."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Conv(3, 32, 3, 2)
        self.blocks = nn.ModuleList()
        self.ends: list[int] = []  # index of the last block of each stage
        inputs = 32
        for stage in _STAGES[: max(_TAPS) + 1]:
            for repeat in range(stage.repeats):
                self.blocks.append(_MBConv(inputs, stage, stage.stride if repeat == 0 else 1))
                inputs = stage.outputs
            self.ends.append(len(self.blocks) - 1)

    @classmethod
    def load(cls, settings: Settings) -> Features:
        """Load the pulled weights, frozen. Raises WeightsMissing, WeightsCorrupt, ModelUnreadable."""
        from core.weights.cache import weight_path

        return cls.from_file(weight_path(settings, "features"))

    @classmethod
    def from_file(cls, file: Path) -> Features:
        """Load the published state dict (as safetensors), merging the batch normalisation in. Raises ModelUnreadable."""
        with read_as_data(file.name):
            return cls._folded(load_file(str(file)))

    @classmethod
    def _folded(cls, state: dict[str, Tensor]) -> Features:
        network = cls()
        _fold(network.stem, state, "_conv_stem", "_bn0")
        for index, block in enumerate(network.blocks):
            assert isinstance(block, _MBConv)
            name = f"_blocks.{index}"
            if block.expand is not None:
                _fold(block.expand, state, f"{name}._expand_conv", f"{name}._bn0")
            _fold(block.depthwise, state, f"{name}._depthwise_conv", f"{name}._bn1")
            _fold(block.project, state, f"{name}._project_conv", f"{name}._bn2")
        return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def forward(self, images: Tensor, count: int = len(_TAPS)) -> list[Tensor]:
        """Compute the first `count` of the taps: the later ones see the less detail and cost a third of the time."""
        assert images.shape[1:] == (3, SIDE, SIDE), images.shape
        # the network was trained on (x - 127) / 128 of 0..255, which is -1..1 but for half a level
        x = F.relu6(self.stem(images))
        taps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in {self.ends[tap] for tap in _TAPS}:
                taps.append(F.normalize(x, dim=1, eps=1e-6))
                if len(taps) == count:
                    break
        return taps


def _fold(conv: _Conv, state: dict[str, Tensor], weight: str, norm: str) -> None:
    """Merge a normalisation into a convolution: y = gamma (Wx - mean) / sqrt(var + eps) + beta becomes one with a bias."""
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + _EPSILON).sqrt()
    folded = state[f"{weight}.weight"] * scale[:, None, None, None], state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    if folded[0].shape != conv.weight.shape or folded[1].shape != conv.bias.shape:  # `data` would take any
        raise ValueError(f"{weight} is of another shape")
    conv.weight.data, conv.bias.data = folded


def distance(features: list[Tensor], others: list[Tensor]) -> Tensor:
    """Compute the perceptual distances [N] between the features of two sets of N images; 0 for equal images.

    It is the sum over taps of the mean over positions of the squared differences.
    """
    parts = [(a - b).square().sum(dim=1).mean(dim=(1, 2)) for a, b in zip(features, others, strict=True)]
    return torch.stack(parts).sum(dim=0)


def area_downsample(images: Tensor, side: int = SIDE) -> Tensor:
    """Resize [N, 3, R, R] to [N, 3, side, side] by averaging areas, as the published projector does; smaller images are kept."""
    if images.shape[-1] <= side:
        return images
    if images.is_cuda and images.shape[-1] % side == 0:  # the same: windows of one size need no adaptive ones
        return F.avg_pool2d(images, images.shape[-1] // side)
    return F.interpolate(images, size=(side, side), mode="area")


def feature_input(images: Tensor) -> Tensor:
    """Resize [N, 3, R, R] to [N, 3, 256, 256], channels_last: by averaging if larger, linearly if smaller."""
    if images.shape[-1] < SIDE:
        images = F.interpolate(images, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return area_downsample(images).contiguous(memory_format=torch.channels_last)
