"""Compiles layers for a generator, or its whole drawing, and compares the result with eager torch.

Runs only in the builder's process.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from core.compiled.compiler import compile_layers
from core.compiled.drawing import OpenDrawing, open_drawing
from core.compiled.kept import CodeCache, Kept, Kind, key_of, publish
from core.compiled.layers import Library, use
from core.compiled.layout import layout_of, weights_of
from core.device import fast_dtype
from core.errors import NotCompiled
from core.generator import Generator, seed_w
from core.generator.protocol import SeparableGenerator
from core.generator.render import decibels, network_in, pixels_of
from core.system import usable_cores
from core.timing import spread, take_turns
from core.weights.cache import sha256_of

LEAST_DECIBELS: Final = 40.0  # bfloat16 is 46 from float32, and 48 from itself where other steps are rounded
LARGEST_RATIO: Final = 0.97  # of eager's time; a smaller gain is not worth code that can break
SEEDS: Final = (1, 2)
ROUNDS: Final = 15  # of timing pictures
STEPS: Final = 5  # of timing a picture and its gradient, where there is much to gain
OPTIONS: Final = {
    "cpp.dynamic_threads": True,  # one library for any number of threads
    "aot_inductor.package_constants_in_so": False,  # the weights stay where eager has them
    "aot_inductor.precompile_headers": False,  # that pays from the second library on, and there is one
}


class Drawing(nn.Module):
    """The module that is exported: ws to pixels. The name of its part is the prefix of its weights in core.compiled.layout."""

    def __init__(self, network: Generator) -> None:
        super().__init__()
        self.generator = network

    def forward(self, ws: Tensor) -> Tensor:
        return pixels_of(self.generator.synthesis(ws))


@dataclass(frozen=True)
class _Made:
    """A library that was compiled and opened, and how it compares with eager torch."""

    kind: Kind
    layout: str
    library: Path
    compare: Callable[[], tuple[float, float]]  # -> its seconds over eager's, the fewest dB between the two


def make(generator: Generator, cache: CodeCache, work: Path, threads: int) -> Kept:
    """Compile for the fast precision of this CPU and publish the code, or the reason why it does not help.

    It is layers of our own where the generator has such layers and their float32 is the fast precision, else a drawing.
    `threads` is the setting, for the timing; temporary files go to `work`. Raises OSError and MemoryError, since another time
    may be better. A failure of the compiler is published as a reason.
    """
    dtype = fast_dtype(torch.device("cpu"))
    network, key = network_in(generator, dtype), key_of(generator.digest)
    kept, began = Kept("", "", "", 1.0, 0.0, 0.0), time.perf_counter()
    try:
        made = None
        if dtype == torch.float32 and isinstance(network, SeparableGenerator):
            made = _layers(network, work)
        made = made or _drawing(network, dtype, work)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        print(error, file=sys.stderr)  # noqa: T201 - the whole of it, for the log at its lowest level
        first = (str(error).strip().splitlines() or [""])[0][:200]
        why = f"compiling them failed ({type(error).__name__}: {first})"
        return publish(cache, key, replace(kept, seconds=time.perf_counter() - began, why=why), None)
    kept = replace(kept, kind=made.kind, layout=made.layout, seconds=time.perf_counter() - began)
    torch.set_num_threads(threads or usable_cores())
    ratio, decibels = made.compare()
    torch.set_num_threads(1)
    kept = replace(kept, ratio=ratio, decibels=decibels, why=verdict(ratio, decibels))
    if kept.why:
        return publish(cache, key, kept, None)
    digest = sha256_of(made.library)
    return publish(cache, key, replace(kept, library=f"{key}-{digest[:12]}.so", sha256=digest), made.library)


def _drawing(network: Generator, dtype: torch.dtype, work: Path) -> _Made:
    ws = network.broadcast(seed_w(network, SEEDS)).to(dtype).contiguous()
    file = compile_drawing(network, ws[:1], work)
    opened = open_drawing(file, weights_of(network))  # its folder may forbid running code
    return _Made("drawing", layout_of(network), file, lambda: beside_eager(opened, network, ws))


def _layers(network: SeparableGenerator, work: Path) -> _Made | None:
    """Compile layers; None if the compiler can't, or the network has none that are taken."""
    try:
        file = compile_layers(work)
        library = Library(file)
    except NotCompiled as error:  # another kind of compiler, perhaps: torch's may get on with it
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return None
    eager = copy.deepcopy(network)
    if not use(library, network):
        return None
    ws = network.broadcast(seed_w(network, SEEDS)).contiguous()
    return _Made("layers", "", file, lambda: beside_plain(network, eager, ws))


