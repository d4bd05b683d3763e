"""Projection: an aligned photo -> the ws whose image looks most like it. Every method is a `Projecting`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from core.errors import BadSetting
from core.generator import Generator
from core.projection.features import Features
from core.projection.projector import Options, Projection, Step
from core.projection.start import DEFAULT_START, find_start
from core.settings import Settings

__all__ = ["DEFAULT_METHOD", "DEFAULT_START", "METHODS", "Options", "Projecting", "Projection", "Step", "start_projection"]

METHODS = ("fast", "w", "w+")
DEFAULT_METHOD = "fast"


class Projecting(Protocol):
    """A projection under way. Stop iterating to cancel; a checkpoint goes on with the very same steps."""

    @property
    def ws(self) -> np.ndarray:
        """The latent as it stands: float32 [1, num_ws, w_dim]."""
        ...

    @property
    def done(self) -> int:
        """Steps taken so far, those before a resume included."""
        ...

    @property
    def steps(self) -> int: ...

    def run(self) -> Iterator[Step]:
        """Take the remaining steps, yielding after each."""
        ...

    def checkpoint(self) -> bytes: ...

    def resume(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint of the same photo and options. Raises LatentUnreadable if it is of others."""
        ...


def start_projection(
    generator: Generator, features: Features, target: np.ndarray, settings: Settings,
    method: str = DEFAULT_METHOD, steps: int | None = None, start: str = "default",
) -> Projecting:  # fmt: skip
    """Begin to project `target`, an aligned face uint8 [R, R, 3].

    `start` is "mean", "nearest", a seed as "seed:303", or "default" for the best of them. Raises BadSetting for a method
    or start that does not exist.
    """
    if method not in METHODS:
        raise BadSetting(name="--method", reason=f"{method!r} is none of {', '.join(METHODS)}")
    if method == "fast":  # its start is learned, and a better one than any that could be named
        from core.fast import start_fast  # here: it is built on this package

        return start_fast(generator, features, target, steps)
    begin = find_start(DEFAULT_START if start == "default" else start, generator, features, target)
    return Projection(generator, features, target, begin, Options.of("w" if method == "w" else "w+", steps))
