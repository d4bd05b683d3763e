"""Converts the published forms of StyleGAN2 to one: NVIDIA's in PyTorch and TensorFlow, and rosinality's in PyTorch.

They differ in names, in the order of axes, in how a doubling layer's weight is mirrored, and in where they keep the constants
that training multiplies the weights by. In the result those constants are contained in the weights, and a doubling layer's
weight is that of the transposed convolution.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from core.errors import ModelRefused
from core.generator.ops import separable
from core.generator.reading.made import Record
from core.generator.reading.mapping import nvidia_mapping, tensorflow_mapping
from core.generator.reading.parts import (
    averaged,
    dense,
    has_module,
    has_numbers,
    module,
    named,
    numbers,
    option,
    state_dict,
    tensorflow,
    variables,
    wanted,
)
from core.generator.registry import Converted

_LR_MAPPING = 0.01  # of rosinality's mapping network, which its files don't tell


def convert(tree: Any) -> Converted | None:
    """Convert any of the three forms; None for other content. Raises ModelRefused for an unsupported option."""
    record = averaged(tree)
    if record is not None and has_module(record, "synthesis") and has_module(module(record, "synthesis"), "b4"):
        return _finished("StyleGAN2 (PyTorch)", *_nvidia(record))
    network = tensorflow(tree)
    if network is not None and any(name.endswith("/mod_weight") for name in variables(network)):
        return _finished("StyleGAN2 (TensorFlow)", *_tensorflow(network))
    state = state_dict(tree, "g_ema", "g")
    if state is not None and "conv1.conv.modulation.weight" in state:
        average = tree.get("latent_avg") if isinstance(tree, dict) else None
        return _finished("StyleGAN2 (rosinality)", *_rosinality(state, average))
    return None


def _finished(what: str, shape: dict[str, Any], tensors: dict[str, Tensor]) -> Converted:
    channels, colours = shape["channels"], tensors[f"blocks.{len(shape['channels']) - 1}.picture.weight"].shape[0]
    if colours != 3:
        raise ModelRefused(reason=f"it draws pictures of {colours} colours instead of 3")
    return Converted(f"{what}, {4 * 2 ** (len(channels) - 1)} pixels", shape, tensors)


def _sides(count: int) -> list[int]:
    return [4 * 2**i for i in range(count)]


# --- NVIDIA, PyTorch ---------------------------------------------------------------------------------------------------


def _nvidia(record: Record) -> tuple[dict[str, Any], dict[str, Tensor]]:
    mapping, synthesis = module(record, "mapping"), module(record, "synthesis")
    shape_of_mapping, tensors = nvidia_mapping(mapping)
    sides = [side for side in _sides(12) if has_module(synthesis, f"b{side}")]
    channels = []
    for index, side in enumerate(sides):
        block = module(synthesis, f"b{side}")
        channels.append(len(numbers(module(block, "conv1"), "weight")))
        tensors |= named(f"blocks.{index}", _nvidia_block(block))
    first, last = module(synthesis, "b4"), module(synthesis, f"b{sides[-1]}")
    tensors["constant"] = numbers(first, "const")
    kernel = separable(numbers(last, "resample_filter"))
    tensors["kernel"] = kernel
    layer, clamp = module(first, "conv1"), option(module(first, "conv1"), "conv_clamp")
    shape = {
        "channels": channels, "architecture": option(last, "architecture"), "activation": option(layer, "activation"),
        "clamp": None if clamp is None else float(clamp), "kernel": list(kernel.shape), "mapping": shape_of_mapping,
    }  # fmt: skip
    if (size := numbers(layer, "weight").shape[-1]) != 3:
        shape["size"] = size
    return shape, tensors


def _nvidia_block(block: Record) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    for ours, theirs in (("first", "conv0"), ("second", "conv1")):
        if has_module(block, theirs):
            made |= named(ours, _nvidia_layer(module(block, theirs)))
    if has_module(block, "torgb"):
        torgb = module(block, "torgb")
        weight, bias = dense(module(torgb, "affine"))
        gain = float(option(torgb, "weight_gain"))
        made |= named("picture", {"style.weight": weight * gain, "style.bias": bias * gain})
        made |= named("picture", {"weight": numbers(torgb, "weight"), "bias": numbers(torgb, "bias")})
    if has_module(block, "skip"):
        made["around"] = dense(module(block, "skip"))[0]
    return made


def _nvidia_layer(layer: Record) -> dict[str, Tensor]:
    style_weight, style_bias = dense(module(layer, "affine"))
    made = {"style.weight": style_weight, "style.bias": style_bias}
    made |= {"weight": numbers(layer, "weight"), "bias": numbers(layer, "bias")}
    if has_numbers(layer, "noise_const"):
        return made | {"noise": numbers(layer, "noise_const"), "noise_strength": numbers(layer, "noise_strength").reshape(())}
    side = int(option(layer, "resolution"))
    if not 0 < side <= 8192:
        raise ModelRefused(reason=f"a layer of {side} pixels")
    return made | _no_noise(side)


def _no_noise(side: int) -> dict[str, Tensor]:
    """Make a layer's part of noise for a generator that was trained without any: of no strength."""
    return {"noise": torch.zeros(side, side), "noise_strength": torch.zeros(())}


