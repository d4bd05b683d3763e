"""The `fast` projection: a learned start, then a few dozen steps in coordinates along which the loss curves equally.

The encoder gives the start, the learned curvature the coordinates. L-BFGS does the rest on whole pictures, drawn only as far
as they show at 256 pixels.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from core.errors import LatentUnreadable
from core.fast.curvature import Curvature
from core.fast.lbfgs import Lbfgs
from core.fast.objective import FIRST_LENGTH, FastOptions, Objective, Start, Wanted
from core.generator.latent import Latent
from core.generator.protocol import Generator
from core.generator.render import to_pixels
from core.projection.features import Features
from core.projection.projector import Step, read_tensors


@dataclass
class FastProjection:
    """A fast projection in progress; see core.projection.Projecting."""

    generator: Generator
    features: Features
    encoder: Start  # an encoder, or whatever else finds a likeness to start from
    curvature: Curvature
    target: np.ndarray  # uint8 [R, R, 3], aligned as FFHQ
    options: FastOptions = field(default_factory=FastOptions)

    def __post_init__(self) -> None:
        self._objective = Objective(self.generator, self.features, self.curvature, self.options)
        self._wanted = Wanted.of(self.target, self.features, self._objective.device)
        with torch.no_grad():
            self._start = self.encoder(self._wanted.images)
        self._descent = Lbfgs(torch.zeros_like(self._start), FIRST_LENGTH, self._objective.noise)
        self._distance = float("nan")
        self._image: Tensor | None = None  # of the last look, which may have led to no step
        self._shown: Tensor | None = None  # of the last step
        self._losses: list[float] = []

    @property
    def ws(self) -> np.ndarray:
        """The latent after the steps so far: float32 [1, num_ws, w_dim]."""
        return self._ws(self._descent.x).detach().cpu().numpy().copy()

    @property
    def latent(self) -> Latent:
        """The same; this method leaves the noise as it is in the generator's file."""
        return Latent(self.ws)

    @property
    def picture(self) -> np.ndarray | None:
        """The face after the last step, as the loss saw it: uint8 [256, 256, 3]; None before the first."""
        return None if self._shown is None else to_pixels(self._shown)[0]

    @property
    def done(self) -> int:
        return len(self._losses)

    @property
    def steps(self) -> int:
        """The most steps that it takes; it may stop earlier."""
        return 1 + self.options.most

    def run(self) -> Iterator[Step]:
        """Do the remaining steps, yielding after each. The first is the learned start, whose picture can be shown at once."""
        began, before = time.perf_counter(), self.done
        while self._advance():
            self._losses.append(self._descent.loss)
            self._shown = self._image
            seconds = time.perf_counter() - began
            eta = seconds / (self.done - before) * (self.steps - self.done)
            yield Step(self.done, self.steps, self._descent.loss, self._distance, seconds, eta)

    def _advance(self) -> bool:
        """Do one step; False at the end."""
        if not self._losses:
            self._descent.look(self._evaluate)
            return True
        return self.done < self.steps and not self._idle() and self._descent.step(self._evaluate)

    def _idle(self) -> bool:
        """Tell whether the last steps gained too little to continue."""
        losses, patience = self._losses, self.options.patience
        return len(losses) > patience and losses[-1] > losses[-1 - patience] * (1 - self.options.gain)

    def _ws(self, y: Tensor) -> Tensor:
        ws: Tensor = self._start + self.curvature(y)
        return ws

    def _evaluate(self, y: Tensor) -> tuple[float, Tensor]:
        seen = self._objective(y, self._start, self._wanted)
        self._distance, self._image = float(seen.distances), seen.images
        return float(seen.losses), seen.gradients

    def checkpoint(self) -> bytes:
        """Pack all that `resume` needs to continue with exactly the same steps."""
        descent = self._descent
        tensors = {"x": descent.x, "gradient": descent.gradient, "losses": torch.tensor(self._losses, dtype=torch.double)}
        for name, pairs in (("move", descent.moves), ("bend", descent.bends)):
            tensors |= {f"{name}.{i:03d}": tensor for i, tensor in enumerate(pairs)}
        about = {"of": self._identity(), "distance": repr(self._distance)}
        return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata=about)

    def resume(self, checkpoint: bytes) -> None:
        """Continue from the bytes of `checkpoint`. Raises LatentUnreadable if it is of another photo, generator or options."""
        tensors, about = read_tensors(checkpoint)
        if about.get("of") != self._identity():
            raise LatentUnreadable(file="The checkpoint", reason="it is of another photo, generator or set of options")
        device = self._start.device
        found = {name: tensor.to(device) for name, tensor in tensors.items()}
        descent = self._descent
        descent.x, descent.gradient = found["x"], found["gradient"]
        descent.moves = [found[name] for name in sorted(found) if name.startswith("move.")]
        descent.bends = [found[name] for name in sorted(found) if name.startswith("bend.")]
        self._losses, self._distance = tensors["losses"].tolist(), float(about["distance"])
        descent.loss = self._losses[-1] if self._losses else float("nan")

    def _identity(self) -> str:
        """Compute a hash of all that determines the steps."""
        facts = repr(self.options) + self.generator.digest + hashlib.sha256(self.target.tobytes()).hexdigest()
        for part in (self._start, self.curvature.slopes, self.curvature.directions, self.curvature.bends):
            facts += hashlib.sha256(part.cpu().numpy().tobytes()).hexdigest()
        return hashlib.sha256(facts.encode()).hexdigest()
