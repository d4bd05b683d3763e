"""Compiles a generator's synthesis, and compares the result with eager torch. Runs only in the builder's process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from core.compiled.drawing import Library, open_library
from core.compiled.kept import CodeCache, Kept, key_of, publish
from core.compiled.layout import layout_of, weights_of
from core.device import fast_dtype
from core.generator import Generator, seed_w
from core.generator.render import decibels, network_in, pixels_of
from core.system import usable_cores
from core.timing import spread, take_turns
from core.weights.cache import sha256_of

LEAST_DECIBELS: Final = 40.0  # bfloat16 is 46 from float32, and 48 from itself where other steps are rounded
LARGEST_RATIO: Final = 0.97  # of eager's time; a smaller gain is not worth code that can break
SEEDS: Final = (1, 2)
ROUNDS: Final = 15  # of timing
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


def make(generator: Generator, cache: CodeCache, work: Path, threads: int) -> Kept:
    """Compile for the fast precision of this CPU and publish the code, or the reason why it does not help.

    `threads` is the setting, for the timing; temporary files go to `work`. Raises OSError and MemoryError, since another time
    may be better. A failure of the compiler is published as a reason.
    """
    dtype = fast_dtype(torch.device("cpu"))
    network, key = network_in(generator, dtype), key_of(generator.digest)
    ws = generator.broadcast(seed_w(generator, SEEDS)).to(dtype).contiguous()
    kept, began = Kept("", "", layout_of(network), 1.0, 0.0, 0.0), time.perf_counter()
    try:
        library = compile_drawing(network, ws[:1], work)
        opened = open_library(library, weights_of(network))  # its folder may forbid running code
    except (OSError, MemoryError):
        raise
    except Exception as error:
        print(error, file=sys.stderr)  # noqa: T201 - the whole of it, for the log at its lowest level
        first = (str(error).strip().splitlines() or [""])[0][:200]
        why = f"compiling them failed ({type(error).__name__}: {first})"
        return publish(cache, key, replace(kept, seconds=time.perf_counter() - began, why=why), None)
    kept = replace(kept, seconds=time.perf_counter() - began)
    ratio, decibels = beside_eager(opened, network, ws, threads)
    kept = replace(kept, ratio=ratio, decibels=decibels, why=verdict(ratio, decibels))
    if kept.why:
        return publish(cache, key, kept, None)
    digest = sha256_of(library)
    return publish(cache, key, replace(kept, library=f"{key}-{digest[:12]}.so", sha256=digest), library)


def compile_drawing(network: Generator, ws: Tensor, work: Path) -> Path:
    """Compile a library in `work`: ws [1, num_ws, w_dim] of this type -> uint8 [1, R, R, 3]. Raises whatever torch raises."""
    import torch._inductor  # takes as long as torch itself

    with torch.no_grad():
        exported = torch.export.export(Drawing(network), (ws,), strict=False)
    options = {**OPTIONS, "aot_inductor.output_path": str(work / "out" / "drawing.so")}
    made = torch._inductor.aot_compile(exported.module(), (ws,), options=options)
    assert isinstance(made, str), made
    return Path(made)


def beside_eager(library: Library, network: Generator, ws: Tensor, threads: int) -> tuple[float, float]:
    """Compare the library with eager torch: (its seconds for a picture over eager's, the fewest dB between their pictures).

    The fastest time of each counts: at the lowest priority a median varies by more than there is to gain.
    """
    one, eager = ws[:1].contiguous(), Drawing(network)
    torch.set_num_threads(threads or usable_cores())
    with torch.inference_mode():
        apart = [decibels(library.run([each.contiguous()])[0], eager(each)) for each in torch.split(ws, 1)]
        ways: dict[str, Callable[[], object]] = {
            "compiled": lambda: library.run([one]), "eager": lambda: eager(one),
        }  # fmt: skip
        fastest = {name: spread(seconds)["fastest"] for name, seconds in take_turns(ways, ROUNDS).items()}
    torch.set_num_threads(1)
    return fastest["compiled"] / fastest["eager"], min(apart)


def verdict(ratio: float, decibels: float) -> str:
    """Say why a library must not be used; "" if it may."""
    if decibels < LEAST_DECIBELS:
        return f"compiled code draws them otherwise ({decibels:.0f} dB apart)"
    if ratio > LARGEST_RATIO:
        return f"compiled code takes {ratio:.2f} of the time here, which is no gain"
    return ""
