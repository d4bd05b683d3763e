"""Projection by optimisation: finds the ws whose image looks most like a target.

`w` is the projector published with StyleGAN2-ADA (Karras et al. 2020, projector.py): one w for all styles, with its schedules
and constants. `w+` frees every style (Abdal et al. 2019) and adds a pixel term, since with 23 x 512 numbers the optimum is no
longer a face of the generator's own distribution but the photo itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from core.device import gradient_dtype
from core.errors import LatentUnreadable
from core.generator.latent import Latent
from core.generator.protocol import Generator, NoisyGenerator
from core.generator.render import network_in, to_pixels
from core.projection.features import Features, distance, feature_input
from core.projection.noise import noise_regularity, renormalise

Method = Literal["w", "w+"]


@dataclass(frozen=True)
class Options:
    """The options of a projection. Defaults of the schedules are the published projector's."""

    method: Method = "w"
    steps: int = 1000
    seed: int = 0  # of the noise added to w
    learning_rate: float = 0.1
    ramp_up: float = 0.05  # share of the steps over which the rate rises
    ramp_down: float = 0.25  # and falls, as a cosine
    w_noise: float = 0.05  # noise on w at the start, in deviations of w
    w_noise_ramp: float = 0.75  # share of the steps after which that noise is gone
    noise: bool = False  # move the noise too, as the published projector, where the family adds noise
    noise_weight: float = 1e5  # of the regularity of the noise buffers
    pixel_weight: float = 0.0  # of the mean absolute difference at 256 pixels
    spread_weight: float = 0.0  # of the styles' squared distance from their mean, in deviations: keeps W+ editable
    exact: bool = True  # float32 gradients; else in the fast precision of the hardware (cosine 0.9998, half the time)

    @classmethod
    def of(cls, method: Method, steps: int | None = None) -> Options:
        """Choose the published settings for `w`, and for `w+` a schedule for dozens of steps. None takes 1000 or 80 steps."""
        if method == "w":
            return cls("w", steps or 1000, noise=True)
        return cls("w+", steps or 80, learning_rate=0.05, ramp_up=0.05, ramp_down=0.5, w_noise=0.0,
                   pixel_weight=2.0, spread_weight=0.02, exact=False)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """The state after a step."""

    step: int  # 1..steps
    steps: int
    loss: float
    distance: float  # perceptual, comparable between methods
    seconds: float  # since this run began
    eta: float  # seconds still to go


