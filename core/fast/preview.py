"""The preview head: from the generator's features at 128 pixels to a 256-pixel image, without its three costliest blocks.

A step of gradient through it costs a third of one through the whole network. With it the encoder and the direction `clean`
learn from thousands of faces. Its twelve outputs are the wavelet bands of a 256-pixel image, so the head is a 1x1 convolution
(which alone explains 92 % of the variance, by least squares) plus a small spatial branch. The styles that act after 128
pixels modulate its input, as they do in the generator, and so receive a gradient too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import GeneratorLacks
from core.generator.haar import inverse_haar
from core.generator.protocol import FeatureGenerator

FEATURE_SIDE = 128
BANDS = 12  # four of three colours
_HIDDEN = 48


class Preview(nn.Module):
    """The head: features [N, C, 128, 128] and ws [N, num_ws, w_dim] -> images [N, 3, 256, 256] of about -1..1."""

    def __init__(self, channels: int, late: int, w_dim: int) -> None:
        """Build the head for features of `channels`. `late` is how many of the last styles act after these features."""
        super().__init__()
        self.late = late
        self.mix = nn.Parameter(torch.full((late,), 1 / late))
        self.style = nn.Linear(w_dim, channels)
        self.linear = nn.Conv2d(channels, BANDS, 1)
        self.narrow = nn.Conv2d(channels, _HIDDEN, 1)
        self.spatial = nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=1, groups=_HIDDEN)
        self.widen = nn.Conv2d(_HIDDEN, BANDS, 1)
        for layer in (self.style, self.widen):  # it starts as the plain 1x1
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        nn.init.ones_(self.style.bias)

    @classmethod
    def shaped_for(cls, generator: FeatureGenerator) -> Preview:
        """Build an untrained head whose sizes fit the generator's features and styles.

        Raises GeneratorLacks if its pictures have no features of that side.
        """
        if generator.resolution < FEATURE_SIDE:
            raise GeneratorLacks(name=generator.name, what=f"features of {FEATURE_SIDE} pixels")
        with torch.inference_mode():
            features = generator.features(generator.broadcast(generator.w_average()[None]), FEATURE_SIDE)
        # a style at 128 pixels before the block's end belongs to the features; the rest of 128 feeds the next block's up
        late = sum(side > FEATURE_SIDE for side in generator.style_resolutions) + 1
        return cls(features.shape[1], late, generator.w_dim)

    def forward(self, features: Tensor, ws: Tensor) -> Tensor:
        w = torch.einsum("nsd,s->nd", ws[:, -self.late :], self.mix)
        x = features * self.style(w)[:, :, None, None]
        y = F.leaky_relu(self.spatial(self.narrow(x)), 0.2)
        return inverse_haar(self.linear(x) + self.widen(y))
