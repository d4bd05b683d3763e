"""Trains the preview head and the encoder, on drawn faces only. (The curvature is fitted in closed form.)

    egao train preview-head      # whole images of a few hundred faces: least squares, then a few hundred steps
    egao train encoder           # thousands of faces drawn by that head at 128 pixels

Every batch is determined by the seed and the number of the step, and a checkpoint holds the whole state, so that an
interrupted training ends with exactly the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Loss = Callable[[nn.Module, np.random.RandomState], Tensor]


@dataclass(frozen=True)
class Schedule:
    """The length and speed of a training. Equal schedules and seeds give equal weights on one kind of machine."""

    steps: int
    batch: int
    rate: float
    seed: int = 0
    warm_up: float = 0.03  # share of the steps over which the rate rises; then it falls as a half cosine
    checkpoint_every: int = 50

    def rate_at(self, step: int) -> float:
        done = step / self.steps
        return self.rate * min(1.0, (done + 1 / self.steps) / self.warm_up) * (0.5 + 0.5 * math.cos(math.pi * done))


@dataclass(frozen=True)
class Trained:
    """The state after a step (iteration)."""

    step: int
    steps: int
    loss: float


class Training:
    """A training of a module's parameters with Adam. It continues from the file `checkpoint` if that fits."""

    def __init__(self, module: nn.Module, loss: Loss, schedule: Schedule, checkpoint: Path, drawn: dict[str, Any]) -> None:
        """Prepare the training. `drawn` names the set that is learned from.

        A checkpoint of another set or another schedule is ignored, and overwritten at the first save.
        """
        self.module, self.loss, self.schedule, self.checkpoint = module, loss, schedule, checkpoint
        self._plan = {"schedule": asdict(schedule), "drawn": drawn}
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        groups = [{"params": [p], "lr": schedule.rate, "share": _share(p)} for p in self.parameters]
        self.adam = torch.optim.AdamW(groups, weight_decay=1e-4, betas=(0.9, 0.98))
        self.done = 0
        if checkpoint.is_file():
            self._restore(torch.load(checkpoint, weights_only=True))

    def run(self) -> Iterator[Trained]:
        """Train to the end, yielding after every step. Stop iterating to pause; a new Training continues from the checkpoint."""
        while self.done < self.schedule.steps:
            random = np.random.RandomState((self.schedule.seed * 1_000_003 + self.done) % 2**32)
            for group in self.adam.param_groups:
                group["lr"] = self.schedule.rate_at(self.done) * group["share"]
            loss = self.loss(self.module, random)
            self.adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.parameters, 5.0)
            self.adam.step()
            self.done += 1
            if self.done % self.schedule.checkpoint_every == 0 or self.done == self.schedule.steps:
                self._save()
            yield Trained(self.done, self.schedule.steps, float(loss.detach()))

    def _save(self) -> None:
        state = {"plan": self._plan, "done": self.done, "module": self.module.state_dict(),
                 "adam": self.adam.state_dict()}  # fmt: skip
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def _restore(self, state: dict[str, Any]) -> None:
        if state.get("plan") != self._plan:
            return  # begin anew
        self.module.load_state_dict(state["module"])
        self.adam.load_state_dict(state["adam"])
        self.done = state["done"]


def _share(parameter: nn.Parameter) -> float:
    """Choose a parameter's share of the learning rate: 512 over its number of inputs, at most 1.

    Adam changes all inputs of a unit alike, so that a unit with many inputs moves too far (Yang & Hu, Tensor Programs V).
    """
    inputs = parameter[0].numel() if parameter.ndim > 1 else 1
    return min(1.0, 512 / inputs)
