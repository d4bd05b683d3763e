"""Converts the published MobileStyleGAN file (OpenVINO IR v10: a graph in XML and a .bin of constants) to safetensors.

It is read as data with the standard library: without OpenVINO, and without running code of the file. Three changes are made,
none of which alters the image: each modulation's scale is multiplied into its weight and bias; the four wavelet bands of an
output channel become neighbours, so that the inverse Haar step works on adjacent channels; and constant dimensions of one are
dropped. Computed in float32, this moves the image by about 1e-5 of its range.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from core.errors import WeightsCorrupt

BLOCKS = 7
_DTYPES = {"f32": "<f4", "i64": "<i8", "i32": "<i4"}


class _Plain(ElementTree.TreeBuilder):
    """An XML tree builder that refuses a document type, which could declare entities that multiply or that name other files."""

    def doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type")


class _Graph:
    """The graph of one IR file: its constants by name, and the connections of its operations."""

    def __init__(self, xml: Path) -> None:
        root = ElementTree.parse(xml, ElementTree.XMLParser(target=_Plain())).getroot()  # noqa: S314  # see _Plain
        self.blob = xml.with_suffix(".bin").read_bytes()
        self.layers = {layer.attrib["id"]: layer for layer in root.iterfind("layers/layer")}
        self.ids = {layer.attrib["name"]: key for key, layer in self.layers.items()}
        self.inputs: dict[str, list[str]] = {}
        self.outputs: dict[str, list[str]] = {}
        for edge in root.iterfind("edges/edge"):
            source, target = edge.attrib["from-layer"], edge.attrib["to-layer"]
            self.inputs.setdefault(target, []).append(source)
            self.outputs.setdefault(source, []).append(target)

    def kind(self, key: str) -> str:
        return self.layers[key].attrib["type"]

    def value(self, key: str) -> np.ndarray:
        data = self.layers[key].find("data")
        assert data is not None
        dtype = np.dtype(_DTYPES[data.attrib["element_type"]])
        shape = [int(n) for n in data.attrib["shape"].split(",") if n.strip()]
        start, size = int(data.attrib["offset"]), int(data.attrib["size"])
        return np.frombuffer(self.blob, dtype, size // dtype.itemsize, start).reshape(shape)

    def named(self, name: str) -> np.ndarray:
        return self.value(self.ids[name])

    def constant_of(self, node: str) -> np.ndarray:
        """Return the only constant that feeds an operation. Raises ValueError unless there is exactly one."""
        (key,) = [source for source in self.inputs[node] if self.kind(source) == "Const"]
        return self.value(key)

    def next(self, node: str, kind: str) -> str:
        """Return the only operation of this kind among those that an operation feeds. Raises ValueError unless there is one."""
        (key,) = [target for target in self.outputs[node] if self.kind(target) == kind]
        return key


def _band_order(channels: int) -> np.ndarray:
    """Compute the order [channels] that puts (LL, LH, HL, HH) of each output channel side by side.

    The file has all LL first, then (LH, HL, HH) of each channel.
    """
    count = channels // 4
    ll = np.arange(count)
    rest = count + 3 * np.arange(count)
    return np.stack([ll, rest, rest + 1, rest + 2], axis=1).reshape(-1)


def _modulation(graph: _Graph, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the weight [C, 512] and bias [C] of one style, multiplied by the factor that the graph applies after them."""
    weight = graph.named(f"{prefix}.modulation.weight")
    bias = graph.named(f"{prefix}.modulation.bias").reshape(-1)
    product = graph.next(_modulated(graph, prefix), "Multiply")
    factors = [graph.value(key) for key in graph.inputs[product] if graph.kind(key) == "Const"]
    scale = np.float32(factors[0].item()) if factors else np.float32(1)
    return weight * scale, bias * scale


def _convolution(graph: _Graph, node: str) -> dict[str, np.ndarray]:
    """Read the noise [H, W] and bias [C] that the graph adds after a convolution node."""
    noise = graph.next(node, "Add")
    bias = graph.next(noise, "Add")
    return {"noise": graph.constant_of(noise)[0, 0], "bias": graph.constant_of(bias).reshape(-1)}


