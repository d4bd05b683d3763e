"""Layers of our own: the same features and the same gradients as torch's, whatever the sides, channels and threads."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.compiled import layers
from core.compiled.background import compiler
from core.compiled.layers import FusedBlock, fused
from core.errors import NotCompiled
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.generator.protocol import SeparableGenerator
from tests.core.compiled.kit import NO_COMPILER, tiny

CHANNELS = (128, 256, 128, 128)  # of sides 4 to 32: layers of 32 to 256 inputs, with more and fewer outputs


@pytest.fixture(scope="module")
def network() -> MobileStyleGAN:
    made = tiny(channels=CHANNELS)
    assert isinstance(made, MobileStyleGAN)
    return made


@pytest.fixture(scope="module")
def ours(network: MobileStyleGAN) -> MobileStyleGAN:
    if compiler() is None:
        pytest.skip(NO_COMPILER)
    return fused(network)


def styles(network: MobileStyleGAN) -> Tensor:
    return torch.randn(1, network.num_ws, network.w_dim, generator=torch.Generator().manual_seed(3))


def with_gradient(network: MobileStyleGAN, ws: Tensor) -> tuple[Tensor, Tensor]:
    """The picture of ws, and the gradient by ws of a sum in which each pixel counts differently."""
    ws = ws.clone().requires_grad_(True)
    image = network.synthesis(ws)
    weights = torch.randn(image.shape, generator=torch.Generator().manual_seed(4))
    (gradient,) = torch.autograd.grad((image * weights).sum(), ws)
    return image.detach(), gradient


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_pictures_and_gradients_are_torchs(network: MobileStyleGAN, ours: MobileStyleGAN, threads: int) -> None:
    before = torch.get_num_threads()
    assert all(isinstance(block, FusedBlock) for block in ours.blocks)
    torch.set_num_threads(threads)
    try:
        image, gradient = with_gradient(ours, styles(network))
        again = with_gradient(ours, styles(network))
    finally:
        torch.set_num_threads(before)
    expected = with_gradient(network, styles(network))
    assert apart(image, expected[0]) < 1e-5
    for number in range(network.num_ws):  # each style by itself: a wrong one must not hide behind a larger one
        assert apart(gradient[:, number], expected[1][:, number]) < 1e-3, number
    assert torch.equal(image, again[0])
    assert torch.equal(gradient, again[1])


def test_the_network_itself_is_left_as_it_was(network: MobileStyleGAN, ours: MobileStyleGAN) -> None:
    assert not any(isinstance(block, FusedBlock) for block in network.blocks)
    assert ours.mapping_layers is network.mapping_layers
    assert isinstance(ours, SeparableGenerator)


def test_a_batch_and_another_precision_are_left_to_torch(network: MobileStyleGAN, ours: MobileStyleGAN) -> None:
    ws = styles(network).repeat(2, 1, 1)
    with torch.inference_mode():
        assert torch.equal(ours.synthesis(ws), network.synthesis(ws))
        double, ws = copy.deepcopy(network).double(), styles(network).double()
        assert torch.equal(fused(copy.deepcopy(network)).double().synthesis(ws), double.synthesis(ws))


def test_layers_with_few_channels_are_left_to_torch() -> None:
    if compiler() is None:
        pytest.skip(NO_COMPILER)
    small = tiny()
    assert isinstance(small, MobileStyleGAN)
    ours, ws = fused(small), styles(small)
    assert not any(isinstance(block, FusedBlock) for block in ours.blocks)
    with torch.inference_mode():
        assert torch.equal(ours.synthesis(ws), small.synthesis(ws))


def test_without_a_compiler_or_with_one_that_fails_a_sentence_says_so(
    network: MobileStyleGAN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NotCompiled, match="takes a C\\+\\+ compiler"):
        fused(network)
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(NotCompiled, match="the compiler ended with 1"):
        fused(network)
    monkeypatch.delenv("CXX")
    if compiler() is None:
        return
    broken = tmp_path / "broken.cpp"
    broken.write_text("int main( {")
    monkeypatch.setattr(layers, "SOURCE", broken)
    with pytest.raises(NotCompiled, match="error"):
        fused(network)