@dataclass
class Projection:
    """An optimisation in progress: iterate over `run()`, stop iterating to cancel, `checkpoint()` to continue another day."""

    generator: Generator
    features: Features
    target: np.ndarray  # uint8 [R, R, 3], aligned as FFHQ
    start: Tensor  # w [w_dim] or ws [num_ws, w_dim]
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        torch_device = self.generator.w_average().device
        image = torch.tensor(self.target).permute(2, 0, 1)[None].to(torch_device, torch.float32) / 127.5 - 1
        self._image = feature_input(image)
        with torch.inference_mode():
            self._wanted = [tap.clone() for tap in self.features(self._image)]
        self._wanted = [tap.detach().clone() for tap in self._wanted]
        dtype = torch.float32 if self.options.exact else gradient_dtype(torch_device)
        self._dtype, self._network = dtype, network_in(self.generator, dtype)
        ws = self.start.detach().to(torch_device, torch.float32)
        per_style = ws.ndim == 2
        if self.options.method == "w":
            ws = ws.mean(dim=0, keepdim=True) if per_style else ws[None]
        elif not per_style:
            ws = self.generator.broadcast(ws[None])[0]
        self._w = ws.clone()[None].requires_grad_(True)  # [1, 1 or num_ws, w_dim]
        noisy = self._network if self.options.noise and isinstance(self._network, NoisyGenerator) else None
        kept = noisy.noise_maps() if noisy is not None else []
        self._noise = [noise.detach().float().clone().requires_grad_(True) for noise in kept]
        self._deviation = self.generator.w_deviation()
        self._adam = torch.optim.Adam([self._w, *self._noise], lr=self.options.learning_rate, betas=(0.9, 0.999))
        self._random = torch.Generator().manual_seed(self.options.seed)
        self._done = 0
        self._seen: Tensor | None = None

    @property
    def ws(self) -> np.ndarray:
        """The latent after the steps so far: float32 [1, num_ws, w_dim]."""
        return self._broadcast(self._w.detach()).cpu().numpy().copy()

    def _broadcast(self, w: Tensor) -> Tensor:
        return w if w.shape[1] > 1 else self.generator.broadcast(w[:, 0])

    def run(self) -> Iterator[Step]:
        """Do the remaining steps, yielding after each."""
        began, first = time.perf_counter(), self._done
        while self._done < self.options.steps:
            loss, perceptual = self._step(self._done)
            self._done += 1
            seconds = time.perf_counter() - began
            eta = seconds / (self._done - first) * (self.options.steps - self._done)
            yield Step(self._done, self.options.steps, loss, perceptual, seconds, eta)

    def _step(self, step: int) -> tuple[float, float]:
        options, progress = self.options, step / self.options.steps
        self._adam.param_groups[0]["lr"] = learning_rate(options, progress)
        strength = self._deviation * options.w_noise * max(0.0, 1 - progress / options.w_noise_ramp) ** 2
        w = self._w
        if strength > 0:
            w = w + strength * torch.randn(self._w.shape, generator=self._random).to(self._w)
        ws = self._broadcast(w)
        image = feature_input(self._draw(ws.to(self._dtype)).float())
        self._seen = image.detach()
        perceptual = distance(self.features(image), self._wanted).sum()
        loss = perceptual
        if options.pixel_weight:
            loss = loss + options.pixel_weight * (image - self._image).abs().mean()
        if options.spread_weight:
            spread = (ws - ws.mean(dim=1, keepdim=True)).square().sum(dim=2).mean() / self._deviation**2
            loss = loss + options.spread_weight * spread
        if self._noise:
            loss = loss + options.noise_weight * noise_regularity(self._noise)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        renormalise(self._noise)
        return float(loss.detach()), float(perceptual.detach())

    def _draw(self, ws: Tensor) -> Tensor:
        if self._noise and isinstance(self._network, NoisyGenerator):
            return self._network.synthesis(ws, [noise.to(ws.dtype) for noise in self._noise])
        return self._network.synthesis(ws)

    @property
    def latent(self) -> Latent:
        """The ws and the noise after the steps so far; no noise unless `options.noise` is set and the family adds some."""
        return Latent(self.ws, tuple(noise.detach().cpu().numpy().copy() for noise in self._noise))

    @property
    def picture(self) -> np.ndarray | None:
        """The face that the last step looked at before it moved on, with its noise on w: uint8 [256, 256, 3]; None before it."""
        return None if self._seen is None else to_pixels(self._seen)[0]

    @property
    def done(self) -> int:
        """The number of steps done, including those before a resume."""
        return self._done

    @property
    def steps(self) -> int:
        """The number of steps in all."""
        return self.options.steps

    def checkpoint(self) -> bytes:
        """Pack all that `resume` needs to continue with exactly the same steps: tensors and JSON, nothing that can run."""
        adam = self._adam.state_dict()["state"]
        tensors = {"w": self._w.detach(), "random": self._random.get_state()}
        tensors |= {f"noise.{i}": buffer.detach() for i, buffer in enumerate(self._noise)}
        tensors |= {f"adam.{i}.{name}": value for i, entry in adam.items() for name, value in entry.items()}
        about = {"of": self._identity(), "done": str(self._done)}
        return save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, metadata=about)

    def resume(self, checkpoint: bytes) -> None:
        """Continue from the bytes of `checkpoint`. Raises LatentUnreadable if it is of another photo, generator or options."""
        tensors, about = read_tensors(checkpoint)
        if about.get("of") != self._identity():
            raise LatentUnreadable(file="The checkpoint", reason="it is of another photo, generator or set of options")
        with torch.no_grad():
            self._w.copy_(tensors["w"])
            for i, buffer in enumerate(self._noise):
                buffer.copy_(tensors[f"noise.{i}"])
        saved = self._adam.state_dict()
        for name, tensor in tensors.items():
            if name.startswith("adam."):
                _, index, field_name = name.split(".", 2)
                saved["state"].setdefault(int(index), {})[field_name] = tensor
        self._adam.load_state_dict(saved)
        self._random.set_state(tensors["random"])
        self._done = int(about["done"])

    def _identity(self) -> str:
        """Compute a hash of all that determines the steps: options, generator and target."""
        facts = repr(self.options) + self.generator.digest + hashlib.sha256(self.target.tobytes()).hexdigest()
        return hashlib.sha256(facts.encode()).hexdigest()


def read_tensors(checkpoint: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and metadata of a checkpoint's bytes. Raises LatentUnreadable if they are not safetensors."""
    try:
        tensors = load(checkpoint)
        length = int.from_bytes(checkpoint[:8], "little")
        return tensors, json.loads(checkpoint[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise LatentUnreadable(file="The checkpoint", reason=str(error)) from None


def learning_rate(options: Options, progress: float) -> float:
    """Compute the learning rate at `progress` 0..1 by the published schedule: linear rise (ramp_up), cosine fall (ramp_down)."""
    fall = min(1.0, (1 - progress) / options.ramp_down)
    rise = min(1.0, progress / options.ramp_up) if options.ramp_up else 1.0
    return options.learning_rate * (0.5 - 0.5 * math.cos(fall * math.pi)) * rise
