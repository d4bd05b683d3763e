"""The colours of an edit beside those of the photo, where the numbers alone tell."""

from __future__ import annotations

import numpy as np
import torch

from core.composite import colour, mask, motion, mouth
from core.composite.mesh import BROWS, CHEEKS, LIPS_INSIDE, LIPS_OUTSIDE
from core.composite.warp import grid


def test_below_black_there_is_still_a_beard_or_none() -> None:
    """A photo warped next to deep black overshoots below it; one such pixel once blackened whole faces."""
    photo = torch.full((1, 3, 64, 64), 120.0)
    photo[..., 30, 30] = -40.0
    hairy = colour.hairy(photo, torch.ones(1, 1, 64, 64), 60.0)
    assert torch.isfinite(hairy).all()


def _levels(value: float, side: int = 64) -> torch.Tensor:
    return torch.full((1, 3, side, side), value)


def test_teeth_are_darkened_alike_so_that_each_stands_out() -> None:
    teeth = _levels(250.0)
    teeth[..., ::8] = 200.0  # the gaps between them
    inner, skin = torch.ones(1, 1, 64, 64), torch.ones(1, 1, 64, 64)
    held = mouth.not_brighter(teeth, _levels(120.0), skin, inner)
    assert 110 < held.max() < 150  # about as light as the lightest skin
    assert held[..., 0].mean() / held[..., 1].mean() < 0.9  # clipped one by one, teeth and gaps would be one bar
    assert torch.equal(mouth.not_brighter(_levels(100.0), _levels(120.0), skin, inner), _levels(100.0))


def test_a_mouth_in_a_beard_takes_the_light_of_the_lips() -> None:
    """The photo's skin is a dark beard, its lips are lit as the edited picture's are."""
    lips = torch.zeros(1, 1, 64, 64)
    lips[..., 28:36, :] = 1
    photo = _levels(20.0) * (1 - lips) + _levels(150.0) * lips
    factor = colour.mouth_light(photo, _levels(150.0), 1 - lips, lips, 60.0)
    assert factor[..., 32, :].min() > 0.9
    assert colour.mouth_light(photo, _levels(150.0), 1 - lips, 1 - lips, 60.0)[..., 32, :].max() < 0.6


def test_orange_light_hardly_reaches_the_teeth() -> None:
    whole, orange = torch.ones(1, 1, 64, 64), torch.tensor([200.0, 140.0, 80.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    red, _, blue = colour.mouth_light(orange, _levels(140.0), whole, whole, 60.0)[0, :, 32, 32].tolist()
    assert 1.0 < red / blue < 1.2


def test_a_beard_is_told_from_the_detail_of_the_lips() -> None:
    lips, skin = torch.zeros(1, 1, 96, 96), torch.ones(1, 1, 96, 96)
    lips[..., 44:52, 34:62] = 1
    hairy = torch.zeros(1, 1, 96, 96)
    hairy[..., 40:56, 30:66] = 1  # the edge of the lips
    assert colour.bearded(hairy, skin, lips, 80.0) < 0.2
    assert colour.bearded(skin, skin, lips, 80.0) == 1


def test_the_line_of_a_corner_goes_and_pores_stay() -> None:
    """A dark line beside the mouth that the edited picture no longer has; the grain of the skin is the photo's."""
    grain = 4 * torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    photo = _levels(150.0, 96) + grain
    photo[..., 47:50, 10:86] -= 90
    edited, beside = _levels(150.0, 96), torch.ones(1, 1, 96, 96)
    made = photo + colour.redrawn(photo, edited, beside, torch.ones(1, 1, 96, 96), 320.0)
    assert abs(float(made[..., 48, 30:60].mean()) - 150) < 12
    assert made[..., 70:90, 10:86].std() > 1.5


def _mouth() -> np.ndarray:
    """A mesh whose lips are a lens from (30, 48) to (70, 48), the inner ones half as high."""
    points = np.zeros((468, 2))
    for rows, height in ((LIPS_OUTSIDE, 6), (LIPS_INSIDE, 3)):
        for row, sign in zip(rows, (-1, 1), strict=True):
            points[list(row)] = [(30 + 4 * i, 48 + sign * height * np.sin(np.pi * i / 10)) for i in range(11)]
    return points


def test_the_ends_of_a_mouth_are_its_corners_alone() -> None:
    ends = mouth.ends(_mouth(), 96, 96, 100.0)[0, 0]
    assert ends[48, 30] > 0.6
    assert ends[48, 69] > 0.6
    assert ends[:, 38:62].max() < 0.01


def test_light_teeth_lose_a_part_of_their_yellow() -> None:
    whole, yellow = torch.ones(1, 1, 64, 64), torch.tensor([220.0, 200.0, 150.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    red, _, blue = mouth.not_brighter(yellow, _levels(200.0), whole, whole)[0, :, 32, 32].tolist()
    assert 1.2 < red / blue < 1.4  # of 1.47
    dark = mouth.not_brighter(yellow / 4, _levels(200.0), whole, whole)
    assert torch.equal(dark, yellow / 4), "the tongue and the depth of the mouth keep their red"


def test_the_strip_beside_a_corner_leaves_the_lips_out() -> None:
    strip = mouth.corners(_mouth(), 96, 96, 100.0)[0, 0]
    assert strip[48, 26] > 0.8
    assert strip[48, 73] > 0.8
    assert strip[48, 34] < 0.3
    assert strip[44:52, 40:60].max() < 0.05
    assert strip[48, 5] < 0.05
    assert strip[20].max() < 0.05


def test_the_rim_of_glasses_stays_and_a_fold_may_go() -> None:
    """Above the mouth alone: there lips and beards are as hard, and change."""
    photo = _levels(170.0, 96)
    photo[..., 30:33, 10:86] = 30.0  # a rim
    photo[..., 60:63, 10:86] = 150.0  # a fold
    above, below = torch.zeros(1, 1, 96, 96), torch.full((1, 1, 96, 96), 2.0)
    found = mask.solid(photo, above, 200.0)[0, 0]
    assert found[31, 20:76].min() > 0.95
    assert found[61, 20:76].max() < 0.05
    assert mask.solid(photo, below, 200.0).max() < 0.01


def test_heights_are_nothing_at_the_brows_and_one_on_the_nose() -> None:
    points = np.zeros((468, 2))
    points[BROWS], points[CHEEKS] = (10.5, 10.5), (30.5, 10.5)  # of a head that lies on its side
    found = motion.heights(points, grid(40, 40))[0, 0]
    assert abs(float(found[10, 10])) < 1e-6
    assert abs(float(found[35, 30]) - 1) < 1e-6
