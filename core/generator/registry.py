"""Finds the families of generators: each module in `core/generator/families/` is one, and its name is the family's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

from safetensors import safe_open
from torch import Tensor

from core.errors import ModelUnreadable
from core.generator.protocol import Generator
from core.untrusted import read_as_data

ABOUT: Final = "generator"  # key of the metadata of imported weights: JSON with "family" and "shape"

# Names of the families, as the weights' metadata have them. A module is imported when a file of its family is loaded.
FAMILIES: Final = tuple(sorted(module.name for module in iter_modules([str(Path(__file__).with_name("families"))])))


@dataclass(frozen=True)
class Converted:
    """A published file converted to the form that a family loads.

    Where `tensors` has no "w_avg", the mean of w float32 [w_dim], it is measured, and `shape["mapping"]["w_dim"]` must say how
    long it is.
    """

    what: str  # family, form and size, in words
    shape: dict[str, Any]  # how the network is built, without its weights, as data for JSON
    tensors: dict[str, Tensor]  # by the names that the family loads


def converts_nothing(tree: Any) -> None:
    """Convert no published file: for a family whose files come with egao."""


@dataclass(frozen=True)
class Family:
    """What a family's module offers: to load a generator, to convert published files, and its published architectures."""

    load: Callable[[Path], Generator]  # a safetensors file of this family -> the generator, frozen and on the CPU
    # the content of a published file (core.generator.reading) -> this family's form of it; None if it is of another family
    convert: Callable[[Any], Converted | None] = converts_nothing
    # published architectures by name, such as "stylegan2": a side of `core.generator.architecture.SIDES` -> with random weights
    architectures: Mapping[str, Callable[[int], Generator]] = field(default_factory=dict)


def family(name: str) -> Family:
    """Import a family by its name. Raises ModelUnreadable if there is none of that name."""
    if name not in FAMILIES:
        raise ModelUnreadable(name="The generator", reason=f"it is of the family {name!r}; known are {', '.join(FAMILIES)}")
    found = import_module(f"core.generator.families.{name}").FAMILY
    assert isinstance(found, Family)
    return found


def architectures() -> dict[str, Callable[[int], Generator]]:
    """Collect the published architectures of all families by name: see `Family`. It imports every family."""
    return {name: make for one in FAMILIES for name, make in family(one).architectures.items()}


def load_file(file: Path) -> Generator:
    """Load a generator from its safetensors file, whose metadata names the family. Raises ModelUnreadable."""
    with read_as_data(file.name):
        with safe_open(str(file), framework="pt") as tensors:
            about = tensors.metadata() or {}
        name = about.get("family") or json.loads(about.get(ABOUT, "{}")).get("family", "")
        return family(name).load(file)
