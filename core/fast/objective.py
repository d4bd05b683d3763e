"""The loss of the fast projection, of any number of faces at once, and its gradient in the learned coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.device import gradient_dtype
from core.fast.curvature import Curvature
from core.generator.protocol import Generator, HalvingGenerator
from core.generator.render import network_in
from core.projection.features import SIDE, TAP_SIDES, Features, area_downsample, feature_input

FIRST_LENGTH = 2.0  # of the first step, at most; with equal curvature the loss falls by about half its square
_HALF_NOISE = 2e-3  # of the loss, from rounding in half precision

Start = Callable[[Tensor], Tensor]  # images [1, 3, 256, 256] of about -1..1 -> ws [1, num_ws, w_dim]


@dataclass(frozen=True)
class FastOptions:
    """The options of a fast projection. Weights are relative to the perceptual distance."""

    most: int = 28  # steps after the start, at most
    pixel_weight: float = 1.0  # more makes the picture's colours likelier and the person less so
    spread_weight: float = 0.02  # of the styles' squared distance from their mean, in deviations: keeps W+ editable
    face_weight: float = 4.0  # of the inner face against the rim of the picture, in both distances
    patience: int = 6  # steps over which a gain is judged
    gain: float = 0.04  # share of the loss that those steps must gain, else it ends

    @classmethod
    def of(cls, steps: int | None) -> FastOptions:
        """Make options for `steps` in all, the start being the first; None stops when steps gain too little."""
        return cls() if steps is None else cls(most=max(0, steps - 1))


@dataclass(frozen=True)
class Wanted:
    """What N projections are to look like, as the loss sees it."""

    images: Tensor  # float32 [N, 3, 256, 256] of -1..1
    taps: list[Tensor]  # their perceptual features [N, C, H, W]

    @classmethod
    def of(cls, target: np.ndarray, features: Features, device: torch.device) -> Wanted:
        """See `target`, an aligned face uint8 [R, R, 3]: N is 1."""
        images = feature_input(torch.tensor(target).permute(2, 0, 1)[None].to(device, torch.float32) / 127.5 - 1)
        with torch.no_grad():
            return cls(images, [tap.clone() for tap in features(images)])


class Evaluated(NamedTuple):
    """What a look at N points tells."""

    losses: Tensor  # [N]
    gradients: Tensor  # [N, num_ws, w_dim], for the coordinates y
    distances: Tensor  # [N], perceptual
    images: Tensor  # [N, 3, 256, 256] of about -1..1, as the loss saw them


class Objective:
    """The loss of a fast projection, with all that is the same for every face."""

    def __init__(
        self,
        generator: Generator,
        features: Features,
        curvature: Curvature,
        options: FastOptions,
        dtype: torch.dtype | None = None,
    ) -> None:
        """`dtype` is the precision of the generator; None takes the fast one of its device."""
        self.options = options
        self.device = generator.w_average().device
        self.dtype = dtype or gradient_dtype(self.device)
        self.noise = 0.0 if self.dtype == torch.float32 else _HALF_NOISE  # share of a loss that rounding moves
        self.curvature = curvature
        self._features, self.network = features, network_in(generator, self.dtype)
        self._variance = generator.w_deviation() ** 2
        self._weight = face_weight(options.face_weight).to(self.device)
        self._weights = {side: area_downsample(self._weight, side)[:, 0] for side in TAP_SIDES}

    def __call__(self, y: Tensor, starts: Tensor, wanted: Wanted) -> Evaluated:
        """Look at the points y [N, num_ws, w_dim] in the learned coordinates; `starts` are the ws [N, num_ws, w_dim] at 0."""
        with torch.enable_grad():
            y = y.detach().requires_grad_(True)
            ws = starts + self.curvature(y)
            image = seen(self.network, ws.to(self.dtype))
            parts = [
                ((a - b).square().sum(dim=1) * self._weights[a.shape[-1]]).mean(dim=(1, 2))
                for a, b in zip(self._features(image), wanted.taps, strict=True)
            ]
            perceptual = torch.stack(parts).sum(dim=0)
            # smooth near zero, where the corner of the absolute value would mislead the curvature
            pixels = (((image - wanted.images).square() + 1e-3).sqrt() * self._weight).mean(dim=(1, 2, 3))
            spread = (ws - ws.mean(dim=1, keepdim=True)).square().sum(dim=2).mean(dim=1) / self._variance
            loss = perceptual + self.options.pixel_weight * pixels + self.options.spread_weight * spread
            (gradient,) = torch.autograd.grad(loss.sum(), y)
        return Evaluated(loss.detach(), gradient, perceptual.detach(), image.detach())


def seen(network: Generator, ws: Tensor) -> Tensor:
    """Draw ws [N, num_ws, w_dim], in the network's precision, as the loss sees it: float32 [N, 3, 256, 256], channels_last."""
    if isinstance(network, HalvingGenerator) and network.resolution >= 2 * SIDE:
        image = network.halved(ws)
    else:
        image = network.synthesis(ws)
    return feature_input(image.float())


def face_weight(weight: float) -> Tensor:
    """Make the weights [1, 1, 256, 256] of pixels, mean 1: `weight` times as high in the inner face as at the edge.

    FFHQ's alignment fixes where the inner face is.
    """
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    across, down = (axis - 0.5) / 0.2, (axis - 0.55) / 0.24  # centre and reach of eyes, nose and mouth
    bump = torch.exp(-0.5 * (down[:, None].square() + across[None].square()))
    weights = 1 + (weight - 1) * bump
    return (weights / weights.mean())[None, None]
