"""The `fast` projection: a learned start, cheap steps through the preview head, a few exact ones.

The cheap objective is kept honest by what the head gets wrong: every few steps one whole render shows the difference
between it and the head's picture, and that difference is added to the head's pictures from then on (space mapping). So
the cheap steps end near where exact ones would, and the exact ones at the end keep the curvature that was learned.
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

from core.device import fast_dtype
from core.errors import LatentUnreadable
from core.fast.encoder import Encoder
from core.fast.lbfgs import Lbfgs
from core.fast.preview import FEATURE_SIDE, FeatureGenerator, Preview
from core.generator.render import network_in
from core.projection.features import SIDE, Features, area_downsample
from core.projection.projector import Step, read_tensors

_HALF_NOISE = 2e-3  # of the loss, from rounding in half precision
_EXACT_COST = 3  # cheap steps in the time of an exact one
_CANCELLED = 0.03  # of the loss: what that rounding adds to smooth pictures


@dataclass(frozen=True)
class FastOptions:
    """How to project fast. Weights are relative to the perceptual distance."""

    cheap: int = 48  # steps through the head, at most
    exact: int = 20  # steps through the whole network, at most: they bring what the head cannot show
    refresh: int = 8  # cheap steps between two looks at what the head gets wrong
    pixel_weight: float = 1.0  # more makes the picture's colours likelier and the person less so
    spread_weight: float = 0.02  # of the styles' squared distance from their mean, in deviations: keeps W+ editable
    style_scale: float = 2.0  # of a style's own coordinates against those that all styles share
    face_weight: float = 4.0  # of the inner face against the rim of the picture, in both distances
    patience: int = 6  # steps over which a gain is judged
    gain: float = 0.02  # share of the loss that those steps must gain, or the phase ends

    @classmethod
    def of(cls, steps: int | None) -> FastOptions:
        """All steps in all, the start counted as the first; None for as many as pay."""
        if steps is None:
            return cls()
        exact = min(cls.exact, max(0, steps - 1) // 3)
        return cls(cheap=max(0, steps - 1 - exact), exact=exact)


@dataclass
class FastProjection:
    """A fast projection in progress; the same surface as core.projection's others."""

    generator: FeatureGenerator
    features: Features
    encoder: Encoder
    head: Preview
    target: np.ndarray  # uint8 [R, R, 3], aligned as FFHQ
    options: FastOptions = field(default_factory=FastOptions)

    def __post_init__(self) -> None:
        device = self.generator.w_average().device
        image = torch.tensor(self.target).permute(2, 0, 1)[None].to(device, torch.float32) / 127.5 - 1
        self._image = area_downsample(image).contiguous(memory_format=torch.channels_last)
        self._dtype = fast_dtype(device)
        self._network: FeatureGenerator = network_in(self.generator, self._dtype)  # type: ignore[assignment]
        self._variance = self.generator.w_deviation() ** 2
        with torch.no_grad():
            self._wanted = [tap.clone() for tap in self.features(self._image)]
            self._start = self.encoder(self._image)
        self._weight = face_weight(self.options.face_weight).to(device)
        self._weights = [area_downsample(self._weight, tap.shape[-1])[:, 0] for tap in self._wanted]
        styles, noise = self._start.shape[1], 0.0 if self._dtype == torch.float32 else _HALF_NOISE
        self._descent = Lbfgs(self._start.new_zeros(1, styles + 1, self.generator.w_dim), 0.5, noise)
        self._missed = torch.zeros_like(self._image)  # exact picture minus the head's
        self._distance = float("nan")
        self._losses: list[float] = []
        self._phase = "start"
        self._done = self._cheap = self._exact = 0

    @property
    def ws(self) -> np.ndarray:
        """The latent as it stands: float32 [1, num_ws, w_dim]."""
        return self._ws(self._descent.x).detach().cpu().numpy().copy()

    @property
    def done(self) -> int:
        return self._done

    @property
    def steps(self) -> int:
        """Steps at most; it may stop before."""
        return 1 + self.options.cheap + self.options.exact

    def run(self) -> Iterator[Step]:
        """Take the remaining steps. The first is the learned start, of which a picture can be shown at once."""
        began, before = time.perf_counter(), self._cost
        whole = 1 + self.options.cheap + _EXACT_COST * self.options.exact
        while self._advance():
            self._done += 1
            self._losses.append(self._descent.loss)
            seconds = time.perf_counter() - began
            eta = seconds / max(1, self._cost - before) * max(0, whole - self._cost)
            yield Step(self._done, self.steps, self._descent.loss, self._distance, seconds, eta)

    @property
    def _cost(self) -> int:
        """Of the steps so far, in cheap ones."""
        return (self._phase != "start") + self._cheap + _EXACT_COST * self._exact

    def _advance(self) -> bool:
        """One step of whatever is due; False at the end."""
        if self._phase == "start":
            self._descent.look(self._cheaply)
            self._phase = "cheap"
            return True
        if self._phase == "cheap":
            if self._cheap < self.options.cheap and not self._idle():
                if self._cheap % self.options.refresh == 0:
                    self._refresh()
                self._cheap += 1
                if self._descent.step(self._cheaply):
                    return True
            self._phase = "exact"
            self._losses.clear()
            if self.options.exact:
                self._descent.look(self._exactly)
        if self._exact >= self.options.exact or self._idle():
            return False
        self._exact += 1
        return self._descent.step(self._exactly)

    def _idle(self) -> bool:
        """Whether the last steps of this phase gained too little to go on."""
        losses, patience = self._losses, self.options.patience
        return len(losses) > patience and losses[-1] > losses[-1 - patience] * (1 - self.options.gain)

    def _refresh(self) -> None:
        with torch.no_grad():
            ws = self._ws(self._descent.x)
            self._missed = self._whole(ws) - self._preview(ws)
        self._descent.look(self._cheaply)
        self._descent.loss *= 1 + _CANCELLED  # here the rounding of both pictures cancels, a hair's breadth away it doesn't
        self._losses.clear()  # they were of another objective

    def _ws(self, x: Tensor) -> Tensor:
        """Coordinates [1, num_ws + 1, w_dim], the last one shared by all styles -> ws."""
        ws: Tensor = self._start + self.options.style_scale * x[:, :-1] + x[:, -1:]
        return ws

    def _preview(self, ws: Tensor) -> Tensor:
        return self.head(self._network.features(ws.to(self._dtype), FEATURE_SIDE).float(), ws)  # type: ignore[no-any-return]

    def _whole(self, ws: Tensor) -> Tensor:
        return area_downsample(self._network.synthesis(ws.to(self._dtype)).float())

    def _cheaply(self, x: Tensor) -> tuple[float, Tensor]:
        return self._evaluate(x, cheap=True)

    def _exactly(self, x: Tensor) -> tuple[float, Tensor]:
        return self._evaluate(x, cheap=False)

    def _evaluate(self, x: Tensor, cheap: bool) -> tuple[float, Tensor]:
        x = x.detach().requires_grad_(True)
        ws = self._ws(x)
        image = self._preview(ws) + self._missed if cheap else self._whole(ws)
        image = image.contiguous(memory_format=torch.channels_last)
        pairs = zip(self.features(image), self._wanted, self._weights, strict=True)
        perceptual = sum(((a - b).square().sum(dim=1) * weight).mean() for a, b, weight in pairs)
        assert isinstance(perceptual, Tensor)
        # smooth near zero, where the corner of the absolute value would mislead the curvature
        pixels = (((image - self._image).square() + 1e-3).sqrt() * self._weight).mean()
        spread = (ws - ws.mean(dim=1, keepdim=True)).square().sum(dim=2).mean() / self._variance
        loss = perceptual + self.options.pixel_weight * pixels + self.options.spread_weight * spread
        (gradient,) = torch.autograd.grad(loss, x)
        self._distance = float(perceptual.detach())
        return float(loss.detach()), gradient

    def checkpoint(self) -> bytes:
        """All that `resume` needs to go on with the very same steps."""
        descent = self._descent
        tensors = {"x": descent.x, "gradient": descent.gradient, "missed": self._missed,
                   "losses": torch.tensor(self._losses, dtype=torch.double)}  # fmt: skip
        for name, pairs in (("move", descent.moves), ("bend", descent.bends)):
            tensors |= {f"{name}.{i:03d}": tensor for i, tensor in enumerate(pairs)}
        about = {"of": self._identity(), "phase": self._phase, "loss": repr(descent.loss), "distance": repr(self._distance),
                 "counts": f"{self._done} {self._cheap} {self._exact}"}  # fmt: skip
        return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata=about)

    def resume(self, checkpoint: bytes) -> None:
        """Go on from `checkpoint`. Raises LatentUnreadable if it is of another photo, generator or options."""
        tensors, about = read_tensors(checkpoint)
        if about.get("of") != self._identity():
            raise LatentUnreadable(file="The checkpoint", reason="it is of another photo, generator or set of options")
        device = self._start.device
        found = {name: tensor.to(device) for name, tensor in tensors.items()}
        descent = self._descent
        descent.x, descent.gradient, self._missed = found["x"], found["gradient"], found["missed"]
        descent.moves = [found[name] for name in sorted(found) if name.startswith("move.")]
        descent.bends = [found[name] for name in sorted(found) if name.startswith("bend.")]
        descent.loss, self._distance = float(about["loss"]), float(about["distance"])
        self._losses, self._phase = found["losses"].tolist(), about["phase"]
        self._done, self._cheap, self._exact = (int(count) for count in about["counts"].split())

    def _identity(self) -> str:
        """A hash over everything that decides where the steps lead."""
        facts = repr(self.options) + self.generator.digest + hashlib.sha256(self.target.tobytes()).hexdigest()
        start = hashlib.sha256(self._start.cpu().numpy().tobytes()).hexdigest()
        return hashlib.sha256((facts + start).encode()).hexdigest()


def face_weight(weight: float) -> Tensor:
    """[1, 1, 256, 256], mean 1: the rim 1 against `weight` in the inner face, whose place FFHQ's alignment fixes."""
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    across, down = (axis - 0.5) / 0.2, (axis - 0.55) / 0.24  # centre and reach of eyes, nose and mouth
    bump = torch.exp(-0.5 * (down[:, None].square() + across[None].square()))
    weights = 1 + (weight - 1) * bump
    return (weights / weights.mean())[None, None]
