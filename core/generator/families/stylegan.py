"""StyleGAN (Karras et al. 2019, arXiv 1812.04948): a style for each layer by adaptive instance normalisation, and noise.

4x4 constant -> two layers for each side. Each layer: convolution (the first of a side doubles it, followed by a blur); noise,
weighted for each channel; bias; leaky ReLU; every channel normalised to mean 0 and deviation 1; scaled and shifted by its
style. The picture is drawn from the last features only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ModelRefused
from core.generator.architecture import MAPPING, widths, with_random_weights
from core.generator.base import FileGenerator, NoiseMode, noise_for
from core.generator.mapping import Mapping, MappingShape
from core.generator.ops import SLOPE, doubling
from core.generator.reading.mapping import tensorflow_mapping
from core.generator.reading.parts import state_dict, tensorflow, variables, wanted
from core.generator.registry import Converted, Family

_BLUR = torch.tensor([1.0, 2.0, 1.0]) / 4


class Layer(nn.Module):
    """The layer of one style. `kind` is what comes before the noise: "none" (the constant), "same" or "double" the side."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        size = {"same": 3, "double": 4}
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size[kind], size[kind])) if kind in size else None
        self.bias = nn.Parameter(torch.empty(outputs))
        self.noise_strength = nn.Parameter(torch.empty(outputs))
        self.style = nn.Linear(w_dim, 2 * outputs)  # factors (1 is in the bias), then shifts
        self.register_buffer("noise", torch.empty(side, side))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        if self.weight is not None and self.kind == "same":
            x = F.conv2d(x, self.weight, padding=1)
        elif self.weight is not None:
            x = blurred(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2, padding=1))
        if noise is not None:
            x = x + noise.to(x.dtype) * self.noise_strength[:, None, None]
        x = F.leaky_relu(x + self.bias[:, None, None], SLOPE)
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x * (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).rsqrt()
        style: Tensor = self.style(w)[:, :, None, None]
        factors, shifts = style.chunk(2, dim=1)
        return x * factors + shifts


def blurred(x: Tensor) -> Tensor:
    """Average each pixel [N, C, H, W] with its neighbours, weighted 1 2 1 along both axes; beyond the border is zero."""
    line, channels = _BLUR.to(x), x.shape[1]
    x = F.conv2d(x, line.expand(channels, 1, 1, -1), padding=(0, 1), groups=channels)
    return F.conv2d(x, line[:, None].expand(channels, 1, -1, -1), padding=(1, 0), groups=channels)


