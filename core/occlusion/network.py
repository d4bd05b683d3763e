"""A small network that marks things in front of a face: a decoder over the frozen features that projections use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.projection.features import SIDE, Features, feature_input

MASK_SIDE = 128  # pixels of the answer
_TAPS = (16, 24, 40, 112)  # channels of the features at 128, 64, 32 and 16 pixels
_BRIGHT = 0.98, 230.0, 5.0  # the quantile of a picture that is brought to so many levels, at most so many times as bright


class ThingNet(nn.Module):
    """The network: pictures and features -> logits [N, 1, 128, 128], above 0 where a thing is in front of the face."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Conv2d(_TAPS[3] + 2, 64, 1)
        self.around = nn.Conv2d(64, 64, 3, padding=1)
        self.wide = nn.Conv2d(64, 64, 3, padding=2, dilation=2)
        self.at32 = nn.Conv2d(64 + _TAPS[2], 48, 3, padding=1)
        self.at64 = nn.Conv2d(48 + _TAPS[1], 32, 3, padding=1)
        self.at128 = nn.Conv2d(32 + _TAPS[0] + 3, 24, 3, padding=1)
        self.last = nn.Conv2d(24, 1, 3, padding=1)

    def forward(self, images: Tensor, taps: list[Tensor]) -> Tensor:
        """Compute the logits [N, 1, 128, 128] of `images` [N, 3, 256, 256] and their `taps`, both as `seen` returns them."""
        taps = [tap * tap.shape[1] ** 0.5 for tap in taps]  # normalised channels, of about 1 again
        axis = torch.linspace(-1, 1, taps[3].shape[-1], device=images.device)
        place = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).expand(len(images), -1, -1, -1)
        x = F.relu(self.deep(torch.cat([taps[3], place], dim=1)))
        x = x + F.relu(self.around(x))
        x = x + F.relu(self.wide(x))
        x = F.relu(self.at32(torch.cat([_double(x), taps[2]], dim=1)))
        x = F.relu(self.at64(torch.cat([_double(x), taps[1]], dim=1)))
        small = F.interpolate(images, (MASK_SIDE, MASK_SIDE), mode="area")
        x = F.relu(self.at128(torch.cat([_double(x), taps[0], small], dim=1)))
        logits: Tensor = self.last(x)
        return logits


def seen(features: Features, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Prepare pictures [N, 3, R, R] of -1..1: resized to 256 pixels, brightened like a well lit photo; and their features."""
    small = feature_input(images)
    share, levels, most = _BRIGHT
    top = torch.quantile(small.flatten(1)[:, ::7], share, dim=1)  # a seventh tells as much
    gain = (levels / ((top + 1) * 127.5).clamp(min=1)).clamp(1, most)[:, None, None, None]
    small = ((small + 1) * gain - 1).clamp(-1, 1).contiguous(memory_format=torch.channels_last)
    assert small.shape[-1] == SIDE
    with torch.no_grad():
        return small, features(small)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
