"""Projection: finds the ws whose image looks most like an aligned photo. Every method (core.projecting) is a `Projecting`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from core.generator.latent import Latent
from core.projection.projector import Options, Projection, Step
from core.projection.start import DEFAULT_START

__all__ = ["DEFAULT_START", "Options", "Projecting", "Projection", "Step"]


class Projecting(Protocol):
    """A projection in progress. Stop iterating to cancel; from a checkpoint it continues with exactly the same steps."""

    @property
    def ws(self) -> np.ndarray:
        """The latent after the steps so far: float32 [1, num_ws, w_dim]."""
        ...

    @property
    def latent(self) -> Latent:
        """The same with the noise, if this projection moves that too."""
        ...

    @property
    def picture(self) -> np.ndarray | None:
        """The face as the last step saw it, uint8 [256, 256, 3]: a preview that costs nothing. None where none is at hand."""
        ...

    @property
    def done(self) -> int:
        """The number of steps (iterations) done, including those before a resume."""
        ...

    @property
    def steps(self) -> int: ...

    def run(self) -> Iterator[Step]:
        """Do the remaining steps, yielding after each."""
        ...

    def checkpoint(self) -> bytes: ...

    def resume(self, checkpoint: bytes) -> None:
        """Continue from the bytes of a checkpoint, in place.

        Raises LatentUnreadable unless it is of the same photo and options.
        """
        ...
