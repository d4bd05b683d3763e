"""A seed set in memory, and the small file of labels that ships instead of the whole set.

The file has no latents: w is computed in a second from seed, generator and truncation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.emotion import EMOTIONS, NEUTRAL
from core.errors import BadSeeds, PartMissing, WeightsUnfit
from core.expressions import Expression, default
from core.generator import Generator, seed_w
from core.generator.protocol import class_of
from core.seeds.measure import MEASURES
from core.seeds.table import FILE, SeedTable, key_of
from core.settings import Settings
from core.untrusted import read_as_data
from core.weights.parts import LABELS, find_part

TRUNCATION = 0.7  # the original's; clean faces, and variety enough
_LABELS = ("seeds", "probabilities", "score", "pose", "measures")  # in the file the score has the name of its expression


@dataclass(frozen=True)
class SeedSet:
    """Labelled seeds of one generator at one truncation, ordered by seed.

    Where the landmarker found no face, score, pose and measures are NaN; the probabilities are not.
    """

    generator: str  # digest of the weights
    truncation: float
    seeds: NDArray[np.int64]  # [N]
    w: NDArray[np.float32]  # [N,w_dim]
    probabilities: NDArray[np.float32]  # [N,7], order of EMOTIONS
    score: NDArray[np.float32]  # [N], 0..1, how much each shows of the expression
    pose: NDArray[np.float32]  # [N,3], degrees: yaw, pitch, roll
    measures: NDArray[np.float32]  # [N,6], order of MEASURES
    expression: Expression
    label: int = 0  # the class that was drawn, of a generator with labels

    @property
    def emotions(self) -> NDArray[np.intp]:
        """The likeliest emotion of each seed, [N], an index into EMOTIONS."""
        emotions: NDArray[np.intp] = np.argmax(self.probabilities, axis=1)
        return emotions

    @property
    def showing(self) -> NDArray[np.bool_]:
        """Mask [N] of the seeds whose likeliest emotion is `emotion`, as the original project labelled its seeds."""
        return np.equal(self.emotions, self.emotion)

    @property
    def emotion(self) -> int:
        """The expression's emotion, an index into EMOTIONS."""
        return EMOTIONS.index(self.expression.judged.emotion)

    @property
    def neutral(self) -> NDArray[np.bool_]:
        """Mask [N] of the seeds whose likeliest emotion is neutral."""
        return np.equal(self.emotions, NEUTRAL)

    @property
    def digest(self) -> str:
        """sha256 over seeds and labels, kept with a direction to tell which set it was fitted to."""
        drawn = f"{self.generator} {self.truncation}" + (f" {self.label}" if self.label else "")
        whole = hashlib.sha256(drawn.encode())
        for name in _LABELS:
            whole.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return whole.hexdigest()

    def within(self, first: int, last: int) -> SeedSet:
        """Keep the seeds from `first` to `last`, both included."""
        chosen = (self.seeds >= first) & (self.seeds <= last)
        arrays = {name: getattr(self, name)[chosen] for name in (*_LABELS, "w")}
        return replace(self, **arrays)


def load_seed_set(
    settings: Settings, generator: Generator, truncation: float = TRUNCATION, expression: Expression | None = None
) -> tuple[SeedSet, str]:
    """Load the set built on this machine, or else the exported or shipped labels, and tell in words which of them it is.

    Scores are of the `expression`, the default one if None. Raises PartMissing if there is neither for this generator,
    WeightsUnfit if the labels are of another truncation.
    """
    expression = expression or default()
    with SeedTable.open(settings) as table:
        columns = table.columns(key_of(generator), truncation, expression)
    if columns is not None:
        built = SeedSet(generator.digest, truncation, expression=expression, label=class_of(generator), **columns)
        return built, f"the built set in {settings.home / FILE}"
    return load_labels(settings, generator, truncation, expression), "the labels that ship or were exported"


def named_seeds(
    generator: Generator, showing: Sequence[int], neutral: Sequence[int], truncation: float = TRUNCATION,
    expression: Expression | None = None,
) -> SeedSet:  # fmt: skip
    """Make a set of seeds that a person looked at, or chose: those `showing` the expression and the `neutral` ones.

    Nothing is drawn: pose and measures are NaN, scores 1 and 0. Raises BadSeeds for a seed that is named as both.
    """
    expression = expression or default()
    if both := sorted(set(showing) & set(neutral)):
        raise BadSeeds(reason=f"{both[0]} is named as one that shows it and as a neutral one")
    seeds = np.array(sorted({*showing, *neutral}), dtype=np.int64)
    shows = np.isin(seeds, list(showing))
    kinds = np.where(shows, EMOTIONS.index(expression.judged.emotion), NEUTRAL)
    return SeedSet(
        generator.digest, truncation, seeds, seed_w(generator, seeds.tolist(), truncation).cpu().numpy(),
        probabilities=np.eye(len(EMOTIONS), dtype=np.float32)[kinds], score=shows.astype(np.float32),
        pose=np.full((len(seeds), 3), np.nan, np.float32), measures=np.full((len(seeds), len(MEASURES)), np.nan, np.float32),
        expression=expression, label=class_of(generator),
    )  # fmt: skip


def labels_part(generator: Generator) -> str:
    """Name the file of labels of the class that the generator draws, a part as in core.weights.parts."""
    label = class_of(generator)
    return LABELS.replace(".", f"-{label}.") if label else LABELS


def load_labels(
    settings: Settings, generator: Generator, truncation: float = TRUNCATION, expression: Expression | None = None
) -> SeedSet:
    """Read the labels exported or shipped for this generator (`seeds/labels.npz`), and compute the latents.

    If they were written for another expression, the scores are NaN: most directions are learned from the emotions alone.
    Raises PartMissing if there are none, WeightsUnfit if they are of another truncation, ModelUnreadable.
    """
    expression = expression or default()
    label, part = class_of(generator), labels_part(generator)
    file = find_part(settings, generator, part)
    if file is None:
        of_class = f" --class {label}" if label else ""
        raise PartMissing(name=generator.name, part="set of labelled seeds", command=f"egao seeds build{of_class}")
    with read_as_data(file.name), np.load(file, allow_pickle=False) as archive:
        about = json.loads(str(archive["about"]))
        unscored = np.full(len(archive["seeds"]), np.nan, dtype=np.float32)
        labels: dict[str, NDArray[Any]] = {name: archive.get(_in_file(name, expression), unscored) for name in _LABELS}
    if about["digest"] != generator.digest or about["truncation"] != truncation or about.get("class", 0) != label:
        found = f"{about['digest'][:12]} at truncation {about['truncation']}"
        raise WeightsUnfit(name=part, found=found, expected=f"{generator.digest[:12]} at {truncation}")
    w = seed_w(generator, labels["seeds"].tolist(), truncation).cpu().numpy()
    return SeedSet(generator.digest, truncation, w=w, expression=expression, label=label, **labels)


def save_labels(seeds: SeedSet, name: str, path: Path) -> None:
    """Write a set without its latents to `path`; `name` is the generator's. The same set gives the same bytes."""
    about = {"generator": name, "digest": seeds.generator, "truncation": seeds.truncation, "labels": seeds.digest}
    about |= {"class": seeds.label} if seeds.label else {}
    arrays: dict[str, NDArray[Any]] = {_in_file(label, seeds.expression): getattr(seeds, label) for label in _LABELS}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)


def _in_file(label: str, expression: Expression) -> str:
    """Name an array in the file: the score has its expression's name."""
    return expression.name if label == "score" else label
