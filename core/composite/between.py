"""A picture between two of one face, without asking the generator: for whoever moves a slider and will not wait."""

from __future__ import annotations

import numpy as np
import torch

from core.composite.mesh import Points, with_rim
from core.composite.original import Rendered
from core.composite.warp import Raster, grid, sample


def between(one: Rendered, other: Rendered, share: float) -> Rendered:
    """Draw the face `share` (0 to 1) of the way from one picture to another, of one size.

    Points go along straight lines; each picture is bent to where they are then, so that no feature is seen twice, and the
    two are mixed. It is right where both look alike but for their shape: a face at two strengths not far apart.
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
