"""A seed set in memory, and the small file that ships in its place.

The file leaves the latents out: w follows from the seed number, the generator and the truncation in a second.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.emotion import HAPPY, NEUTRAL
from core.errors import PartMissing, WeightsUnfit
from core.generator import Generator, seed_w
from core.seeds.table import FILE, SeedTable
from core.settings import Settings
from core.untrusted import read_as_data
from core.weights.parts import LABELS, find_part

TRUNCATION = 0.7  # the original's; clean faces, and variety enough
_LABELS = ("seeds", "probabilities", "smile", "pose", "measures")


@dataclass(frozen=True)
class SeedSet:
    """Judged seeds of one generator at one truncation, ordered by seed. NaN where the landmarker found no face."""

    generator: str  # digest of the weights
    truncation: float
    seeds: NDArray[np.int64]  # [N]
    w: NDArray[np.float32]  # [N,w_dim]
    probabilities: NDArray[np.float32]  # [N,7], order of EMOTIONS
    smile: NDArray[np.float32]  # [N], 0..1
    pose: NDArray[np.float32]  # [N,3], degrees: yaw, pitch, roll
    measures: NDArray[np.float32]  # [N,6], order of MEASURES

    @property
    def emotions(self) -> NDArray[np.intp]:
        """The likeliest emotion of each seed, [N], an index into EMOTIONS."""
        emotions: NDArray[np.intp] = np.argmax(self.probabilities, axis=1)
        return emotions

    @property
    def happy(self) -> NDArray[np.bool_]:
        """[N], where happy is the likeliest emotion: the original's label."""
        return np.equal(self.emotions, HAPPY)

    @property
    def neutral(self) -> NDArray[np.bool_]:
        """[N], where neutral is the likeliest emotion."""
        return np.equal(self.emotions, NEUTRAL)

    @property
    def digest(self) -> str:
        """sha256 over seeds and labels: which set a direction was fitted to."""
        whole = hashlib.sha256(f"{self.generator} {self.truncation}".encode())
        for name in _LABELS:
            whole.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return whole.hexdigest()

    def within(self, first: int, last: int) -> SeedSet:
        """The seeds from `first` to `last`, both included."""
        chosen = (self.seeds >= first) & (self.seeds <= last)
        arrays = {name: getattr(self, name)[chosen] for name in (*_LABELS, "w")}
        return SeedSet(self.generator, self.truncation, **arrays)


def load_seed_set(settings: Settings, generator: Generator, truncation: float = TRUNCATION) -> tuple[SeedSet, str]:
    """The built set if there is one, otherwise the kept labels; and in words which of the two.

    Raises PartMissing if there is neither for this generator, WeightsUnfit if its labels are of another truncation.
    """
    with SeedTable.open(settings) as table:
        columns = table.columns(generator.digest, truncation)
    if columns is not None:
        return SeedSet(generator.digest, truncation, **columns), f"the built set in {settings.home / FILE}"
    return load_labels(settings, generator, truncation), "the labels that ship or were exported"


def load_labels(settings: Settings, generator: Generator, truncation: float = TRUNCATION) -> SeedSet:
    """The labels that ship or were exported for this generator (`seeds/labels.npz`), with the latents computed.

    Raises PartMissing if there are none, WeightsUnfit if they belong to another truncation.
    """
    file = find_part(settings, generator, LABELS)
    if file is None:
        raise PartMissing(name=generator.name, part="set of labelled seeds", command="egao seeds build")
    with read_as_data(file.name), np.load(file, allow_pickle=False) as archive:
        about = json.loads(str(archive["about"]))
        labels: dict[str, NDArray[Any]] = {name: archive[name] for name in _LABELS}
    if about["digest"] != generator.digest or about["truncation"] != truncation:
        found = f"{about['digest'][:12]} at truncation {about['truncation']}"
        raise WeightsUnfit(name=LABELS, found=found, expected=f"{generator.digest[:12]} at {truncation}")
    w = seed_w(generator, labels["seeds"].tolist(), truncation).numpy()
    return SeedSet(generator.digest, truncation, w=w, **labels)


def save_labels(seeds: SeedSet, name: str, path: Path) -> None:
    """Write a set without its latents; `name` is the generator's. The same set gives the same bytes."""
    about = {"generator": name, "digest": seeds.generator, "truncation": seeds.truncation, "labels": seeds.digest}
    arrays: dict[str, NDArray[Any]] = {label: getattr(seeds, label) for label in _LABELS}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
