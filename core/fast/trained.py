"""Trained parts on disk: fp16 safetensors that name the generator they belong to, with a model card beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from core.errors import PartMissing, WeightsMissing, WeightsUnfit
from core.generator.protocol import Generator
from core.untrusted import read_as_data
from core.weights.parts import CURVATURE as CURVATURE
from core.weights.parts import ENCODER as ENCODER
from core.weights.parts import FAST, find_part
from core.weights.parts import PREVIEW as PREVIEW

if TYPE_CHECKING:
    from core.settings import Settings

FOLDER = FAST

M = TypeVar("M", bound=nn.Module)


def trained_file(settings: Settings, generator: Generator, name: str) -> Path:
    """Find the file of the part `name` for this generator. Raises PartMissing."""
    file = find_part(settings, generator, f"{FOLDER}/{name}")
    if file is None:
        part = name.removesuffix(".safetensors")
        raise PartMissing(name=generator.name, part=part, command=f"egao train {part}")
    return file


def save_trained(module: nn.Module, file: Path, generator: Generator, facts: dict[str, str]) -> None:
    """Write the module's state in float16, atomically, with `facts` (strings) and the generator's digest as metadata."""
    state = {name: tensor.detach().cpu().half().contiguous() for name, tensor in module.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".part")
    save_file(state, temporary, metadata={**facts, "generator": generator.digest})
    temporary.replace(file)


def load_trained(module: M, file: Path, generator: Generator) -> M:
    """Load a file of `save_trained` into the module (float32, frozen) and return it.

    Raises WeightsMissing if there is no file, WeightsUnfit if it was trained for another generator, ModelUnreadable.
    """
    if not file.is_file():
        raise WeightsMissing(name=file.stem)
    with read_as_data(file.name), safe_open(str(file), framework="pt") as tensors:
        found = (tensors.metadata() or {}).get("generator", "unknown")
        if found != generator.digest:
            raise WeightsUnfit(name=file.stem, found=found[:12], expected=generator.digest[:12])
        state = {name: tensors.get_tensor(name).float() for name in tensors.keys()}  # noqa: SIM118
        module.load_state_dict(state)
    module.requires_grad_(False).eval().to(generator.w_average().device)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def file_hash(file: Path) -> str:
    """Compute the sha256 of a file, in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