# --- NVIDIA, TensorFlow ------------------------------------------------------------------------------------------------


def _tensorflow(network: Record) -> tuple[dict[str, Any], dict[str, Tensor]]:
    found = variables(network)
    options = network.state.get("static_kwargs")
    known = options if isinstance(options, dict) else {}
    shape_of_mapping, tensors = tensorflow_mapping(found, known, gain=2**0.5)
    sides = [side for side in _sides(12) if f"synthesis/{side}x{side}/Conv1/weight" in found or side == 4]
    tensors["constant"] = wanted(found, "synthesis/4x4/Const/const")[0]
    channels = []
    for index, side in enumerate(sides):
        made = _tensorflow_block(found, side, sides[-1], noisy=known.get("use_noise", True) is not False)
        channels.append(len(made["second.weight"]))
        tensors |= named(f"blocks.{index}", made)
    line = torch.tensor([float(tap) for tap in known.get("resample_kernel") or [1, 3, 3, 1]])
    tensors["kernel"] = line / line.sum()
    grown = "synthesis/ToRGB_lod0/weight" in found  # configurations B to D, grown progressively
    around = any(name.endswith("/Skip/weight") for name in found)
    shape = {
        "channels": channels, "architecture": "orig" if grown else "resnet" if around else _without(found, sides),
        "activation": str(known.get("nonlinearity", "lrelu")), "clamp": known.get("conv_clamp"), "kernel": [len(line)],
        "mapping": shape_of_mapping,
    }  # fmt: skip
    return shape, tensors


def _without(found: dict[str, Tensor], sides: list[int]) -> str:
    return "skip" if f"synthesis/{sides[0]}x{sides[0]}/ToRGB/weight" in found else "orig"


def _tensorflow_block(found: dict[str, Tensor], side: int, last: int, noisy: bool) -> dict[str, Tensor]:
    place, number = f"synthesis/{side}x{side}", side.bit_length() * 2  # log2 of the side is one less than its bits
    pairs = [("first", "Conv0_up", number - 7), ("second", "Conv1", number - 6)] if side > 4 else [("second", "Conv", 0)]
    made: dict[str, Tensor] = {}
    for ours, theirs, index in pairs:
        weight = _convolution(wanted(found, f"{place}/{theirs}/weight"))
        weight = weight.flip(2, 3) if ours == "first" else weight
        noise = _no_noise(side)
        if noisy:
            strength = wanted(found, f"{place}/{theirs}/noise_strength").reshape(())
            noise = {"noise": wanted(found, f"synthesis/noise{index}")[0, 0], "noise_strength": strength}
        made |= named(ours, {
            **_tensorflow_style(found, f"{place}/{theirs}"), "weight": weight, "bias": wanted(found, f"{place}/{theirs}/bias"),
            **noise,
        })  # fmt: skip
    torgb = "synthesis/ToRGB_lod0" if side == last and "synthesis/ToRGB_lod0/weight" in found else f"{place}/ToRGB"
    if f"{torgb}/weight" in found:
        parts = {"weight": _convolution(found[f"{torgb}/weight"]), "bias": wanted(found, f"{torgb}/bias")}
        made |= named("picture", {**_tensorflow_style(found, torgb), **parts})
    if f"{place}/Skip/weight" in found:
        made["around"] = _convolution(found[f"{place}/Skip/weight"])
    return made


