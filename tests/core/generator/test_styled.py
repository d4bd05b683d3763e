"""Depthwise convolutions with styles: the gradients are those of the plain convolution, also by a factor of zero."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.generator import ops
from core.generator.ops import styled_depthwise


@pytest.mark.parametrize("cached", [ops._CACHED, 120], ids=["at once", "in parts"])
def test_gradients_are_those_of_the_plain_convolution(monkeypatch: pytest.MonkeyPatch, cached: int) -> None:
    monkeypatch.setattr(ops, "_CACHED", cached)
    random = torch.Generator().manual_seed(0)
    x, weight, slopes = (torch.randn(shape, generator=random) for shape in ((1, 6, 9, 9), (6, 1, 3, 3), (1, 6, 9, 9)))
    style = torch.tensor([1.0, -0.5, 0.0, 1e-5, 3.0, -1e-14])
    x, style = x.to(memory_format=torch.channels_last).requires_grad_(), style.requires_grad_()
    made = styled_depthwise(x, weight, style)
    found = torch.autograd.grad(made, [x, style], slopes)
    exact = F.conv2d(x.double(), weight.double() * style.double()[:, None, None, None], padding=1, groups=6)
    wanted = torch.autograd.grad(exact, [x, style], slopes.double())
    torch.testing.assert_close(made.double(), exact, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[1], wanted[1], atol=1e-4, rtol=1e-4)
    assert wanted[1][2].abs() > 0.1
