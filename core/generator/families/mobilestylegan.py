"""MobileStyleGAN (Belousov 2021, arXiv 2104.04767), distilled from StyleGAN2-FFHQ: 8.0 M parameters, wavelet upsampling.

4x4 constant -> one modulated 3x3 convolution -> seven blocks (inverse Haar step, two separable convolutions) -> a modulated
1x1 to the 12 wavelet channels of the image -> a last inverse Haar step. Demodulation is contained in the published weights,
so a modulation is one multiplication per channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from core.generator.haar import twice_inverse_haar
from core.generator.latent import w_statistics
from core.generator.ops import styled_depthwise
from core.generator.protocol import SeparableBlock
from core.generator.registry import Family
from core.untrusted import read_as_data
from core.weights.parts import AVERAGE, shipped_folder

_SLOPE = 0.2  # of every LeakyReLU


class Modulation(nn.Module):
    """The modulation by one style: w [N, 512] -> a factor for each input channel."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.style_weight = nn.Parameter(torch.empty(channels, w_dim))
        self.style_bias = nn.Parameter(torch.empty(channels))

    def style(self, w: Tensor) -> Tensor:
        """Compute the factors [N, C] of w [N, w_dim]."""
        return F.linear(w, self.style_weight, self.style_bias)

    def modulate(self, x: Tensor, w: Tensor) -> Tensor:
        """Multiply x [N, C, H, W] by the factors of w [N, w_dim]."""
        return x * self.style(w)[:, :, None, None]


