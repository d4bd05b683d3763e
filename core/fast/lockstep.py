"""L-BFGS of many faces at once: each descends by itself, and all are evaluated together.

The rules are those of `core.fast.lbfgs`, one face at a time: the same line search, the same memory, the same scale. Here they
are written without a branch on a number, so that a GPU runs a whole step without the processor's asking. The direction is
computed in the compact form of the inverse Hessian (Nocedal & Wright, Numerical Optimization, theorem 7.4 for its inverse:
Byrd, Nocedal & Schnabel 1994, equation 2.6), a few small matrices in place of a loop over the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from core.fast.lbfgs import DECREASE, HISTORY, TRIALS

# x [B, D] -> (losses [B], gradients [B, D], what is told of them [B])
EvaluateAll = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Rules:
    """What ends a descent, and how it begins; see `core.fast.project.FastOptions`."""

    first_length: float  # of the first step at most
    noise: float  # share of the loss that rounding moves
    patience: int  # steps over which a gain is judged
    gain: float  # share of the loss that those steps must gain


@dataclass
class Lockstep:
    """The state of B descents in D coordinates. Every tensor has a row for each; a row that is not `going` stays as it is."""

    x: Tensor  # [B, D]: the lowest point so far
    gradient: Tensor  # [B, D] there
    loss: Tensor  # [B] there; infinite before the first look
    told: Tensor  # [B]: of the last point accepted
    direction: Tensor  # [B, D] of the search
    slope: Tensor  # [B]: of the loss along it
    length: Tensor  # [B]: how far along it is looked next; 0 before the first look
    trials: Tensor  # [B]: points looked at in this search
    moves: Tensor  # [B, HISTORY, D]: differences of x, the newest last, zeros where there are none yet
    bends: Tensor  # [B, HISTORY, D]: differences of the gradient
    steps: Tensor  # [B]: points accepted
    most: Tensor  # [B]: of them, at most
    losses: Tensor  # [B, patience + 1]: the last ones, the newest last; infinite before there were as many
    going: Tensor  # [B], bool

    @classmethod
    def empty(cls, rows: int, size: int, patience: int, device: torch.device) -> Lockstep:
        """Make `rows` descents in `size` coordinates, none of them going."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(rows, *shape, device=device)

        return cls(zeros(size), zeros(size), zeros(), zeros(), zeros(size), zeros(), zeros(), zeros(),
                   zeros(HISTORY, size), zeros(HISTORY, size), zeros(), zeros(), zeros(patience + 1),
                   torch.zeros(rows, dtype=torch.bool, device=device))  # fmt: skip

    def rows(self, start: int, end: int) -> Lockstep:
        """Return the descents `start` to `end`, sharing their memory with this."""
        return Lockstep(**{one.name: getattr(self, one.name)[start:end] for one in fields(self)})

    def begin(self, row: int, most: int) -> None:
        """Begin a descent of `most` steps, the first look included, at zero in the given row."""
        for one in fields(self):
            getattr(self, one.name)[row].zero_()
        self.loss[row], self.most[row], self.going[row] = torch.inf, most, True
        self.losses[row].fill_(torch.inf)

    def move(self, source: int, target: int) -> None:
        """Move a descent to another row; its own is free afterwards."""
        for one in fields(self):
            getattr(self, one.name)[target].copy_(getattr(self, one.name)[source])
        self.going[source] = False

    def advance(self, evaluate: EvaluateAll, rules: Rules) -> None:
        """Look at one point of each descent that is going: accept it as the next step, or look nearer the next time."""
        point = self.x + self.length[:, None] * self.direction
        loss, gradient, told = evaluate(point)
        first = torch.isinf(self.loss)
        rise = DECREASE * self.length * self.slope + rules.noise * self.loss.abs()
        accepted = self.going & (first | (loss <= self.loss + rise))
        refused = self.going & ~accepted
        self._search_nearer(loss, refused)
        lost = refused & (self.trials >= TRIALS)
        remembers = self.bends[:, -1].abs().amax(dim=1) > 0
        self._remember(point - self.x, gradient - self.gradient, accepted & ~first, forget=lost)
        for kept, new in ((self.x, point), (self.gradient, gradient), (self.loss, loss), (self.told, told)):
            _replace(kept, new, accepted)
        self.steps.add_(accepted)
        _replace(self.losses, torch.cat([self.losses[:, 1:], self.loss[:, None]], dim=1), accepted)
        self._turn(accepted | lost, rules)
        idle = self.losses[:, -1] > self.losses[:, 0] * (1 - rules.gain)
        over = (accepted & ((self.steps >= self.most) | idle)) | (lost & ~remembers) | (self.slope >= 0)
        self.going.logical_and_(~over)

    def _search_nearer(self, loss: Tensor, refused: Tensor) -> None:
        """Shorten the length of those refused: to the lowest point of a parabola, but to a tenth to a half of what it was."""
        bend = loss - self.loss - self.slope * self.length
        best = torch.where(bend > 0, -self.slope * self.length.square() / (2 * bend), self.length / 2)
        best = torch.minimum(torch.maximum(best, 0.1 * self.length), 0.5 * self.length)
        _replace(self.length, torch.nan_to_num(best), refused)
        self.trials.add_(refused)

    def _remember(self, move: Tensor, bend: Tensor, accepted: Tensor, forget: Tensor) -> None:
        """Keep the newest step of those accepted, if the loss curves upwards along it; `forget` all of others."""
        upwards = (move * bend).sum(dim=1) > 1e-10 * bend.square().sum(dim=1)
        for kept, new in ((self.moves, move), (self.bends, bend)):
            _replace(kept, torch.cat([kept[:, 1:], new[:, None]], dim=1), accepted & upwards)
            kept.mul_((~forget)[:, None, None])

    def _turn(self, turning: Tensor, rules: Rules) -> None:
        """Choose a new direction for those `turning`: by what is remembered, or down the plain gradient."""
        norm = self.gradient.norm(dim=1)
        plain = -self.gradient * (rules.first_length / norm.clamp_min(1e-12)).clamp_max(1.0)[:, None]
        remembers = self.bends[:, -1].abs().amax(dim=1) > 0
        direction = torch.where(remembers[:, None], compact(self.gradient, self.moves, self.bends), plain)
        uphill = turning & ((direction * self.gradient).sum(dim=1) >= 0)  # the memory leads nowhere: without it
        direction = torch.where(uphill[:, None], plain, direction)
        for kept in (self.moves, self.bends):
            kept.mul_((~uphill)[:, None, None])
        _replace(self.direction, direction, turning)
        _replace(self.slope, (self.direction * self.gradient).sum(dim=1), turning)
        _replace(self.length, torch.ones_like(self.length), turning)
        _replace(self.trials, torch.zeros_like(self.trials), turning)


