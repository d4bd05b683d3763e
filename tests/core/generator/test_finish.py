"""What follows a convolution: the same numbers and gradients as the plain operations one after the other, in place."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.generator import finish as module
from core.generator.finish import Ending, finish, scaled
from core.generator.ops import filtered, half_modulated, modulated


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor, ending: Ending) -> Tensor:
    x = x if scale is None else x * scale[:, :, None, None]
    x = (x if noise is None else x + noise) + bias[:, None, None]
    x = torch.where(x > 0, x, x * ending.slope)
    return x if ending.limit is None else x.clamp(-ending.limit, ending.limit)


CASES = [*product((0.2, 0.0, 1.0), (None, 1.5), (True, False), ("one", "each", "none"))]


@pytest.mark.parametrize("piece", [15, 100])  # some rows, or some channels, at a time
@pytest.mark.parametrize(("slope", "limit", "scale", "noise"), CASES)
def test_it_is_the_operations_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, piece: int, slope: float, limit: float | None, scale: bool, noise: str
) -> None:
    monkeypatch.setattr(module, "_PIECE", piece)
    ending = Ending(slope, limit)
    x, bias = drawn(2, 5, 6, 6).requires_grad_(True), drawn(5, seed=1).requires_grad_(True)
    scales = (drawn(2, 5, seed=2).abs() + 0.5).requires_grad_(True) if scale else None
    sides = {"one": (6, 6), "each": (2, 1, 6, 6)}.get(noise)
    maps = None if sides is None else drawn(*sides, seed=3).requires_grad_(True)
    learned = [one for one in (x, scales, maps, bias) if one is not None]
    wanted = plain(x, scales, maps, bias, ending)
    of = drawn(*wanted.shape, seed=4)
    slopes = torch.autograd.grad(wanted, learned, of)
    found = finish(x * 1, scales, maps, bias, ending)  # a copy, because it is changed
    torch.testing.assert_close(found, wanted)
    for one, other in zip(torch.autograd.grad(found, learned, of), slopes, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(finish(x.clone(), scales, maps, bias, ending), wanted)


def test_no_gradient_is_made_for_what_needs_none() -> None:
    x, bias = drawn(1, 3, 4, 4).requires_grad_(True), drawn(3)
    (slopes,) = torch.autograd.grad(finish(x * 1, None, None, bias, Ending(0.2, None)).sum(), x)
    torch.testing.assert_close(slopes, torch.where(x.detach() + bias[:, None, None] > 0, 1.0, 0.2).double())


def test_factors_have_their_gradient() -> None:
    x, factors = drawn(2, 3, 4, 4).requires_grad_(True), drawn(2, 3, seed=1).requires_grad_(True)
    assert torch.autograd.gradcheck(scaled, (x, factors))


@pytest.mark.parametrize("up", [None, torch.tensor([0.1, 0.4, 0.4, 0.1], dtype=torch.float64)])
def test_styles_in_the_weights_and_in_the_pixels_are_the_same(up: Tensor | None) -> None:
    x, weight, styles = drawn(1, 3, 5, 5), drawn(4, 3, 3, 3, seed=1), drawn(1, 3, seed=2)
    inside = modulated(x, weight, styles, demodulate=True, up=up) * 1.5
    found, scale = half_modulated(x, weight, styles.requires_grad_(True), demodulate=True, up=up, gain=1.5)
    assert scale is not None
    torch.testing.assert_close(found * scale[:, :, None, None], inside, rtol=1e-6, atol=1e-6)  # the squares are summed in float32


@pytest.mark.parametrize(
    ("taps", "up", "down", "pad"),
    [((12,), 2, 1, (5, 6, -2, 4)), ((12, 12), 1, 2, (0, 0, 0, 0)), ((6,), 1, 2, (3, 2, 0, 1)), ((4,), 1, 1, (1, 1, 1, 1))],
)
def test_a_filter_has_the_gradient_of_torchs_own_and_keeps_no_features(
    taps: tuple[int, ...], up: int, down: int, pad: tuple[int, int, int, int]
) -> None:
    kernel, x = drawn(*taps), drawn(2, 3, 20, 22, seed=1).requires_grad_(True)
    kept: list[Tensor] = []

    def keep(one: Tensor) -> Tensor:
        kept.append(one)
        return one

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        found = filtered(x, kernel, up, down, pad)
    assert {one.ndim for one in kept} == {2}, "a projection would hold the features of every filter"
    spread = torch.zeros(2, 3, 20, up, 22, up, dtype=torch.float64)
    spread[:, :, :, 0, :, 0] = x
    square = torch.outer(kernel, kernel) if kernel.ndim == 1 else kernel
    weight = (square * up**2).flip(0, 1).expand(3, 1, -1, -1)
    wanted = F.conv2d(F.pad(spread.reshape(2, 3, 20 * up, 22 * up), pad), weight, stride=down, groups=3)
    assert torch.allclose(found, wanted)
    slopes = drawn(*wanted.shape, seed=2)
    (own,), (torchs,) = torch.autograd.grad(found, x, slopes), torch.autograd.grad(wanted, x, slopes)
    assert torch.allclose(own, torchs)