class Separable(Modulation):
    """A modulated separable convolution: depthwise 3x3, then 1x1, fixed noise, bias, LeakyReLU."""

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int) -> None:
        super().__init__(inputs, w_dim)
        self.depthwise = nn.Parameter(torch.empty(inputs, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        self.noise = nn.Parameter(torch.empty(side, side))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        # one image's style can be multiplied into the weights, which are a thousand times smaller;
        # on a GPU it is not, so that no weight needs a gradient
        if len(x) == 1 and not x.is_cuda:
            x = styled_depthwise(x, self.depthwise, self.style(w)[0])
        else:
            x = F.conv2d(self.modulate(x, w), self.depthwise, padding=1, groups=x.shape[1])
        x = F.conv2d(x, self.pointwise, self.bias)
        return F.leaky_relu_(x.add_(self.noise), _SLOPE)


class Stem(Modulation):
    """The first layer, a full modulated convolution of the 4x4 constant."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__(channels, w_dim)
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.noise = nn.Parameter(torch.empty(4, 4))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = F.conv2d(self.modulate(x, w), self.weight, self.bias, padding=1)
        return F.leaky_relu_(x.add_(self.noise), _SLOPE)


class Block(nn.Module):
    """A block that doubles the side, with two separable convolutions; it takes three styles.

    `compiled` may compute it in torch's place, see core.compiled.layers.
    """

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int) -> None:
        super().__init__()
        self.up = Modulation(inputs, w_dim)
        self.conv1 = Separable(inputs // 4, outputs, side, w_dim)
        self.conv2 = Separable(outputs, outputs, side, w_dim)
        self.compiled: Callable[[Tensor, Tensor], Tensor | None] | None = None

    def forward(self, x: Tensor, ws: Tensor) -> Tensor:
        if self.compiled is not None and (done := self.compiled(x, ws)) is not None:
            return done
        x = self.conv1(twice_inverse_haar(self.up.modulate(x, ws[:, 0])), ws[:, 1])
        return self.conv2(x, ws[:, 2])  # type: ignore[no-any-return]


class ToImage(Modulation):
    """The last layer: a modulated 1x1 convolution to the wavelet bands of three colours, and the inverse transform."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__(channels, w_dim)
        self.weight = nn.Parameter(torch.empty(12, channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(12))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return twice_inverse_haar(F.conv2d(self.modulate(x, w), self.weight, self.bias))

    def halved(self, x: Tensor, w: Tensor) -> Tensor:
        """Draw the image averaged over 2x2 pixels: only the low band is needed, the others cancel."""
        low, bias = self.weight[:3], self.bias[:3]
        if len(x) == 1:
            return F.conv2d(x, low * self.style(w)[0, :, None, None], bias)
        return F.conv2d(self.modulate(x, w), low, bias)


class MobileStyleGAN(nn.Module):
    """The published generator as a Generator and more; see core.generator.protocol for shapes."""

    name = "mobilestylegan-ffhq"
    z_dim = w_dim = 512

    def __init__(self, channels: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64), digest: str = "") -> None:
        super().__init__()
        self.digest = digest
        sides = [8 * 2**i for i in range(len(channels) - 1)]
        self.resolution = 2 * sides[-1]
        self.num_ws = 2 + 3 * len(sides)
        self.style_resolutions = (4, *(s for side in sides for s in (side // 2, side, side)), sides[-1])
        self.mapping_layers = nn.ModuleList(nn.Linear(self.w_dim, self.w_dim) for _ in range(8))
        self.constant = nn.Parameter(torch.empty(channels[0], 4, 4))
        self.stem = Stem(channels[0], self.w_dim)
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, side, self.w_dim) for inputs, outputs, side in zip(channels, channels[1:], sides, strict=False)
        )
        self.image = ToImage(channels[-1], self.w_dim)
        self._statistics: tuple[Tensor, float] | None = None

    @classmethod
    def load(cls, file: Path) -> MobileStyleGAN:
        """Load the converted safetensors file, with frozen parameters in channels_last layout."""
        with safe_open(str(file), framework="pt") as tensors:
            state = {name.replace("mapping.", "mapping_layers."): tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        generator = cls(digest=hashlib.sha256(file.read_bytes()).hexdigest())
        generator.load_state_dict(_laid_out(state))
        generator.requires_grad_(False).eval()
        return generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def mapping(self, z: Tensor) -> Tensor:
        """Map z [N, 512] to w [N, 512]: PixelNorm, then eight times linear, LeakyReLU, times the root of 2."""
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping_layers:
            x = F.leaky_relu(layer(x), _SLOPE) * 2**0.5
        return x

    def w_average(self) -> Tensor:
        return self._w_statistics()[0].to(self.constant.device)

    def w_deviation(self) -> float:
        return self._w_statistics()[1]

    def _w_statistics(self) -> tuple[Tensor, float]:
        if self._statistics is None:
            self._statistics = _shipped_statistics(self.digest) or w_statistics(self)
        return self._statistics

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, self.num_ws, -1)

    def features(self, ws: Tensor, side: int) -> Tensor:
        """Compute the features [N, C, side, side] after the block that ends at `side` pixels. Raises ValueError if none does."""
        x: Tensor = self._stem(ws)
        for index, block in enumerate(self.blocks):
            x = block(x, ws[:, 1 + 3 * index : 4 + 3 * index])
            if x.shape[-1] == side:
                return x
        raise ValueError(f"no block ends at {side} pixels")

    def style_weights(self) -> list[Tensor]:
        return [module.style_weight for module in self.modules() if isinstance(module, Modulation)]  # in the order of ws

    def separable_blocks(self) -> Sequence[SeparableBlock]:
        return cast("Sequence[Block]", tuple(self.blocks))

    def _stem(self, ws: Tensor) -> Tensor:
        x: Tensor = self.constant.expand(ws.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        return self.stem(x, ws[:, 0])  # type: ignore[no-any-return]

    def synthesis(self, ws: Tensor) -> Tensor:
        assert ws.shape[1:] == (self.num_ws, self.w_dim), ws.shape
        x = self.features(ws, self.resolution // 2)
        return self.image(x, ws[:, -1])  # type: ignore[no-any-return]

    def halved(self, ws: Tensor) -> Tensor:
        """Draw the image averaged over 2x2 pixels, [N, 3, R / 2, R / 2], without drawing all of it."""
        return self.image.halved(self.features(ws, self.resolution // 2), ws[:, -1])

    def forward(self, ws: Tensor) -> Tensor:
        return self.synthesis(ws)


def _shipped_statistics(digest: str) -> tuple[Tensor, float] | None:
    """Read what `w_statistics` computes for the generator of this digest, if it comes with egao: a worker starts sooner."""
    folder = shipped_folder(digest)
    if folder is None or not (file := folder / AVERAGE).is_file():
        return None
    with read_as_data(file.name), safe_open(str(file), framework="pt") as tensors:
        return tensors.get_tensor("mean"), float(tensors.get_tensor("deviation"))


def _laid_out(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reorder the weights so that each wavelet band's channels are together, and Haar steps run over whole vectors.

    The file has the four bands of a channel side by side. The factors of 1/2 of those steps are multiplied into the layers
    before them, which is exact in binary.
    """
    last = max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    laid = dict(state)
    for name, tensor in state.items():
        place, _, part = name.rpartition(".")
        before = place in ("stem", "image") or (place.endswith("conv2") and place != f"blocks.{last}.conv2")
        if place.endswith(".up") or (before and part in ("weight", "pointwise", "bias")):
            laid[name] = tensor.reshape(-1, 4, *tensor.shape[1:]).transpose(0, 1).reshape(tensor.shape)
        if place.endswith(".up") or (place == "image" and part in ("weight", "bias")):
            laid[name] = laid[name] / 2
    return laid


FAMILY = Family(MobileStyleGAN.load)
