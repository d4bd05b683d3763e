"""The start of a projection: the mean face, a given seed, or the seed that looks most like the photo.

The original project started from seed 303 and found that a European start pulls an Asian face towards Europe. `nearest`
compares the photo with the 2,001 seeds of the seed set by perceptual features. Their table is kept with the generator's
trained parts, so that no seed has to be drawn to look one up; `egao train starts` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from core.device import fast_dtype
from core.errors import BadOption, PartMissing, WeightsUnfit
from core.generator import Generator, seed_w
from core.generator.render import network_in
from core.projection.features import Features, feature_input
from core.untrusted import read_as_data
from core.weights.parts import STARTS, find_part

if TYPE_CHECKING:
    from core.settings import Settings

DEFAULT_START = "mean"
TRUNCATION = 0.7  # of the table's seeds, as in the seed set
SIDE = 4  # the deepest tap is averaged to 4x4 positions: where the hair is, not which strand
COMPONENTS = 64  # principal components kept of those 1,792 numbers


@dataclass(frozen=True, eq=False)
class Table:
    """The features of the seeds, reduced to principal components."""

    seeds: np.ndarray  # int64 [N]
    mean: np.ndarray  # float32 [D]
    basis: np.ndarray  # float32 [D, K], orthonormal columns
    codes: np.ndarray  # float32 [N, K]
    generator: str  # digest

    def nearest(self, vector: np.ndarray) -> int:
        """Find the seed whose features are closest to `vector` [D], compared in the principal components."""
        code = (vector - self.mean) @ self.basis
        return int(self.seeds[np.square(self.codes - code).sum(axis=1).argmin()])


def find_start(start: str, generator: Generator, features: Features, target: np.ndarray, settings: Settings) -> Tensor:
    """Return the w [w_dim] to start from, for a target uint8 [R, R, 3].

    `start` is "mean", "nearest" or "seed:N". Raises BadOption for anything else, PartMissing if this generator has no table
    of starts.
    """
    kind, _, number = start.partition(":")
    if start == "mean":
        return generator.w_average()
    if start == "nearest":
        image = torch.tensor(target, device=next(features.parameters()).device).permute(2, 0, 1)[None].float() / 127.5 - 1
        seed = load_table(generator, table_file(settings, generator)).nearest(pooled(features, image)[0].cpu().numpy())
        return seed_w(generator, [seed], TRUNCATION)[0]
    if kind == "seed" and number.isdecimal() and int(number) < 2**32:
        return seed_w(generator, [int(number)], TRUNCATION)[0]
    raise BadOption(name="--start", reason=f"{start!r} is none of mean, nearest, seed:N")


def pooled(features: Features, images: Tensor) -> Tensor:
    """Compute the features float32 [N, D] of pictures [N, 3, R, R] of -1..1: the deepest tap at SIDE x SIDE positions."""
    small = feature_input(images)
    with torch.inference_mode():
        return F.adaptive_avg_pool2d(features(small)[-1], SIDE).flatten(1).float()


def fit_table(
    generator: Generator, features: Features, seeds: Sequence[int], on_progress: Callable[[int], None] = lambda done: None
) -> Table:
    """Draw the seeds, compute their features, and keep their principal components.

    `on_progress` gets the number of seeds done.
    """
    dtype = fast_dtype(generator.w_average().device)
    network = network_in(generator, dtype)
    vectors = []
    for index, seed in enumerate(seeds):
        with torch.inference_mode():
            image = network.synthesis(generator.broadcast(seed_w(generator, [seed], TRUNCATION)).to(dtype)).float()
        vectors.append(pooled(features, image)[0].cpu().numpy())
        on_progress(index + 1)
    matrix = np.stack(vectors).astype(np.float64)
    mean = matrix.mean(axis=0)
    basis = np.linalg.svd(matrix - mean, full_matrices=False)[2][:COMPONENTS].T
    return Table(np.asarray(seeds), mean.astype(np.float32), basis.astype(np.float32),
                 ((matrix - mean) @ basis).astype(np.float32), generator.digest)  # fmt: skip


def save_table(table: Table, file: Path) -> None:
    """Write the table in half precision: 0.5 MB for 2,001 seeds."""
    about = {"generator": table.generator, "truncation": TRUNCATION, "features": "efficientnet-lite0"}
    tensors = {"mean": table.mean, "basis": table.basis, "codes": table.codes}
    file.parent.mkdir(parents=True, exist_ok=True)
    # in C order: safetensors writes a transposed array's buffer as it lies
    halves = {name: np.ascontiguousarray(array, dtype=np.float16) for name, array in tensors.items()}
    save_file({**halves, "seeds": table.seeds.astype(np.int64)}, file, metadata={"table": json.dumps(about)})


def table_file(settings: Settings, generator: Generator) -> Path:
    """Find the file of this generator's table. Raises PartMissing."""
    file = find_part(settings, generator, STARTS)
    if file is None:
        raise PartMissing(name=generator.name, part="table of starts", command="egao train starts")
    return file


def load_table(generator: Generator, file: Path) -> Table:
    """Read a file of `save_table`. Raises WeightsUnfit if it was made with another generator, ModelUnreadable."""
    with read_as_data(file.name), safe_open(str(file), framework="numpy") as tensors:
        digest = json.loads(tensors.metadata()["table"])["generator"]
        arrays = {name: tensors.get_tensor(name) for name in ("seeds", "mean", "basis", "codes")}
    if digest != generator.digest:
        raise WeightsUnfit(name="The table of starts", found=digest[:12], expected=generator.digest[:12])
    floats = {name: arrays[name].astype(np.float32) for name in ("mean", "basis", "codes")}
    return Table(arrays["seeds"], generator=digest, **floats)