def compact(gradient: Tensor, moves: Tensor, bends: Tensor) -> Tensor:
    """Compute minus the approximate inverse Hessian times the gradient [B, D], from moves and bends [B, H, D].

    The pairs that are zero count as none. With S, Y the pairs as columns, R the upper triangle of S'Y and D its diagonal, the
    inverse Hessian is g + [S gY] [[T'(D + g Y'Y)T, -T'], [-T, 0]] [S gY]', T the inverse of R and g the scale that is guessed.
    """
    q = -gradient
    scale = (moves[:, -1].norm(dim=1) / bends[:, -1].norm(dim=1).clamp_min(1e-30)).double()[:, None, None]
    crossed = (moves @ bends.mT).double()  # S'Y
    none = (bends.abs().amax(dim=2) == 0).double()
    upper = torch.triu(crossed) + torch.diag_embed(none)
    straight = torch.diag_embed(crossed.diagonal(dim1=1, dim2=2))
    along = (moves @ q[:, :, None]).double()  # S'q
    across = (bends @ q[:, :, None]).double() * scale  # gY'q
    inner = torch.linalg.solve_triangular(upper, along, upper=True)
    weighed = (straight + scale * (bends @ bends.mT).double()) @ inner - across
    outer = torch.linalg.solve_triangular(upper.mT, weighed, upper=False)
    moved = (moves.mT @ outer.float())[:, :, 0] - (bends.mT @ (scale * inner).float())[:, :, 0]
    direction: Tensor = scale[:, :, 0].float() * q + moved
    return direction


def _replace(kept: Tensor, new: Tensor, rows: Tensor) -> None:
    """Write the rows [B, ...] of `new` where `rows` [B] is true, in place."""
    kept.copy_(torch.where(rows.view(-1, *[1] * (kept.ndim - 1)), new, kept))
