"""The transposed convolution in parts: torch's own numbers and gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.generator import spread as module
from core.generator.spread import spread


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("sides", [(4, 4), (5, 3)])
def test_it_is_torchs_own(size: int, sides: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *sides, generator=random, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, size, size, generator=random, dtype=torch.float64)
    wanted, found = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), spread(x, weight)
    torch.testing.assert_close(found, wanted)
    of = torch.randn(*wanted.shape, generator=random, dtype=torch.float64)
    torch.testing.assert_close(torch.autograd.grad(found, x, of), torch.autograd.grad(wanted, x, of))
    with torch.no_grad():
        torch.testing.assert_close(spread(x, weight), wanted)


def test_a_gradient_for_the_weight_is_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_in_parts", None)  # not to be used
    weight = torch.randn(4, 3, 3, 3, requires_grad=True)
    (slopes,) = torch.autograd.grad(spread(torch.randn(1, 3, 4, 4), weight).sum(), weight)
    assert bool(slopes.any())
