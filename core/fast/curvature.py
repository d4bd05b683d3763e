"""The curvature of a projection's loss on the average face, and the coordinates that it gives to the `fast` projection.

The loss curves ten thousand times more along some directions of ws than along most others, and a plain descent is slow there.
The curvature is much alike for all faces (Wang & Ponce 2021, The Geometry of Deep Generative Image Models), so it is learned
once: with H the mean Gauss-Newton matrix, ws = start + T y and T T' = 1 / H, the loss curves about equally along every
coordinate of y.

H [num_ws * w_dim, num_ws * w_dim] is kept in two parts. The first, within a style, is A' diag(slope^2) A: A is the
generator's own layer from w to the factors of the style's channels, and each channel has one mean slope. The second, across
the styles, has the principal directions of what remains when the first part is divided out.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from core.fast.trained import load_trained
from core.generator.protocol import StyledGenerator

DIRECTIONS = 192
_FLOOR_OF_STYLE = 0.01  # of the mean curvature of a style: added to it, because in some directions nothing was seen
_FLOOR_OF_ALL = 0.1  # of the mean curvature of all styles
_REST = 0.5  # curvature left beyond the directions, within a style; 1 would be all


class Curvature(nn.Module):
    """The map T from coordinates y [N, num_ws, w_dim] to moves of ws [N, num_ws, w_dim]."""

    slopes: Tensor
    directions: Tensor
    bends: Tensor

    def __init__(self, generator: StyledGenerator, directions: int = DIRECTIONS) -> None:
        super().__init__()
        self._layers = [layer.detach() for layer in generator.style_weights()]
        size = generator.num_ws * generator.w_dim
        self.register_buffer("slopes", torch.ones(sum(len(layer) for layer in self._layers)))
        self.register_buffer("directions", torch.zeros(size, directions))  # orthonormal columns
        self.register_buffer("bends", torch.ones(directions))  # curvature left along them
        self._roots: Tensor | None = None

    @classmethod
    def load(cls, generator: StyledGenerator, file: Path) -> Curvature:
        """Load a file of `egao train curvature`.

        Raises WeightsUnfit if it was learned from another generator, ModelUnreadable.
        """
        return load_trained(cls(generator), file, generator)

    def within_styles(self) -> Tensor:
        """Compute for each style the upper triangular R with R R' = inverse of the first part: [num_ws, w_dim, w_dim]."""
        if self._roots is None:
            matrices = []
            for layer, slopes in zip(self._layers, torch.split(self.slopes, [len(layer) for layer in self._layers]), strict=True):
                steep = slopes.double()[:, None] * layer.double()
                matrices.append(steep.T @ steep)
            of_styles = torch.stack(matrices)
            means = of_styles.diagonal(dim1=1, dim2=2).mean(dim=1)
            floor = _FLOOR_OF_STYLE * means + _FLOOR_OF_ALL * means.mean()
            one = torch.eye(of_styles.shape[1], dtype=torch.double, device=of_styles.device)
            lower = torch.linalg.cholesky(of_styles + floor[:, None, None] * one)
            self._roots = torch.linalg.solve_triangular(lower.mT, one.expand_as(lower), upper=True).float()
        return self._roots

    def forward(self, y: Tensor) -> Tensor:
        flat = y.flatten(1)
        shrink = (_REST / (self.bends + _REST)).sqrt() - 1
        flat = flat + (flat @ self.directions * shrink) @ self.directions.T
        return torch.einsum("nsd,sed->nse", flat.view_as(y), self.within_styles())

    def flatten(self, slopes: Tensor) -> Tensor:
        """Convert gradients for ws [N, num_ws, w_dim] to coordinates with the first part of the curvature divided out."""
        return torch.einsum("nse,sed->nsd", slopes, self.within_styles())
