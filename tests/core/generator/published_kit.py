"""Published model files in small: each form as its own code writes it, with numbers that follow from their names.

What the published code draws with the very same numbers is in `published/*.npz`; `published/*.json` tells how each network is
built. Modules of the names that such files ask for are made up here, and hold nothing.

A new case of a torch state dict is two files: NAME.json with {"form": "state", "shapes": {key: shape}}, made small, and
NAME.npz with z [2, z_dim], c [2, 0], w [2, w_dim] and the image [2, 3, R, R] that the published module draws once
`numbers(key, shape)` is loaded into it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.core.generator.numbers import numbers

FOLDER = Path(__file__).parent / "published"
CASES = sorted(file.stem for file in FOLDER.glob("*.json"))
STATES = ("state", "rosinality")  # forms that torch saves as tensors by their names
SOURCE = "raise SystemExit('the source code in the file was run')"


class Kept:
    """An object that pickles as torch_utils.persistence pickles one: with its class's source code."""

    def __init__(self, name: str, state: dict[str, Any]) -> None:
        self.name, self.state = name, state

    def __reduce__(self) -> tuple[Any, ...]:
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": self.name, "state": self.state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


class Network:
    """Pickles as a network of dnnlib.tflib: by its state, the source code among it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


@contextmanager
def names_of_published_code() -> Iterator[None]:
    """Let pickles name what isn't installed, while they are written."""
    persistence, network = ModuleType("torch_utils.persistence"), ModuleType("dnnlib.tflib.network")

    def _reconstruct_persistent_obj(meta: object) -> None:
        raise AssertionError("only its name is pickled")

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    network.Network = Network  # type: ignore[attr-defined]
    mine = {name: ModuleType(name) for name in ("torch_utils", "dnnlib", "dnnlib.tflib")}
    mine |= {"torch_utils.persistence": persistence, "dnnlib.tflib.network": network}
    there = {name: sys.modules.get(name) for name in mine}
    own, Network.__module__ = Network.__module__, "dnnlib.tflib.network"
    sys.modules.update(mine)
    try:
        yield
    finally:
        Network.__module__ = own
        for name, module in there.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def expected(case: str) -> dict[str, NDArray[np.float32]]:
    """z, c, w, image and, for some, none (no noise) and cut (truncated), as the published code computes them."""
    with np.load(FOLDER / f"{case}.npz") as archive:
        return {name: archive[name] for name in archive.files}


def form(case: str) -> str:
    """The form of a case's published file."""
    return str(json.loads((FOLDER / f"{case}.json").read_text())["form"])


def write_case(case: str, folder: Path, legacy: bool = False) -> Path:
    """The published file of a case; `legacy` takes torch's older container where the form has a choice."""
    about = json.loads((FOLDER / f"{case}.json").read_text())
    tree: Any
    file = folder / f"{case}{'.pt' if about['form'] in STATES else '.pkl'}"
    if about["form"] == "nvidia":
        tree = {
            "G": None,
            "D": None,
            "G_ema": _module(about["tree"], ""),
            "training_set_kwargs": {"path": "x"},
            "augment_pipe": None,
        }
        _pickle(tree, file)
    elif about["form"] == "tensorflow":
        network = _network(about)
        _pickle((network, network, network), file)
    else:
        state = {name: _tensor(name, shape) for name, shape in about["shapes"].items()}
        tree = OrderedDict(state)
        if about["form"] == "rosinality":
            tree = {"g": {}, "g_ema": tree, "args": argparse.Namespace(size=8), "ada_aug_p": 0.0}
        torch.save(tree, file, _use_new_zipfile_serialization=not legacy)
    return file


def _pickle(tree: object, file: Path) -> None:
    with names_of_published_code():
        file.write_bytes(pickle.dumps(tree, protocol=4))


def _tensor(name: str, shape: Any) -> torch.Tensor:
    """By its name, unless the description holds the numbers themselves."""
    if name.endswith(("kernel", "filter")):
        return torch.tensor(shape, dtype=torch.float32)
    return torch.from_numpy(np.array(numbers(name, shape))).reshape(shape)


def _module(about: dict[str, Any], path: str) -> Kept:
    parameters = {name: torch.nn.Parameter(_tensor(path + name, shape)) for name, shape in about["parameters"].items()}
    buffers = {name: _tensor(path + name, shape) for name, shape in about["buffers"].items()}
    modules = {name: _module(part, f"{path}{name}.") for name, part in about["modules"].items()}
    state = {"training": False, "_parameters": OrderedDict(parameters), "_buffers": OrderedDict(buffers)}
    return Kept(about["name"], {**state, "_modules": OrderedDict(modules), "_init_kwargs": {}, **about["options"]})


def _network(about: dict[str, Any]) -> Network:
    def part(name: str, shapes: dict[str, list[int]], prefix: str, components: dict[str, Network]) -> Network:
        variables = [(key, np.array(numbers(prefix + key, shape))) for key, shape in shapes.items()]
        return Network({"version": 4, "name": name, "static_kwargs": about["options"], "components": components,
                        "build_module_src": SOURCE, "build_func_name": "G_main", "variables": variables})  # fmt: skip

    components = {name: part(f"G_{name}", about[name], f"{name}/", {}) for name in ("mapping", "synthesis")}
    return part("Gs", about["variables"], "", components)
