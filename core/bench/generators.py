"""Measures generators of each family, each in a process of its own: a picture, a step of a projection, and the most memory."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch

from core.bench.architectures import random_generator
from core.device import fast_dtype, keep_memory, use_threads
from core.errors import InternalError
from core.generator import Generator, load_generator
from core.generator.registry import architectures
from core.generator.render import network_in
from core.projection.features import Features
from core.projection.projector import Options, Projection
from core.settings import Settings
from core.system import PEAKS_PER_MEGABYTE
from core.weights.installed import DEFAULT

NAMES: Final = (DEFAULT, *(f"{name}-256" for name in architectures()), "stylegan2-1024")
_ONE: Final = """
import sys
from core.bench.generators import main
main(sys.argv[1], int(sys.argv[2]))
"""


def bench_generators(settings: Settings, names: Sequence[str], rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the generators of these names, one after the other: the default one, or those of `core.bench.architectures`.

    Seconds are of the clock, and beside them of the processor, which other work on the machine stretches less. Raises
    BadSetting, WeightsMissing, InternalError.
    """
    for name in names:
        if name != DEFAULT:
            random_generator(name)  # a name that there is none of is told before any work
    surroundings = {
        **os.environ, "EGAO_CACHE": str(settings.cache), "EGAO_HOME": str(settings.home), "EGAO_DEVICE": settings.device,
        "EGAO_THREADS": str(settings.threads), "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    made = {}
    for name in names:
        done = subprocess.run(
            [sys.executable, "-c", _ONE, name, str(rounds)], env=surroundings, stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise InternalError  # the process has said on stderr what it was
        made[name] = json.loads(done.stdout)
        say(f"{name}: a picture {made[name]['picture']['seconds']:.2f} s, a step {made[name]['step']['seconds']:.2f} s")
    return made


def main(name: str, rounds: int) -> None:
    """Measure one generator in this process, and print the result as JSON."""
    settings = Settings.load().model_copy(update={"generator": DEFAULT})
    use_threads(settings)
    keep_memory()
    print(json.dumps(measured(load_generator(settings) if name == DEFAULT else random_generator(name), settings, rounds)))  # noqa: T201


def measured(generator: Generator, settings: Settings, rounds: int) -> dict[str, Any]:
    """Measure one generator on the CPU. Memory is that of the whole process, at its peak by then, in megabytes.

    "picture" is in float32, "fast picture" in the fast precision; "step" is of the method `w` in float32, with the noise where
    the family has some, "fast step" of `w+` in the fast precision.
    """
    ws = generator.broadcast(generator.w_average()[None])

    def draw(dtype: torch.dtype) -> Callable[[], object]:
        network = network_in(generator, dtype)

        def call() -> object:
            with torch.inference_mode():
                return network.synthesis(ws.to(dtype))

        return call

    found: dict[str, Any] = {"resolution": generator.resolution, "picture": _timed(draw(torch.float32), rounds)}
    found["picture"]["megabytes"] = _peak()
    features = Features.load(settings)
    found["step"] = _timed(_stepping(generator, features, Options.of("w", rounds + 1)), rounds) | {"megabytes": _peak()}
    found["fast picture"] = _timed(draw(fast_dtype(torch.device("cpu"))), rounds)
    found["fast step"] = _timed(_stepping(generator, features, Options.of("w+", rounds + 1)), rounds)
    return found


def _stepping(generator: Generator, features: Features, options: Options) -> Callable[[], object]:
    """Begin a projection of a picture of noise; each call does one step of it."""
    side = generator.resolution
    target = np.random.RandomState(0).randint(0, 256, (side, side, 3)).astype(np.uint8)
    steps = Projection(generator, features, target, generator.w_average(), options).run()
    return lambda: next(steps)


def _timed(call: Callable[[], object], rounds: int) -> dict[str, float]:
    """Time a call `rounds` times after one that does not count: medians of the clock's and the processor's seconds."""
    call()
    seconds, processor = [], []
    for _ in range(rounds):
        began, spent = time.perf_counter(), time.process_time()
        call()
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    return {"seconds": statistics.median(seconds), "processor": statistics.median(processor)}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // PEAKS_PER_MEGABYTE
