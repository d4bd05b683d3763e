"""L-BFGS (Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 7.5), one accepted step at a time.

Unlike Adam it follows the gradient's length and direction, so that coordinates without effect stay where they are. It begins
with the plain gradient: x should be in coordinates along which the loss curves equally (core.fast.curvature).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Evaluate = Callable[[Tensor], tuple[float, Tensor]]  # x -> (loss, gradient of x's shape)

HISTORY = 20
DECREASE = 1e-4  # Armijo's constant
TRIALS = 4


@dataclass
class Lbfgs:
    """The state of one optimisation."""

    x: Tensor
    first_length: float  # of the first step at most, in the unit of x: nothing is known of the curvature yet
    noise: float = 0.0  # share of the loss that rounding moves: a rise of no more than that is no rise
    loss: float = float("nan")
    gradient: Tensor = field(default_factory=lambda: torch.zeros(0))
    moves: list[Tensor] = field(default_factory=list)  # differences of x, oldest first
    bends: list[Tensor] = field(default_factory=list)  # differences of the gradient

    def look(self, evaluate: Evaluate) -> None:
        """Evaluate loss and gradient at the present point: at the beginning, and whenever the objective has changed."""
        self.loss, self.gradient = evaluate(self.x)

    def step(self, evaluate: Evaluate) -> bool:
        """Do one step to a lower loss; False if none was found.

        If the remembered curvature leads nowhere (the objective changed, or the curvature is negative), it is forgotten and
        the plain gradient is tried.
        """
        if self.moves and self._try(self._direction(), evaluate):
            return True
        self.moves.clear()
        self.bends.clear()
        return self._try(self._direction(), evaluate)

    def _try(self, direction: Tensor, evaluate: Evaluate) -> bool:
        """Search along `direction`, halving or more, until the loss meets Armijo's condition; False after `TRIALS` trials."""
        slope = float((direction * self.gradient).sum())
        if slope >= 0:
            return False
        length = 1.0
        for _ in range(TRIALS):
            x = self.x + length * direction
            loss, gradient = evaluate(x)
            if loss <= self.loss + DECREASE * length * slope + self.noise * abs(self.loss):
                self._accept(x, loss, gradient)
                return True
            bend = loss - self.loss - slope * length
            best = -slope * length**2 / (2 * bend) if bend > 0 else length / 2  # lowest point of the parabola
            length = min(max(best, 0.1 * length), 0.5 * length)
        return False

    def _accept(self, x: Tensor, loss: float, gradient: Tensor) -> None:
        move, bend = x - self.x, gradient - self.gradient
        if float((move * bend).sum()) > 1e-10 * float(bend.square().sum()):  # else the curvature is not positive
            self.moves = [*self.moves, move][-HISTORY:]
            self.bends = [*self.bends, bend][-HISTORY:]
        self.x, self.loss, self.gradient = x, loss, gradient

    def _direction(self) -> Tensor:
        """Compute minus the approximate inverse Hessian times the gradient."""
        q = -self.gradient
        if not self.moves:
            return q * min(1.0, self.first_length / max(float(q.norm()), 1e-12))
        shares = []
        for move, bend in zip(reversed(self.moves), reversed(self.bends), strict=True):
            share = (move * q).sum() / (move * bend).sum()
            q = q - share * bend
            shares.append(share)
        # between the usual guess of the inverse curvature, which the steepest directions rule, and that of the flattest
        q = q * float(self.moves[-1].norm() / self.bends[-1].norm())
        for move, bend, share in zip(self.moves, self.bends, reversed(shares), strict=True):
            q = q + move * (share - (bend * q).sum() / (move * bend).sum())
        return q
