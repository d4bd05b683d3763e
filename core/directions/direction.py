"""A direction in latent space, and its file.

    direction = load_direction("smile", settings)
    edited = apply(direction, ws, 1.5)

Strength has a unit: 1 is the distance in w from the mean neutral face of the seed set to the mean face that shows the
expression, measured along the direction. The vector has that length, so an edit is ws + strength * styles * vector. A style's
weight is how many units it moves at strength 1: 1 everywhere for most directions; the default direction moves some styles by
1.2 and the others not at all.

A file is safetensors (`vector`, `styles`) with a JSON object in its metadata: how the direction was made and judged, and the
digest of the generator that it belongs to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from core.errors import NoSuchDirection, PartMissing, WeightsUnfit
from core.expressions import default, load
from core.expressions import names_with_variations as expressions
from core.generator import Generator
from core.settings import Settings
from core.untrusted import read_as_data
from core.weights.installed import chosen_digest
from core.weights.parts import Named, find_made, made_folder, shipped_folder

DEFAULT = default().move.direction
SUFFIX = ".safetensors"
_FOLDER = "directions"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, eq=False)
class Direction:
    """The change of a latent at strength 1, for one generator."""

    name: str
    vector: NDArray[np.float32]  # [w_dim], or [num_ws,w_dim] where each style goes its own way; its length is one unit
    styles: NDArray[np.float32]  # [num_ws], units that each style moves at strength 1.0; 0 leaves it alone
    generator: str  # digest of the weights
    provenance: dict[str, Any] = field(default_factory=dict)  # method, seeds, truncation, scores, as data for JSON

    def __post_init__(self) -> None:
        assert self.vector.shape[:-1] in ((), self.styles.shape), (self.vector.shape, self.styles.shape)

    def step(self) -> NDArray[np.float32]:
        """Compute what strength 1 adds to ws: float32 [num_ws, w_dim]."""
        return self.styles[:, None] * self.vector

    @property
    def digest(self) -> str:
        """Hash of the step, 16 hex digits: directions that move a face alike share it, whatever their names."""
        return hashlib.sha256(self.step().tobytes()).hexdigest()[:16]


def apply(direction: Direction, ws: Tensor, strength: float | Tensor) -> Tensor:
    """Move ws [N,num_ws,w_dim] by `strength` units: a number for all, or a tensor [N] with one for each face."""
    step = torch.from_numpy(direction.step()).to(ws)
    assert ws.shape[1:] == step.shape, (ws.shape, step.shape)
    amount = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)
    return ws + amount * step


def names(settings: Settings) -> list[str]:
    """List every direction that can be loaded, fitted on this machine or shipped: the default first, then by name."""
    digest = chosen_digest(settings)
    found = {path.name.removesuffix(SUFFIX) for folder in _folders(settings, digest) for path in folder.glob(f"*{SUFFIX}")}
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def load_direction(name: str, settings: Settings, generator: Generator | None = None) -> Direction:
    """Read a direction. One fitted on this machine takes precedence over a shipped one of the same name.

    Raises NoSuchDirection, ModelUnreadable; PartMissing for the direction of an expression that nobody learned yet; and
    WeightsUnfit if it belongs to another generator than `generator`. If that is None, the generator that the settings name
    counts, and it need not be loaded.
    """
    expected = generator.digest if generator else chosen_digest(settings)
    for folder in _folders(settings, expected) if _NAME.fullmatch(name) else ():
        path = folder / f"{name}{SUFFIX}"
        if path.is_file():
            direction = read_direction(path)
            if direction.generator != expected:
                found = f"weights {direction.generator[:12]}"
                raise WeightsUnfit(name=f"The direction {name}", found=found, expected=expected[:12])
            return direction
    expression = next((one for one in expressions() if load(one).move.direction == name), None)
    if expression is not None:
        command = f"egao directions fit --expression {expression} --method {name}"
        raise PartMissing(name=settings.generator, part=f"direction {name}", command=command)
    raise NoSuchDirection(name=name, known=", ".join(names(settings)))


def read_direction(path: Path) -> Direction:
    """Read a direction from its file, whatever generator it belongs to. Raises ModelUnreadable."""
    with read_as_data(path.name), safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["direction"])
        vector, styles = file.get_tensor("vector"), file.get_tensor("styles")
        return Direction(about["name"], vector, styles, about["generator"], about["provenance"])


def save_direction(direction: Direction, folder: Path) -> Path:
    """Write `folder`/NAME.safetensors atomically and return its path. The same direction gives the same bytes."""
    assert _NAME.fullmatch(direction.name), direction.name
    about = {"name": direction.name, "generator": direction.generator, "provenance": direction.provenance}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{direction.name}{SUFFIX}"
    part = path.with_suffix(".part")
    tensors = {"vector": np.ascontiguousarray(direction.vector), "styles": np.ascontiguousarray(direction.styles)}
    save_file(tensors, part, metadata={"direction": json.dumps(about, ensure_ascii=False)})
    part.chmod(0o644)  # safetensors writes for the owner alone, but a direction is no secret
    part.replace(path)
    return path


def held_out(provenance: Mapping[str, Any]) -> str:
    """Say how many of the labelled seeds held out a direction tells apart; "-" for a sum of others, which tells nothing apart."""
    if (test := provenance.get("test")) is None:
        return "-"
    return f"{test['share']:.1%} of {test['of']} ({test['interval'][0]:.1%} - {test['interval'][1]:.1%})"


def fitted_folder(settings: Settings, whose: Named) -> Path:
    """Return the folder that `egao directions fit` writes to by default, made if it is missing."""
    return made_folder(settings, whose) / _FOLDER


def _folders(settings: Settings, digest: str) -> list[Path]:
    """List the folders to search, in order: this machine's, EGAO_HOME (where earlier versions wrote), the shipped one."""
    made, shipped = find_made(settings, digest), shipped_folder(digest)
    return [folder / _FOLDER for folder in (made, settings.home, shipped) if folder is not None]
