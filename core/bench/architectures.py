"""Generators of each family by their published architectures, with random weights: what takes time and memory is the same.

    random_generator("stylegan2-1024")   # config-f, as NVIDIA's ffhq.pkl

A name is a family, for StyleGAN3 with its configuration, and the side of the picture. Widths are those of the papers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from core.errors import BadOption
from core.generator import Generator
from core.generator.base import FileGenerator
from core.generator.families.progan import ProGAN
from core.generator.families.stylegan import StyleGAN
from core.generator.families.stylegan2 import StyleGAN2
from core.generator.families.stylegan3 import StyleGAN3

_NAME: Final = re.compile(r"(progan|stylegan|stylegan2|stylegan3-[tr])-(\d+)")
_SIDES: Final = (16, 32, 64, 128, 256, 512, 1024)
_MAPPING: Final = {"z_dim": 512, "w_dim": 512, "layers": 8, "hidden": 512}
# of StyleGAN3, appendix G: layers before the last, critically sampled ones among them, first cutoff and stopband, margin, taps
_LAYERS, _CRITICAL, _CUTOFF, _STOPBAND, _MARGIN, _TAPS = 14, 2, 2.0, 2**2.1, 10, 6


def random_generator(name: str) -> Generator:
    """Make the generator of this name, frozen. The same name gives the same weights. Raises BadOption."""
    found = _NAME.fullmatch(name)
    if found is None or int(found[2]) not in _SIDES:
        known = f"progan, stylegan, stylegan2, stylegan3-t or stylegan3-r, and a side of {', '.join(map(str, _SIDES))}"
        raise BadOption(name="generators", reason=f"{name!r} is no name such as stylegan2-1024 ({known})")
    generator: Any = _MAKERS[found[1]](int(found[2]))  # a family's whole generator, and a torch module
    random = torch.Generator().manual_seed(0)
    for key, tensor in generator.state_dict().items():
        tensor.copy_(_filled(key, tensor, random))
    generator.name = generator.digest = name
    made: Generator = generator.requires_grad_(False).eval()
    return made


def _filled(key: str, tensor: Tensor, random: torch.Generator) -> Tensor:
    """Choose numbers with which features neither vanish nor grow, layer by layer; both would change the time."""
    last = key.rpartition(".")[2]
    if last in {"kernel", "up_filter", "down_filter"}:
        return torch.full(tensor.shape, 1 / tensor.numel())
    if last == "transform":
        return torch.eye(3)
    if last in {"noise_strength", "w_avg"}:
        return torch.full(tensor.shape, 0.1 if last == "noise_strength" else 0.0)
    if last == "gain" or key.endswith("style.bias"):
        return torch.ones(tensor.shape)
    drawn = torch.randn(tensor.shape, generator=random)
    if last in {"noise", "constant", "frequencies", "phases"}:
        return drawn
    return drawn / max(1, tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else torch.zeros(tensor.shape)


def _widths(side: int, base: int) -> list[int]:
    """List the channels at 4, 8, ... up to `side` pixels: `base` over the side, 512 at most."""
    return [min(512, base // 2**power) for power in range(2, side.bit_length())]


def _progan(side: int) -> FileGenerator:
    return ProGAN({"channels": _widths(side, 16384), "z_dim": 512})


def _stylegan(side: int) -> FileGenerator:
    return StyleGAN({"channels": _widths(side, 16384), "mapping": {**_MAPPING, "apart": False}})


def _stylegan2(side: int) -> FileGenerator:
    return StyleGAN2(
        {"channels": _widths(side, 32768), "architecture": "skip", "activation": "lrelu", "clamp": 256.0, "kernel": [4, 4],
         "mapping": _MAPPING}
    )  # fmt: skip


def _stylegan3(side: int, *, rotates: bool) -> FileGenerator:
    """Make configuration T, or R: 1x1 convolutions, twice as wide, and radially symmetric filters."""
    steps = [min(index / (_LAYERS - _CRITICAL), 1.0) for index in range(_LAYERS + 1)]
    cutoffs = [_CUTOFF * (side / 2 / _CUTOFF) ** step for step in steps]
    stopbands = [_STOPBAND * (side / 2 * 2**0.3 / _STOPBAND) ** step for step in steps]
    rates = [2 ** math.ceil(math.log2(min(2 * stopband, side))) for stopband in stopbands]
    sizes = [*(rate + 2 * _MARGIN for rate in rates[:-2]), side, side]
    base, most, kernel = (65536, 1024, 1) if rotates else (32768, 512, 3)
    widths = [*(round(min(base / 2 / cutoff, most)) for cutoff in cutoffs[:-1]), 3]
    layers = []
    for index in range(_LAYERS + 1):
        before, colours = max(index - 1, 0), index == _LAYERS
        inside = max(rates[before], rates[index]) * (1 if colours else 2)
        up, down = inside // rates[before], inside // rates[index]
        up_taps, down_taps = (1 if colours or factor == 1 else _TAPS * factor for factor in (up, down))
        size = 1 if colours else kernel
        pad = (sizes[index] - 1) * down + 1 - (sizes[before] + size - 1) * up + up_taps + down_taps - 2
        pads = [(pad + up) // 2, pad - (pad + up) // 2] * 2
        radial = rotates and cutoffs[index] * 2 < rates[index]
        filters: dict[str, Any] = {"up_filter": [up_taps] if up_taps > 1 else None, "down_filter": None}
        if down_taps > 1:
            filters["down_filter"] = [down_taps] * (2 if radial else 1)
        layers.append({"inputs": widths[before], "outputs": widths[index], "kernel": size, "colours": colours, "up": up,
                       "down": down, "pad": pads, "clamp": 256.0, "rate": rates[index], **filters})  # fmt: skip
    entry = {"channels": widths[0], "size": sizes[0], "rate": float(rates[0]), "bandwidth": cutoffs[0]}
    mapping = {**_MAPPING, "layers": 2}
    return StyleGAN3({"mapping": mapping, "input": entry, "layers": layers, "resolution": side, "scale": 0.25})


_MAKERS: Final[dict[str, Callable[[int], FileGenerator]]] = {
    "progan": _progan,
    "stylegan": _stylegan,
    "stylegan2": _stylegan2,
    "stylegan3-t": lambda side: _stylegan3(side, rotates=False),
    "stylegan3-r": lambda side: _stylegan3(side, rotates=True),
}
