"""Trains the encoder. A drawn face's latent is known, so most of the loss is the distance to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.device import fast_dtype
from core.fast.augment import augment
from core.fast.data import DrawnSet
from core.fast.encoder import SIDE, Encoder
from core.fast.preview import Preview
from core.fast.train import Loss, Schedule, Training
from core.fast.train_head import dtype_of, features_of
from core.fast.trained import file_hash, load_trained
from core.generator import seed_w
from core.generator.protocol import FeatureGenerator
from core.generator.render import network_in
from core.projection.features import Features, area_downsample

FACES = 3000
FIRST = 100_000  # number of the first face: none of the head's
HELD_OUT = range(9_000_000, 9_000_032)  # seeds to score on, at truncation 0.7
SCHEDULE = Schedule(steps=1500, batch=16, rate=2e-4, checkpoint_every=100)
_OFFSET_WEIGHT = 0.02  # keeps the styles near one w, where edits work
_IMAGE_EVERY, _IMAGE_FACES = 8, 4  # an image costs five times a latent: every eighth step, four of the batch
_IMAGE_WEIGHT = 0.5
_RIDGE = 1.0  # in mean squared lengths of a feature vector over the number of faces


def encoder_set(generator: FeatureGenerator, head_file: Path, folder: Path, faces: int = FACES) -> DrawnSet:
    """Make the set of faces, drawn by the preview head at the encoder's 128 pixels, for a tenth of the cost of whole pictures."""
    head = load_trained(Preview.shaped_for(generator), head_file, generator)

    def draw(ws: Tensor) -> Tensor:
        return area_downsample(head(features_of(generator, ws), ws), SIDE)

    return DrawnSet(folder, generator, draw, SIDE, faces, FIRST, file_hash(head_file))


def encoder_loss(generator: FeatureGenerator, head: Preview, drawn: DrawnSet, batch: int) -> Loss:
    """Make the loss function: the squared distance of ws in deviations of w, a penalty of the offsets, and image differences.

    The images are compared at 128 pixels, every eighth step and for four faces of the batch.
    """
    variance = generator.w_deviation() ** 2

    def loss(encoder: nn.Module, random: np.random.RandomState) -> Tensor:
        assert isinstance(encoder, Encoder)
        ws, images = drawn.batch(random.randint(0, drawn.faces, batch))
        w, offsets = encoder.parts(augment(images, random))
        found = w[:, None] + offsets
        total = (found - ws).square().sum(dim=2).mean() / variance
        total = total + _OFFSET_WEIGHT * offsets.square().sum(dim=2).mean() / variance
        if random.randint(_IMAGE_EVERY) == 0:
            few = found[:_IMAGE_FACES]
            drawn_again = area_downsample(head(features_of(generator, few), few), SIDE)
            total = total + _IMAGE_WEIGHT * _IMAGE_EVERY * F.l1_loss(drawn_again, images[:_IMAGE_FACES])
        return total

    return loss


def ridge(encoder: Encoder, drawn: DrawnSet, batch: int = 16) -> None:
    """Fit the encoder's direct layer to w in closed form, in place, with the published trunk."""
    random, levels, wanted = np.random.RandomState(0), [], []
    for first in range(0, drawn.faces, batch):
        ws, images = drawn.batch(np.arange(first, min(first + batch, drawn.faces)))
        with torch.inference_mode():
            levels.append(encoder.levels(augment(images, random)).cpu())
        wanted.append(ws.mean(dim=1).cpu())
    x, y = torch.cat(levels), torch.cat(wanted) - encoder.average.cpu()
    middle, offset = x.mean(dim=0), y.mean(dim=0)
    x, y = x - middle, y - offset
    gram = (x @ x.T).double()
    gram += _RIDGE * gram.trace() / len(x) * torch.eye(len(x), dtype=torch.double)
    weight = (torch.linalg.solve(gram, y.double()).float().T @ x).to(encoder.average.device)
    encoder.direct.weight.data.copy_(weight)
    encoder.direct.bias.data.copy_(offset.to(weight) - weight @ middle.to(weight))


def train_encoder(
    generator: FeatureGenerator, trunk: Features, folder: Path, head_file: Path, schedule: Schedule = SCHEDULE, faces: int = FACES
) -> Training:
    """Draw the set in `folder`, then prepare the training; if `folder` has a fitting checkpoint, it is continued."""
    drawn = encoder_set(generator, head_file, folder / "drawn", faces)
    for _ in drawn.fill():
        pass
    torch.manual_seed(schedule.seed)
    encoder = Encoder.untrained(generator, trunk).to(generator.w_average().device)
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)
    head = load_trained(Preview.shaped_for(generator), head_file, generator)
    loss = encoder_loss(generator, head, drawn, schedule.batch)
    training = Training(encoder, loss, schedule, folder / "encoder.pt", drawn.key)
    if training.done == 0:
        ridge(encoder, drawn)
    return training


def score_encoder(encoder: Encoder, generator: FeatureGenerator, seeds: range = HELD_OUT) -> dict[str, float]:
    """Score the encoder on whole pictures of held-out seeds.

    "explained_w" is R2 of w, "offsets" the root mean square of the styles' offsets in deviations of w.
    """
    network = network_in(generator, fast_dtype(generator.w_average().device))
    wanted, found, offsets = [], [], []
    for seed in seeds:
        w = seed_w(generator, [seed], 0.7)
        with torch.inference_mode():
            image = area_downsample(network.synthesis(generator.broadcast(w).to(dtype_of(network))).float(), SIDE)
            got, offset = encoder.parts(image)
        wanted.append(w)
        found.append(got + offset.mean(dim=1))
        offsets.append(offset - offset.mean(dim=1, keepdim=True))
    w = torch.cat(wanted)
    missed, spread = (torch.cat(found) - w).square().sum(), torch.cat(offsets).square().sum(dim=2).mean().sqrt()
    explained = 1 - float(missed / (w - generator.w_average()).square().sum())
    return {"explained_w": explained, "offsets": float(spread) / generator.w_deviation()}
