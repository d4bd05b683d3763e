"""The colours of an edit beside those of the photo, where the numbers alone tell."""

from __future__ import annotations

import torch

from core.composite import colour


def test_below_black_there_is_still_a_beard_or_none() -> None:
    """A photo warped next to deep black overshoots below it; one such pixel once blackened whole faces."""
    photo = torch.full((1, 3, 64, 64), 120.0)
    photo[..., 30, 30] = -40.0
    hairy = colour.hairy(photo, torch.ones(1, 1, 64, 64), 60.0)
    assert torch.isfinite(hairy).all()