class StyleGAN(FileGenerator):
    """A StyleGAN as a Generator; see core.generator.protocol for shapes."""

    def __init__(self, shape: dict[str, Any], digest: str = "") -> None:
        super().__init__(shape, digest)
        channels = shape["channels"]
        self.mapping_network = Mapping(MappingShape(**shape["mapping"]))
        self.z_dim, self.w_dim = self.mapping_network.shape.z_dim, self.mapping_network.shape.w_dim
        self.label_dim = self.mapping_network.shape.label_dim
        sides = [4 * 2**i for i in range(len(channels))]
        self.resolution, self.num_ws = sides[-1], 2 * len(sides)
        self.style_resolutions = tuple(side for side in sides for _ in range(2))
        self.constant = nn.Parameter(torch.empty(channels[0], 4, 4))
        layers = []
        for index, side in enumerate(sides):
            before, kind = channels[max(index - 1, 0)], "double" if index else "none"
            layers.append(Layer(before, channels[index], side, self.w_dim, kind))
            layers.append(Layer(channels[index], channels[index], side, self.w_dim, "same"))
        self.layers = nn.ModuleList(layers)
        self.picture = nn.Conv2d(channels[-1], 3, 1)
        self.register_buffer("w_avg", torch.empty(self.w_dim))

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map z [N, z_dim] and labels [N, label_dim] (None: the class `label`) to w [N, w_dim]."""
        return self.mapping_network(z.to(self.w_avg.device), self.label if labels is None else labels)  # type: ignore[no-any-return]

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def noise_maps(self) -> list[Tensor]:
        return [layer.noise for layer in self._layers()]

    def style_weights(self) -> list[Tensor]:
        return [layer.style.weight for layer in self._layers()]

    def features(self, ws: Tensor, side: int) -> Tensor:
        for index, x in enumerate(self._walk(ws, None, "const")):
            if index % 2 and x.shape[-1] == side:
                return x
        raise ValueError(f"no layer draws {side} pixels")

    def synthesis(self, ws: Tensor, noise: Sequence[Tensor] | None = None, noise_mode: NoiseMode = "const") -> Tensor:
        assert ws.shape[1:] == (self.num_ws, self.w_dim), ws.shape
        *_, x = self._walk(ws, noise, noise_mode)
        return self.picture(x)  # type: ignore[no-any-return]

    def forward(self, ws: Tensor) -> Tensor:
        return self.synthesis(ws)

    def _walk(self, ws: Tensor, noise: Sequence[Tensor] | None, mode: NoiseMode) -> Iterator[Tensor]:
        x: Tensor = self.constant.expand(len(ws), -1, -1, -1)
        for index, (layer, given) in enumerate(zip(self.layers, noise_for(ws, self.noise_maps(), noise, mode), strict=True)):
            x = layer(x, ws[:, index], given)
            yield x


def convert(tree: Any) -> Converted | None:
    """Convert NVIDIA's TensorFlow pickle or the PyTorch form published by genforce; None for other content.

    Raises ModelRefused for an unsupported option.
    """
    network = tensorflow(tree)
    if network is not None and any(name.endswith("/StyleMod/weight") for name in variables(network)):
        options = network.state.get("static_kwargs")
        return _converted("StyleGAN (TensorFlow)", variables(network), options if isinstance(options, dict) else {})
    state = state_dict(tree)
    if state is not None and "synthesis.layer0.epilogue.style_mod.dense.linear.weight" in state:
        # a doubling layer that was trained as one operation keeps its weight under another name
        one = {4 * 2**i for i in range(1, 12) if f"synthesis.layer{2 * i}.weight" in state}
        return _converted("StyleGAN (genforce)", _as_tensorflow(state), {}, one)
    return None


def _converted(what: str, found: dict[str, Tensor], options: dict[str, Any], one: set[int] | None = None) -> Converted:
    """Convert variables with TensorFlow's names and axes. Raises ModelRefused.

    `one` are the sides whose doubling layer was trained as one operation; None takes that from the options.
    """
    for name, usual in {"use_instance_norm": True, "use_pixel_norm": False, "use_styles": True, "use_noise": True,
                        "const_input_layer": True, "use_wscale": True, "nonlinearity": "lrelu"}.items():  # fmt: skip
        if options.get(name, usual) != usual:
            raise ModelRefused(reason=f"its option {name} is {str(options[name])[:20]!r}, and only {usual!r} is supported")
    if float(found.get("synthesis/lod", found.get("lod", torch.zeros(())))) != 0:
        raise ModelRefused(reason="its training has not grown to the full size")
    if "blur_filter" in options and list(options["blur_filter"] or []) != [1, 2, 1]:
        raise ModelRefused(reason=f"its option blur_filter is {options['blur_filter']}, and only [1, 2, 1] is supported")
    mapping, tensors = tensorflow_mapping(found, options, gain=1.0)
    mapping["apart"] = False  # z and the label together are normalised
    sides = [4 * 2**i for i in range(12) if i == 0 or f"synthesis/{4 * 2**i}x{4 * 2**i}/Conv1/weight" in found]
    tensors["constant"] = wanted(found, "synthesis/4x4/Const/const")[0]
    channels = []
    for number in range(2 * len(sides)):
        side = sides[number // 2]
        place = f"synthesis/{side}x{side}/" + (("Const", "Conv") if side == 4 else ("Conv0_up", "Conv1"))[number % 2]
        made = _layer(found, place, number, _fused(options, side) if one is None else side in one)
        tensors |= {f"layers.{number}.{name}": tensor for name, tensor in made.items()}
        channels += [len(made["bias"])] if number % 2 else []
    weight = wanted(found, "synthesis/ToRGB_lod0/weight")
    tensors["picture.weight"] = weight.permute(3, 2, 0, 1) / weight.shape[2] ** 0.5
    tensors["picture.bias"] = wanted(found, "synthesis/ToRGB_lod0/bias")
    if weight.shape[3] != 3:
        raise ModelRefused(reason=f"it draws pictures of {weight.shape[3]} colours instead of 3")
    return Converted(f"{what}, {sides[-1]} pixels", {"channels": channels, "mapping": mapping}, tensors)


def _fused(options: dict[str, Any], side: int) -> bool:
    """Tell whether a doubling layer was trained as one operation: its weight is then that of a transposed convolution."""
    option = options.get("fused_scale", "auto")
    return side >= 128 if option == "auto" else bool(option)


def _layer(found: dict[str, Tensor], place: str, number: int, fused: bool) -> dict[str, Tensor]:
    style = wanted(found, f"{place}/StyleMod/weight")
    shift = wanted(found, f"{place}/StyleMod/bias").clone()
    shift[: len(shift) // 2] += 1
    made = {
        "style.weight": style.T / style.shape[0] ** 0.5, "style.bias": shift, "bias": wanted(found, f"{place}/bias"),
        "noise_strength": wanted(found, f"{place}/Noise/weight"), "noise": wanted(found, f"synthesis/noise{number}")[0, 0],
    }  # fmt: skip
    if f"{place}/weight" not in found:
        return made
    weight = found[f"{place}/weight"].permute(3, 2, 0, 1)
    weight = weight * (2 / weight[0].numel()) ** 0.5  # He's initialisation at run time
    return made | {"weight": doubling(weight, fused) if place.endswith("Conv0_up") else weight}


def _as_tensorflow(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and transpose genforce's tensors to TensorFlow's names and axes."""
    found = {"dlatent_avg": wanted(state, "truncation.w_avg"), "lod": state.get("synthesis.lod", torch.zeros(()))}
    outputs = sum(re.fullmatch(r"synthesis\.output\d+\.bias", name) is not None for name in state)
    layer = re.compile(r"synthesis\.layer(\d+)\.(.+)")
    names = {
        "epilogue.apply_noise.weight": "Noise/weight", "epilogue.bias": "bias",
        "epilogue.style_mod.dense.linear.weight": "StyleMod/weight", "epilogue.style_mod.dense.wscale.bias": "StyleMod/bias",
    }  # fmt: skip
    for name, tensor in state.items():
        tensor = tensor.detach().float()
        if dense := re.fullmatch(r"mapping\.dense(\d+)\.(linear\.weight|wscale\.bias)", name):
            kind = "weight" if dense[2].startswith("linear") else "bias"
            found[f"mapping/Dense{dense[1]}/{kind}"] = tensor.T if kind == "weight" else tensor
        elif part := layer.fullmatch(name):
            number = int(part[1])
            side = 4 * 2 ** (number // 2)
            place = f"synthesis/{side}x{side}/" + (("Const", "Conv") if side == 4 else ("Conv0_up", "Conv1"))[number % 2]
            if part[2] in names:
                found[f"{place}/{names[part[2]]}"] = tensor.T if part[2].endswith("linear.weight") else tensor
            elif part[2] == "first_layer":
                found[f"{place}/const"] = tensor
            elif part[2] == "conv.weight":
                found[f"{place}/weight"] = tensor.permute(2, 3, 1, 0)
            elif part[2] == "weight":  # [3, 3, I, O] as in TensorFlow
                found[f"{place}/weight"] = tensor
            elif part[2] == "blur.kernel" and not torch.allclose(tensor[0, 0], torch.outer(_BLUR, _BLUR)):
                raise ModelRefused(reason="it blurs otherwise than by 1 2 1, which is not supported")
            elif part[2] == "epilogue.apply_noise.noise":
                found[f"synthesis/noise{number}"] = tensor
    last = f"synthesis.output{outputs - 1}"
    found["synthesis/ToRGB_lod0/weight"] = wanted(state, f"{last}.conv.weight").permute(2, 3, 1, 0)
    found["synthesis/ToRGB_lod0/bias"] = wanted(state, f"{last}.bias")
    return found


def _published(side: int) -> StyleGAN:
    return with_random_weights(StyleGAN({"channels": widths(side, 16384), "mapping": {**MAPPING, "apart": False}}))


FAMILY = Family(StyleGAN.load, convert, {"stylegan": _published})
