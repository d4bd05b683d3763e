"""Finds the generator in the content of a published file, and its numbers by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.errors import ModelRefused
from core.generator.reading.made import Network, Record

Tree = dict[str, Any]


def averaged(tree: Any) -> Record | None:
    """Find the generator with averaged weights (`G_ema`) in the content of an NVIDIA PyTorch pickle; None for other content."""
    found = tree.get("G_ema") if isinstance(tree, dict) else tree
    return found if type(found) is Record and "_modules" in found.state else None


def tensorflow(tree: Any) -> Record | None:
    """Find the averaged generator in an NVIDIA TensorFlow pickle, the last of (G, D, Gs); None for other content."""
    found = tree[-1] if isinstance(tree, tuple) and len(tree) == 3 else tree
    return found if isinstance(found, Record) and "variables" in found.state else None


def state_dict(tree: Any, *keys: str) -> dict[str, Tensor] | None:
    """Find the tensors by name in a torch checkpoint, under the first fitting key or at the top; None if there are none."""
    for found in (*(tree.get(key) for key in keys if isinstance(tree, dict)), tree):
        if isinstance(found, dict) and found and all(isinstance(name, str) for name in found):
            tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
            if tensors and len(tensors) == len(found):
                return tensors
    return None


def module(record: Record, path: str) -> Record:
    """Return a part of a torch module, such as "synthesis.b4". Raises ModelRefused if it has none."""
    for name in path.split("."):
        found = record.state.get("_modules", {}).get(name) if isinstance(record.state.get("_modules"), dict) else None
        if not isinstance(found, Record):
            raise ModelRefused(reason=f"its generator has no part {path}")
        record = found
    return record


def has_module(record: Record, name: str) -> bool:
    """Tell whether a torch module has a part of this name."""
    parts = record.state.get("_modules")
    return isinstance(parts, dict) and isinstance(parts.get(name), Record)


def numbers(record: Record, name: str) -> Tensor:
    """Return a parameter or buffer of a torch module as float32. Raises ModelRefused if it has none."""
    for kind in ("_parameters", "_buffers"):
        group = record.state.get(kind)
        if isinstance(group, dict) and isinstance(group.get(name), Tensor):
            return group[name].detach().float()  # type: ignore[no-any-return]
    raise ModelRefused(reason=f"its generator has no numbers {name}")


def has_numbers(record: Record, name: str) -> bool:
    """Tell whether a torch module has a parameter or buffer of this name."""
    return any(isinstance((record.state.get(kind) or {}).get(name), Tensor) for kind in ("_parameters", "_buffers"))


def option(record: Record, name: str, default: Any = None) -> Any:
    """Return a plain attribute of an object: a number, text, list or None. Raises ModelRefused for other values."""
    value = record.state.get(name, default)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if value is not None and not isinstance(value, str | int | float | bool | list | tuple):
        raise ModelRefused(reason=f"its option {name} is not understood")
    return value


def dense(record: Record) -> tuple[Tensor, Tensor]:
    """Return a dense layer's weight [O, I] and bias [O], multiplied by their learning-rate multipliers. Raises ModelRefused."""
    weight, bias = numbers(record, "weight") * float(option(record, "weight_gain", 1)), torch.zeros(())
    if has_numbers(record, "bias"):
        bias = numbers(record, "bias") * float(option(record, "bias_gain", 1))
    return weight, bias.expand(len(weight)).clone()


def variables(network: Record) -> dict[str, Tensor]:
    """Collect the variables, float32, of a TensorFlow network and its components ("mapping/...", "synthesis/...").

    Raises ModelRefused.
    """
    found: dict[str, Tensor] = {}
    own = network.state.get("variables")
    for entry in own if isinstance(own, list) else ():
        if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[0], str):
            raise ModelRefused(reason="its variables are not understood")
        value = np.asarray(entry[1])
        if value.dtype.kind not in "fiu":
            raise ModelRefused(reason=f"its variable {entry[0]} holds no numbers")
        found[entry[0]] = torch.from_numpy(value.astype(np.float32))
    components = network.state.get("components")
    for name, part in components.items() if isinstance(components, dict) else ():
        if isinstance(part, Network | Record) and part is not network:
            found |= {f"{name}/{key}": value for key, value in variables_flat(part).items()}
    return found


def variables_flat(network: Record) -> dict[str, Tensor]:
    """Collect the variables of a component, without those of components inside it."""
    return variables(Record(network.name, {"variables": network.state.get("variables")}))


def wanted(tensors: dict[str, Tensor], name: str) -> Tensor:
    """Return a tensor by name as float32. Raises ModelRefused if there is none."""
    if name not in tensors:
        raise ModelRefused(reason=f"its generator has no numbers {name}")
    return tensors[name].detach().float()


def named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put "prefix." before the names of tensors."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
