"""The `fast` projection: a learned start, then a few dozen steps in coordinates along which the loss curves equally.

The encoder gives the start, the learned curvature the coordinates. L-BFGS does the rest on whole pictures, drawn only as far
as they show at 256 pixels.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from core.device import fast_dtype
from core.errors import LatentUnreadable
from core.fast.curvature import Curvature
from core.fast.lbfgs import Lbfgs
from core.generator.latent import Latent
from core.generator.protocol import Generator, HalvingGenerator
from core.generator.render import network_in
from core.projection.features import SIDE, Features, area_downsample, feature_input
from core.projection.projector import Step, read_tensors

_HALF_NOISE = 2e-3  # of the loss, from rounding in half precision
_FIRST_LENGTH = 2.0  # of the first step, at most; with equal curvature the loss falls by about half its square

Start = Callable[[Tensor], Tensor]  # images [1, 3, 256, 256] of about -1..1 -> ws [1, num_ws, w_dim]


@dataclass(frozen=True)
class FastOptions:
    """The options of a fast projection. Weights are relative to the perceptual distance."""

    most: int = 28  # steps after the start, at most
    pixel_weight: float = 1.0  # more makes the picture's colours likelier and the person less so
    spread_weight: float = 0.02  # of the styles' squared distance from their mean, in deviations: keeps W+ editable
    face_weight: float = 4.0  # of the inner face against the rim of the picture, in both distances
    patience: int = 6  # steps over which a gain is judged
    gain: float = 0.04  # share of the loss that those steps must gain, else it ends

    @classmethod
    def of(cls, steps: int | None) -> FastOptions:
        """Make options for `steps` in all, the start being the first; None stops when steps gain too little."""
        return cls() if steps is None else cls(most=max(0, steps - 1))


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
        device = self.generator.w_average().device
        image = torch.tensor(self.target).permute(2, 0, 1)[None].to(device, torch.float32) / 127.5 - 1
        self._image = feature_input(image)
        self._dtype = fast_dtype(device)
        self._network = network_in(self.generator, self._dtype)
        self._variance = self.generator.w_deviation() ** 2
        with torch.no_grad():
            self._wanted = [tap.clone() for tap in self.features(self._image)]
            self._start = self.encoder(self._image)
        self._weight = face_weight(self.options.face_weight).to(device)
        self._weights = [area_downsample(self._weight, tap.shape[-1])[:, 0] for tap in self._wanted]
        noise = 0.0 if self._dtype == torch.float32 else _HALF_NOISE
        self._descent = Lbfgs(torch.zeros_like(self._start), _FIRST_LENGTH, noise)
        self._distance = float("nan")
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
        y = y.detach().requires_grad_(True)
        ws = self._ws(y)
        image = seen(self._network, ws.to(self._dtype))
        pairs = zip(self.features(image), self._wanted, self._weights, strict=True)
        perceptual = sum(((a - b).square().sum(dim=1) * weight).mean() for a, b, weight in pairs)
        assert isinstance(perceptual, Tensor)
        # smooth near zero, where the corner of the absolute value would mislead the curvature
        pixels = (((image - self._image).square() + 1e-3).sqrt() * self._weight).mean()
        spread = (ws - ws.mean(dim=1, keepdim=True)).square().sum(dim=2).mean() / self._variance
        loss = perceptual + self.options.pixel_weight * pixels + self.options.spread_weight * spread
        (gradient,) = torch.autograd.grad(loss, y)
        self._distance = float(perceptual.detach())
        return float(loss.detach()), gradient

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


def seen(network: Generator, ws: Tensor) -> Tensor:
    """Draw ws [N, num_ws, w_dim], in the network's precision, as the loss sees it: float32 [N, 3, 256, 256], channels_last."""
    if isinstance(network, HalvingGenerator) and network.resolution >= 2 * SIDE:
        image = network.halved(ws)
    else:
        image = network.synthesis(ws)
    return feature_input(image.float())


def face_weight(weight: float) -> Tensor:
    """Make the weights [1, 1, 256, 256] of pixels, mean 1: `weight` times as high in the inner face as at the edge.

    FFHQ's alignment fixes where the inner face is.
    """
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    across, down = (axis - 0.5) / 0.2, (axis - 0.55) / 0.24  # centre and reach of eyes, nose and mouth
    bump = torch.exp(-0.5 * (down[:, None].square() + across[None].square()))
    weights = 1 + (weight - 1) * bump
    return (weights / weights.mean())[None, None]
