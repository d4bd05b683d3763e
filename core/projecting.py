"""Begins a projection by the name of its method (see core.methods)."""

from __future__ import annotations

import numpy as np

from core.errors import BadOption
from core.fast import ManyFaces, start_fast
from core.generator import Generator
from core.methods import DEFAULT_METHOD, METHODS
from core.projection import DEFAULT_START, Options, Projecting, Projection
from core.projection.features import Features
from core.projection.start import find_start
from core.settings import Settings


def start_projection(
    generator: Generator, features: Features, target: np.ndarray, settings: Settings,
    method: str = DEFAULT_METHOD, steps: int | None = None, start: str = "default", many: ManyFaces | None = None,
) -> Projecting:  # fmt: skip
    """Begin to project `target`, an aligned face uint8 [R, R, 3], and return the projection to run.

    `steps` is the number of iterations; None takes the method's own. `start` is "mean", "nearest", a seed such as
    "seed:303", or "default" for the best of them; the method "fast" ignores it. `many` takes the face into its batch, if
    the method is "fast". Raises BadOption for an unknown method or start.
    """
    if method not in METHODS:
        raise BadOption(name="--method", reason=f"{method!r} is none of {', '.join(METHODS)}")
    if method == "fast":  # its start is learned, and a better one than any that could be named
        return start_fast(generator, features, target, settings, steps, many)
    begin = find_start(DEFAULT_START if start == "default" else start, generator, features, target, settings)
    return Projection(generator, features, target, begin, Options.of("w" if method == "w" else "w+", steps))