def _tensorflow_style(found: dict[str, Tensor], place: str) -> dict[str, Tensor]:
    weight, bias = wanted(found, f"{place}/mod_weight"), wanted(found, f"{place}/mod_bias")
    return {"style.weight": weight.T / weight.shape[0] ** 0.5, "style.bias": bias + 1}


def _convolution(weight: Tensor) -> Tensor:
    """Convert TensorFlow's [K, K, I, O] to [O, I, K, K], divided by the root of the number of inputs of one output."""
    height, width, inputs, _ = weight.shape
    scaled: Tensor = weight.permute(3, 2, 0, 1) / float(height * width * inputs) ** 0.5
    return scaled


# --- rosinality --------------------------------------------------------------------------------------------------------


def _rosinality(state: dict[str, Tensor], average: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    tensors: dict[str, Tensor] = {}
    layers = sorted(int(found[1]) for name in state if (found := re.fullmatch(r"style\.(\d+)\.weight", name)))
    for index, layer in enumerate(layers):
        weight, bias = wanted(state, f"style.{layer}.weight"), wanted(state, f"style.{layer}.bias")
        parts = {"weight": weight * _LR_MAPPING / weight.shape[1] ** 0.5, "bias": bias * _LR_MAPPING}
        tensors |= named(f"mapping_network.layers.{index}", parts)
    if not layers:
        raise ModelRefused(reason="its mapping network has no layers")
    w_dim, z_dim = wanted(state, f"style.{layers[-1]}.weight").shape[0], wanted(state, f"style.{layers[0]}.weight").shape[1]
    if isinstance(average, Tensor):
        tensors["w_avg"] = average.float().reshape(-1)
    tensors["constant"] = wanted(state, "input.input")[0]
    blocks = 1 + sum(re.fullmatch(r"to_rgbs\.\d+\.bias", name) is not None for name in state)
    channels = []
    for index in range(blocks):
        made = _rosinality_layer(state, f"convs.{2 * index - 1}" if index else "conv1", 2 * index)
        channels.append(len(made["weight"]))
        made = named("second", made)
        if index:
            made |= named("first", _rosinality_layer(state, f"convs.{2 * index - 2}", 2 * index - 1))
        torgb = f"to_rgbs.{index - 1}" if index else "to_rgb1"
        parts = _rosinality_convolution(state, f"{torgb}.conv") | {"bias": wanted(state, f"{torgb}.bias").reshape(-1)}
        tensors |= named(f"blocks.{index}", made | named("picture", parts))
    kernel = wanted(state, "convs.0.conv.blur.kernel") if "convs.0.conv.blur.kernel" in state else _outer()
    kernel = separable(kernel / kernel.sum())
    tensors["kernel"] = kernel
    pictures = state.get("to_rgbs.0.upsample.kernel")
    own = {} if pictures is None else {"picture_kernel": separable(pictures.float() / pictures.sum())}
    own = {} if not own or torch.equal(own["picture_kernel"], kernel) else own
    tensors |= own
    hidden = len(tensors["mapping_network.layers.0.weight"])
    mapping = {"z_dim": z_dim, "w_dim": w_dim, "layers": len(layers), "hidden": hidden}
    shape = {"channels": channels, "architecture": "skip", "activation": "lrelu", "clamp": None, "kernel": list(kernel.shape)}
    return {**shape, **{name: list(tensor.shape) for name, tensor in own.items()}, "mapping": mapping}, tensors


def _outer() -> Tensor:
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(line, line)


def _rosinality_layer(state: dict[str, Tensor], place: str, index: int) -> dict[str, Tensor]:
    made = _rosinality_convolution(state, f"{place}.conv")
    noise = state.get(f"noises.noise_{index}")
    if noise is None:  # older files have none: without, every picture has its own
        side = 4 * 2 ** ((index + 1) // 2)
        noise = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(index))
    return made | {
        "bias": wanted(state, f"{place}.activate.bias").reshape(-1), "noise": noise.float()[0, 0],
        "noise_strength": wanted(state, f"{place}.noise.weight").reshape(()),
    }  # fmt: skip


def _rosinality_convolution(state: dict[str, Tensor], place: str) -> dict[str, Tensor]:
    weight = wanted(state, f"{place}.weight")[0]
    style = wanted(state, f"{place}.modulation.weight")
    return {
        "weight": weight / weight[0].numel() ** 0.5, "style.weight": style / style.shape[1] ** 0.5,
        "style.bias": wanted(state, f"{place}.modulation.bias"),
    }  # fmt: skip
