"""Reads the mapping network of NVIDIA's published files, which their StyleGANs have in common, to `core.generator.mapping`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core.errors import ModelRefused
from core.generator.reading.made import Record
from core.generator.reading.parts import dense, has_module, has_numbers, module, named, numbers, option, wanted


def nvidia_mapping(mapping: Record) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the shape and the weights of the mapping network of NVIDIA's PyTorch generators, and w_avg, where it was tracked.

    Raises ModelRefused.
    """
    tensors: dict[str, Tensor] = {"w_avg": numbers(mapping, "w_avg")} if has_numbers(mapping, "w_avg") else {}
    layers = 0
    while has_module(mapping, f"fc{layers}"):
        weight, bias = dense(module(mapping, f"fc{layers}"))
        tensors |= named(f"mapping_network.layers.{layers}", {"weight": weight, "bias": bias})
        layers += 1
    if not layers:
        raise ModelRefused(reason="its mapping network has no layers")
    first, last = (tensors[f"mapping_network.layers.{index}.weight"] for index in (0, layers - 1))
    shape = {
        "z_dim": int(option(mapping, "z_dim")), "w_dim": len(last), "layers": layers, "hidden": len(first),
        "activation": option(module(mapping, "fc0"), "activation"),
    }  # fmt: skip
    if has_module(mapping, "embed"):
        weight, bias = dense(module(mapping, "embed"))
        tensors |= named("mapping_network.embed", {"weight": weight, "bias": bias})
        shape |= {"label_dim": weight.shape[1], "embedded": len(weight)}
    if shape["activation"] == "linear":
        shape["gain"] = 1.0
    return shape, tensors


def tensorflow_mapping(found: dict[str, Tensor], known: dict[str, Any], gain: float) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the shape and the weights, with w_avg, of the mapping network of NVIDIA's TensorFlow generators.

    `gain` is the factor after each activation: the root of 2 for StyleGAN2, 1 for StyleGAN, which has it in its weights.
    Raises ModelRefused.
    """
    rate, tensors = float(known.get("mapping_lrmul", 0.01)), {"w_avg": wanted(found, "dlatent_avg")}
    layers = 0
    while f"mapping/Dense{layers}/weight" in found:
        weight, bias = found[f"mapping/Dense{layers}/weight"], wanted(found, f"mapping/Dense{layers}/bias")
        scale = rate * (2**0.5 / gain) / weight.shape[0] ** 0.5
        tensors |= named(f"mapping_network.layers.{layers}", {"weight": weight.T * scale, "bias": bias * rate})
        layers += 1
    if not layers:
        raise ModelRefused(reason="its mapping network has no layers")
    if known.get("normalize_latents", True) is not True:
        raise ModelRefused(reason="its mapping network does not normalise z")
    inputs, hidden = found["mapping/Dense0/weight"].shape
    shape: dict[str, Any] = {
        "w_dim": len(tensors["w_avg"]), "layers": layers, "hidden": hidden, "gain": gain,
        "activation": str(known.get("mapping_nonlinearity", "lrelu")),
    }  # fmt: skip
    embedded = 0
    for name, apart in (("LabelConcat", False), ("LabelEmbed", True)):
        if f"mapping/{name}/weight" in found:
            weight = found[f"mapping/{name}/weight"]
            classes, embedded = weight.shape
            scale = classes**-0.5 if apart else 1.0
            bias = found.get(f"mapping/{name}/bias", torch.zeros(embedded))
            tensors |= named("mapping_network.embed", {"weight": weight.T * scale, "bias": bias})
            shape |= {"label_dim": classes, "embedded": embedded, "apart": apart}
    return shape | {"z_dim": inputs - embedded}, tensors
