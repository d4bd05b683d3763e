"""Tells what a node must share with the bot: its version of egao, and its weights. Another's pictures would differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

from core.settings import Settings
from core.weights.cache import check
from core.weights.installed import chosen
from core.weights.manifest import load_manifest
from core.weights.parts import find_made, shipped_folder

_LETTERS = 63  # of a label's value, at most
_WEIGHTS = 32  # hexadecimal digits that stand for the weights


@dataclass(frozen=True)
class Identity:
    """What a node runs."""

    version: str
    weights: str  # a hash over those of all files that pictures are made with

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read this machine's own. Raises WeightsMissing, WeightsCorrupt, NoSuchGenerator."""
        manifest = load_manifest()
        wanted = manifest.of_groups(("core",))
        for weight in wanted:
            check(settings, weight)
        generator = chosen(settings).digest
        hashes = [digest for weight in wanted for _, _, digest in weight.contents]
        parts = [folder for folder in (find_made(settings, generator), shipped_folder(generator)) if folder is not None]
        trained = [_of_file(file) for folder in parts for file in sorted(folder.rglob("*.safetensors"))]
        whole = hashlib.sha256(json.dumps([generator, hashes, trained]).encode()).hexdigest()
        return cls(version("egao"), whole[:_WEIGHTS])

    @classmethod
    def of_labels(cls, labels: Mapping[str, object]) -> Self:
        """Read a node's, as it says."""
        said = [labels.get(name) for name in ("egao-version", "egao-weights")]
        known, weights = (one if isinstance(one, str) and len(one) <= _LETTERS and one.isprintable() else "?" for one in said)
        return cls(known, weights)

    def labels(self) -> dict[str, str]:
        """Write it as labels of a node."""
        return {"egao-version": self.version, "egao-weights": self.weights}

    def refusal(self, node: Identity) -> str | None:
        """Say why a machine that runs `node` can't work with one that runs `self`; None if it can."""
        if node.version != self.version:
            return f"it runs egao {node.version}, not {self.version}; install the same version on both"
        if node.weights != self.weights:
            return "it has other weights, directions or trained parts; run `egao models pull` on both, and copy those of your own"
        return None


def _of_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