def _mapping(folder: Path) -> dict[str, np.ndarray]:
    graph = _Graph(folder / "MappingNetwork.xml")
    products = [key for key in graph.layers if graph.kind(key) == "MatMul"]  # in order of execution
    tensors: dict[str, np.ndarray] = {}
    for index, node in enumerate(products):
        tensors[f"mapping.{index}.weight"] = graph.constant_of(node)
        tensors[f"mapping.{index}.bias"] = _bias_after(graph, node)
    return tensors


def _bias_after(graph: _Graph, node: str) -> np.ndarray:
    """Read the bias that is added after an operation; in the mapping network it passes through a Reshape first."""
    (reshape,) = [key for key in graph.inputs[graph.next(node, "Add")] if key != node]
    return graph.constant_of(reshape) if graph.kind(reshape) == "Reshape" else graph.value(reshape)


def _synthesis(folder: Path) -> dict[str, np.ndarray]:
    graph = _Graph(folder / "SynthesisNetwork.xml")
    tensors: dict[str, np.ndarray] = {"constant": graph.named("m.input.input")[0]}

    def put(name: str, **arrays: np.ndarray) -> None:
        tensors.update({f"{name}.{key}": array for key, array in arrays.items()})

    scaled = graph.next(_modulated(graph, "m.conv1.conv"), "Multiply")
    stem = graph.next(graph.next(scaled, "Multiply"), "Convolution")
    weight, bias = _modulation(graph, "m.conv1.conv")
    bands = _band_order(graph.constant_of(stem).shape[0])
    parts = _convolution(graph, stem)
    put(
        "stem",
        style_weight=weight,
        style_bias=bias,
        weight=graph.constant_of(stem)[bands],
        noise=parts["noise"],
        bias=parts["bias"][bands],
    )
    for block in range(BLOCKS):
        name = f"m.layers.{block}"
        weight, bias = _modulation(graph, f"{name}.up")
        put(f"blocks.{block}.up", style_weight=weight[bands], style_bias=bias[bands])
        for conv in ("conv1", "conv2"):
            depthwise = graph.named(f"{name}.{conv}.conv.weight_dw")[:, 0]
            node = graph.next(graph.next(graph.ids[f"{name}.{conv}.conv.weight_dw"], "GroupConvolution"), "Convolution")
            pointwise, parts = graph.constant_of(node), _convolution(graph, node)
            weight, bias = _modulation(graph, f"{name}.{conv}.conv")
            # conv2 feeds the next block's Haar step, so its outputs take the band order; the last one feeds a plain 1x1
            feeds_haar = conv == "conv2" and block < BLOCKS - 1
            bands = _band_order(len(pointwise)) if feeds_haar else np.arange(len(pointwise))
            put(
                f"blocks.{block}.{conv}",
                style_weight=weight,
                style_bias=bias,
                depthwise=depthwise,
                pointwise=pointwise[bands],
                noise=parts["noise"],
                bias=parts["bias"][bands],
            )
    image = f"m.layers.{BLOCKS - 1}.to_img"
    weight, bias = _modulation(graph, f"{image}.conv")
    bands = _band_order(12)
    put(
        "image",
        style_weight=weight,
        style_bias=bias,
        weight=graph.named(f"{image}.conv.weight")[bands],
        bias=graph.named(f"{image}.bias").reshape(-1)[bands],
    )
    return tensors


def _modulated(graph: _Graph, prefix: str) -> str:
    """Find the Reshape node at the end of a modulation."""
    return graph.next(graph.next(graph.next(graph.ids[f"{prefix}.modulation.weight"], "MatMul"), "Add"), "Reshape")


def convert_ir(folder: Path, out: Path) -> None:
    """Write `out` (safetensors, float32) from MappingNetwork and SynthesisNetwork (.xml, .bin) in `folder`.

    The same input gives the same bytes. `out` is written atomically. Raises WeightsCorrupt if the graph is not the published
    one.
    """
    try:
        tensors = {**_mapping(folder), **_synthesis(folder)}
    except (KeyError, ValueError, IndexError, ElementTree.ParseError) as error:
        raise WeightsCorrupt(name="generator", found=f"an unknown graph: {error}", expected="MobileStyleGAN") from error
    tensors = {name: np.ascontiguousarray(tensors[name], dtype=np.float32) for name in sorted(tensors)}
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=out.name, suffix=".part")
    os.close(handle)
    try:
        save_file(tensors, temporary, metadata={"family": "mobilestylegan", "trained_on": "ffhq", "resolution": "1024"})
        Path(temporary).replace(out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
