"""A picture between two pictures of one face, made without the generator, so that a slider can be followed at once."""

from __future__ import annotations

import numpy as np
import torch

from core.composite.mesh import Points, with_rim
from core.composite.original import Rendered
from core.composite.warp import Raster, grid, sample


def between(one: Rendered, other: Rendered, share: float) -> Rendered:
    """Draw the face at `share` (0..1) of the way from picture `one` to picture `other`, both of the same size.

    Landmarks move along straight lines. Both pictures are warped to the moved landmarks, so that no feature is seen
    twice, and mixed. The result is good where the two differ little but in shape, as a face does at two neighbouring
    strengths.
    """
    height, width = one.pixels.shape[:2]
    points = one.landmarks + (other.landmarks - one.landmarks) * share
    mesh = with_rim(points)
    bends = [with_rim(picture.landmarks) - mesh for picture in (one, other)]
    fields = Raster(mesh, height, width).interpolate(np.concatenate(bends, axis=1))
    here = grid(height, width)
    bent = [
        sample(torch.tensor(picture.pixels).permute(2, 0, 1)[None].float(), here + bend, "bilinear")
        for picture, bend in zip((one, other), torch.split(fields, [2, 2], dim=1), strict=True)
    ]
    mixed = torch.lerp(bent[0], bent[1], share)[0].permute(1, 2, 0)
    landmarks: Points = points
    return Rendered(mixed.round().clamp(0, 255).to(torch.uint8).numpy(), landmarks)
