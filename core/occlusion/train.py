"""Trains the network that marks things in front of faces, on drawn faces with painted things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.fast.augment import spoil
from core.fast.data import DrawnSet, to_unit
from core.fast.preview import Preview
from core.fast.train import Loss, Schedule, Training
from core.fast.train_head import features_of
from core.fast.trained import file_hash, load_trained
from core.generator.protocol import FeatureGenerator
from core.occlusion.network import MASK_SIDE, ThingNet, seen
from core.occlusion.things import paint
from core.projection.features import SIDE, Features

FACES = 1216
FIRST = 600_000  # number of the first face; the fast projection learns from other numbers
HELD_OUT = 64  # of the faces, the last so many are never learned from
SCHEDULE = Schedule(steps=650, batch=8, rate=2e-3)
_BARE = 0.3  # share of faces with nothing before them: most photos are so


def things_set(generator: FeatureGenerator, head_file: Path, folder: Path, faces: int = FACES) -> DrawnSet:
    """Make the set of drawn faces: 256 pixels, drawn by the preview head, which takes a tenth of the time of whole pictures."""
    head = load_trained(Preview.shaped_for(generator), head_file, generator)

    def draw(ws: Tensor) -> Tensor:
        made: Tensor = head(features_of(generator, ws), ws)
        return made

    return DrawnSet(folder, generator, draw, SIDE, faces, FIRST, file_hash(head_file))


def examples(images: np.ndarray, others: np.ndarray, random: np.random.RandomState) -> tuple[Tensor, Tensor]:
    """Make training examples of faces uint8 [N, 256, 256, 3]: pictures and masks.

    Pictures are [N, 3, 256, 256] of -1..1, masks [N, 1, 128, 128], 0..1. Things are painted on most of the faces, and the
    pictures are degraded as photographs are. `others` are faces [N, 256, 256, 3] for textures.
    """
    pictures, masks = [], []
    for image, other in zip(images, others, strict=True):
        bare = random.rand() < _BARE
        picture, mask = (image, np.zeros(image.shape[:2], np.float32)) if bare else paint(image, other, random)
        if random.rand() < 0.5:
            picture, mask = picture[:, ::-1], mask[:, ::-1]
        pictures.append(np.ascontiguousarray(picture))
        masks.append(torch.from_numpy(mask.copy()))
    spoiled, covered = spoil(to_unit(np.stack(pictures)), torch.stack(masks)[:, None], random)
    return spoiled, F.interpolate(covered, (MASK_SIDE, MASK_SIDE), mode="area")


def things_loss(features: Features, drawn: DrawnSet, batch: int) -> Loss:
    """Make the loss function for training on random batches: binary cross entropy plus 0.3 times (1 - Dice overlap).

    The Dice overlap of probabilities p and mask m is (2 sum pm + 20) / (sum p + sum m + 20), the mean over the batch.
    """

    def loss(network: nn.Module, random: np.random.RandomState) -> Tensor:
        rows = random.randint(0, drawn.faces - HELD_OUT, (2, batch))
        pictures, wanted = examples(drawn.images[rows[0]], drawn.images[rows[1]], random)
        logits = network(*seen(features, pictures))
        found = logits.sigmoid()
        both, all_of = (found * wanted).sum(dim=(1, 2, 3)), (found + wanted).sum(dim=(1, 2, 3))
        overlap = (2 * both + 20) / (all_of + 20)
        total: Tensor = F.binary_cross_entropy_with_logits(logits, wanted) + 0.3 * (1 - overlap).mean()
        return total

    return loss


def train_things(features: Features, drawn: DrawnSet, folder: Path, schedule: Schedule = SCHEDULE) -> Training:
    """Prepare the training; if `folder` has a checkpoint of it, it is continued."""
    torch.manual_seed(schedule.seed)
    return Training(ThingNet(), things_loss(features, drawn, schedule.batch), schedule, folder / "things.pt", drawn.key)


def score_things(network: ThingNet, features: Features, drawn: DrawnSet) -> dict[str, float]:
    """Score the network on held-out faces.

    "recall" is the share of the things' area that is found, "precision" the share of the marked area that is right, "bare"
    the number of faces without things, and "bare_marked" how many of those have more than 30 marked pixels.
    """
    random, found, there, both, wrong, bare = np.random.RandomState(1), 0.0, 0.0, 0.0, 0, 0
    for row in range(drawn.faces - HELD_OUT, drawn.faces):
        pictures, wanted = examples(drawn.images[[row]], drawn.images[[row - 1]], random)
        with torch.inference_mode():
            marked = (network(*seen(features, pictures)) > 0).float()
        real = (wanted > 0.5).float()
        found, there, both = found + float(marked.sum()), there + float(real.sum()), both + float((marked * real).sum())
        if not real.any():
            bare, wrong = bare + 1, wrong + int(marked.sum() > 30)
    return {"recall": both / max(there, 1), "precision": both / max(found, 1), "bare": bare, "bare_marked": wrong}
