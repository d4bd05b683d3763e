"""Projection: an aligned photo -> the ws whose image looks most like it. Every method (core.projecting) is a `Projecting`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from core.projection.projector import Options, Projection, Step
from core.projection.start import DEFAULT_START

__all__ = ["DEFAULT_START", "Options", "Projecting", "Projection", "Step"]


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
