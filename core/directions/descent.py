"""Gradient descent on the step that an expression adds to a latent.

The step is learned in whitened coordinates, in which faces lie equally far from the mean in every direction, so that one rate
suits all of them. Each style has its own step. That covers all directions in style space too, because a style's channels are
linear in its w.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.generator import Generator
from core.reach.drawn import movable

_RATE = 0.25  # first and longest step of the learning over all styles, in deviations of w; a start is a few long
_MOMENTUM, _MEMORY = 0.95, 0.98  # of the gradient, and of its length: one length for all numbers, for single ones are noise
_NARROWEST = 1e-5  # share of the widest variance: directions in which faces hardly differ are not made longer than that


def free_styles(generator: Generator) -> Tensor:
    """Mask the styles that a step may move, as a column: [num_ws, 1], 1 for those."""
    return torch.from_numpy(movable(generator)).float()[:, None]


class Whitened:
    """Converts w to coordinates, and back, in which N faces `w` [N, w_dim] spread equally far in every direction."""

    def __init__(self, w: Tensor) -> None:
        centred = (w - w.mean(dim=0)).double()
        values, self._vectors = torch.linalg.eigh(centred.T @ centred / len(w))
        self._root = values.clamp(min=float(values.max()) * _NARROWEST).sqrt()
        self._out = (self._vectors * self._root).T.float()

    def of(self, offsets: Tensor) -> Tensor:
        """Convert offsets in w, [..., w_dim], to whitened ones, float64."""
        result: Tensor = offsets.double() @ self._vectors / self._root
        return result

    def back(self, whitened: Tensor) -> Tensor:
        """Convert whitened offsets [..., w_dim], float32, to offsets in w."""
        result: Tensor = whitened @ self._out
        return result


class Descent:
    """The step [num_ws, w_dim] as it is learned, over a known number of iterations."""

    def __init__(self, start: Tensor, coordinates: Whitened, free: Tensor, steps: int) -> None:
        """Begin with the same whitened `start` [w_dim] in every style. `free` [num_ws, 1] is 1 for styles that may move."""
        self.free, self.steps, self._coordinates = free, steps, coordinates
        self.whitened = start.float().repeat(len(free), 1).requires_grad_(True)
        self._average, self._length = torch.zeros_like(self.whitened), 0.0

    @property
    def step(self) -> Tensor:
        """Return what strength 1 adds to ws: [num_ws, w_dim]."""
        return self.free * self._coordinates.back(self.whitened)

    @property
    def size(self) -> Tensor:
        """Return the mean squared length of the step, in whitened coordinates, over the styles that may move."""
        return (self.free * self.whitened).square().sum() / self.free.sum()

    def descend(self, loss: Tensor, index: int) -> None:
        """Follow the gradient of a loss that was computed from `step`, in the iteration `index`, counted from 0."""
        (gradient,) = torch.autograd.grad(loss, self.whitened)
        self._average = _MOMENTUM * self._average + (1 - _MOMENTUM) * gradient
        self._length = _MEMORY * self._length + (1 - _MEMORY) * float(gradient.square().sum())
        average = self._average / (1 - _MOMENTUM ** (index + 1))
        length = self._length / (1 - _MEMORY ** (index + 1))
        with torch.no_grad():
            self.whitened -= _RATE * (1 - index / self.steps) * average / length**0.5