def compile_drawing(network: Generator, ws: Tensor, work: Path) -> Path:
    """Compile a library in `work`: ws [1, num_ws, w_dim] of this type -> uint8 [1, R, R, 3]. Raises whatever torch raises."""
    import torch._inductor  # takes as long as torch itself

    with torch.no_grad():
        exported = torch.export.export(Drawing(network), (ws,), strict=False)
    options = {**OPTIONS, "aot_inductor.output_path": str(work / "out" / "drawing.so")}
    made = torch._inductor.aot_compile(exported.module(), (ws,), options=options)
    assert isinstance(made, str), made
    return Path(made)


def beside_eager(drawing: OpenDrawing, network: Generator, ws: Tensor) -> tuple[float, float]:
    """Compare a drawing with eager torch: (its seconds for a picture over eager's, the fewest dB between their pictures)."""
    one, eager = ws[:1].contiguous(), Drawing(network)
    with torch.inference_mode():
        apart = [decibels(drawing.run([each.contiguous()])[0], eager(each)) for each in torch.split(ws, 1)]
        return _ratio(lambda: drawing.run([one]), lambda: eager(one), ROUNDS), min(apart)


def beside_plain(layers: SeparableGenerator, plain: SeparableGenerator, ws: Tensor) -> tuple[float, float]:
    """Compare a network that uses compiled layers with a plain one, as a projection's step does: picture and gradient.

    Returns (its seconds over the other's, the fewest dB between their pictures and between their gradients).
    """
    apart = []
    for each in torch.split(ws, 1):
        (pixels, slopes), (others, other) = step_of(layers, each), step_of(plain, each)
        apart += [decibels(pixels_of(pixels), pixels_of(others)), nearness(slopes, other)]
    return _ratio(lambda: step_of(layers, ws[:1]), lambda: step_of(plain, ws[:1]), STEPS), min(apart)


def step_of(network: SeparableGenerator, ws: Tensor) -> tuple[Tensor, Tensor]:
    """Draw ws at half the side, and compute the gradient by ws of the picture's mean square."""
    ws = ws.clone().requires_grad_(True)
    image = network.halved(ws)
    (gradient,) = torch.autograd.grad(image.square().mean(), ws)
    return image.detach(), gradient


def nearness(one: Tensor, other: Tensor) -> float:
    """Compute how much longer a vector is than its difference from another, in dB; at most 200."""
    apart, length = float((one - other).norm()), float(other.norm())
    return 200.0 if apart <= 1e-10 * length else 20 * math.log10(length / apart)


def _ratio(compiled: Callable[[], object], eager: Callable[[], object], rounds: int) -> float:
    """Time both by turns.

    The fastest time of each counts: at the lowest priority a median varies by more than there is to gain.
    """
    seconds = take_turns({"compiled": compiled, "eager": eager}, rounds)
    return spread(seconds["compiled"])["fastest"] / spread(seconds["eager"])["fastest"]


def verdict(ratio: float, decibels: float) -> str:
    """Say why a library must not be used; "" if it may."""
    if decibels < LEAST_DECIBELS:
        return f"compiled code draws them otherwise ({decibels:.0f} dB apart)"
    if ratio > LARGEST_RATIO:
        return f"compiled code takes {ratio:.2f} of the time here, which is no gain"
    return ""
