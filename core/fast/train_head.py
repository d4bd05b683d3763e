"""Trains the preview head: least squares for its 1x1 convolution, then Adam for all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.device import fast_dtype
from core.errors import GeneratorLacks
from core.fast.data import DrawnSet, training_ws
from core.fast.preview import BANDS, FEATURE_SIDE, Preview
from core.fast.train import Loss, Schedule, Training
from core.generator.haar import forward_haar
from core.generator.protocol import FeatureGenerator
from core.generator.render import network_in
from core.projection.features import SIDE, area_downsample

FACES = 512  # each has 16,384 positions: the head's 24,000 numbers are determined by far fewer
HELD_OUT = range(50_000, 50_016)  # numbers of faces to score on
SCHEDULE = Schedule(steps=500, batch=4, rate=2e-3)
_LEAST_SQUARES_FACES = 128


def head_set(generator: FeatureGenerator, folder: Path, faces: int = FACES) -> DrawnSet:
    """Make the set of whole pictures, averaged down to 256 pixels as the loss of a projection sees them.

    Raises GeneratorLacks if they are smaller.
    """
    if generator.resolution < SIDE:
        raise GeneratorLacks(name=generator.name, what=f"pictures of {SIDE} pixels")
    network = network_in(generator, fast_dtype(generator.w_average().device))

    def draw(ws: Tensor) -> Tensor:
        return area_downsample(network.synthesis(ws.to(generator.w_average().device, dtype_of(network))).float())

    return DrawnSet(folder, generator, draw, SIDE, faces)


def dtype_of(network: object) -> torch.dtype:
    """Return the precision of a network's weights."""
    assert isinstance(network, nn.Module)
    return next(network.parameters()).dtype


def features_of(generator: FeatureGenerator, ws: Tensor) -> Tensor:
    """Compute the features at 128 pixels, [N, C, 128, 128] float32, in the fast precision, as the head will get them."""
    network = network_in(generator, fast_dtype(ws.device))
    return network.features(ws.to(dtype_of(network)), FEATURE_SIDE).float()


def least_squares(head: Preview, generator: FeatureGenerator, drawn: DrawnSet) -> None:
    """Fit the head's 1x1 convolution in closed form, in place, while the rest of the head has no effect."""
    size = head.linear.in_channels + 1
    gram, moments = torch.zeros(size, size, dtype=torch.double), torch.zeros(size, BANDS, dtype=torch.double)
    for first in range(0, min(_LEAST_SQUARES_FACES, drawn.faces), 4):
        ws, images = drawn.batch(np.arange(first, min(first + 4, drawn.faces)))
        with torch.inference_mode():
            x = features_of(generator, ws).permute(0, 2, 3, 1).flatten(0, 2)[::4]
            y = forward_haar(images).permute(0, 2, 3, 1).flatten(0, 2)[::4]
            x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
            gram += (x.T @ x).double().cpu()
            moments += (x.T @ y).double().cpu()
    gram += 1e-6 * gram.trace() / size * torch.eye(size, dtype=torch.double)
    solution = torch.linalg.solve(gram, moments).float()
    head.linear.weight.data.copy_(solution[:-1].T[:, :, None, None])
    assert head.linear.bias is not None
    head.linear.bias.data.copy_(solution[-1])


def head_loss(generator: FeatureGenerator, drawn: DrawnSet, batch: int) -> Loss:
    """Make the loss function: mean squared error at 256 pixels, of pixels in 0..1, times a hundred."""

    def loss(head: nn.Module, random: np.random.RandomState) -> Tensor:
        ws, images = drawn.batch(random.randint(0, drawn.faces, batch))
        with torch.no_grad():
            features = features_of(generator, ws)
        return (head(features, ws) - images).square().mean() / 4 * 100  # type: ignore[no-any-return]

    return loss


def train_head(generator: FeatureGenerator, folder: Path, schedule: Schedule = SCHEDULE, faces: int = FACES) -> Training:
    """Draw the set in `folder`, then prepare the training; if `folder` has a fitting checkpoint, it is continued."""
    drawn = head_set(generator, folder / "exact", faces)
    for _ in drawn.fill():
        pass
    torch.manual_seed(schedule.seed)
    head = Preview.shaped_for(generator).to(generator.w_average().device)
    loss = head_loss(generator, drawn, schedule.batch)
    training = Training(head, loss, schedule, folder / "preview-head.pt", drawn.key)
    if training.done == 0:
        least_squares(head, generator, drawn)
    return training


def score_head(head: Preview, generator: FeatureGenerator, numbers: range = HELD_OUT) -> dict[str, float]:
    """Score the head on held-out faces at 256 pixels: "squared_error" of pixels in 0..1, and "explained" variance (at most 1)."""
    network = network_in(generator, fast_dtype(generator.w_average().device))
    errors, variances = [], []
    for number in numbers:
        ws = training_ws(generator, range(number, number + 1))
        with torch.inference_mode():
            image = area_downsample(network.synthesis(ws.to(dtype_of(network))).float())
            errors.append(float((head(features_of(generator, ws), ws) - image).square().mean() / 4))
            variances.append(float(image.var() / 4))
    return {"squared_error": float(np.mean(errors)), "explained": 1 - float(np.sum(errors) / np.sum(variances))}
