"""Layers of our own: the same features and the same gradients as torch's, whatever the sides, channels and threads."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.compiled import compiler as compiling
from core.compiled.compiler import compile_layers, compiler
from core.compiled.layers import Library, fused
from core.errors import NotCompiled
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.generator.protocol import SeparableGenerator
from tests.core.compiled.kit import NO_COMPILER, tiny, wide

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def network() -> MobileStyleGAN:
    made = wide()
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
    assert all(block.compiled is not None for block in ours.separable_blocks())
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
    assert not any(block.compiled is not None for block in network.separable_blocks())
    assert isinstance(ours, SeparableGenerator)


def test_a_copy_is_computed_by_torch(ours: MobileStyleGAN) -> None:
    """Its weights can be changed and converted, and the library would still use the first ones."""
    assert not any(block.compiled is not None for block in copy.deepcopy(ours).separable_blocks())
    assert all(block.compiled is not None for block in ours.separable_blocks())


def test_a_batch_and_another_precision_are_left_to_torch(network: MobileStyleGAN, ours: MobileStyleGAN) -> None:
    ws = styles(network).repeat(2, 1, 1)
    with torch.inference_mode():
        assert torch.equal(ours.synthesis(ws), network.synthesis(ws))
        double, ws = copy.deepcopy(network).double(), styles(network).double()
        assert torch.equal(fused(network).double().synthesis(ws), double.synthesis(ws))


def test_layers_with_few_channels_are_left_to_torch() -> None:
    if compiler() is None:
        pytest.skip(NO_COMPILER)
    small = tiny()
    assert isinstance(small, MobileStyleGAN)
    ours, ws = fused(small), styles(small)
    assert not any(block.compiled is not None for block in ours.separable_blocks())
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
    monkeypatch.setattr(compiling, "SOURCE", broken)
    with pytest.raises(NotCompiled, match="error"):
        fused(network)


WITHOUT_ROOM = """
import resource, sys, torch
from contextlib import suppress
from pathlib import Path
from core.compiled.layers import Library, _at, _FusedLayer
from tests.core.compiled.kit import wide
layer = _FusedLayer(wide().separable_blocks()[-1].conv1, Library(Path(sys.argv[1])))
bands, up, style, out, other = torch.randn(1, 16, 16, 128), torch.randn(128), torch.randn(32), *torch.empty(2, 32, 32, 128)
slopes, one, two = torch.randn(32, 32, 128), torch.empty(3, 16, 16, 128), torch.empty(3, 16, 16, 128)

def compute(out, three, threads):
    forward = layer.library.forward(layer.address, *map(_at, (bands, up, style, out)), threads)
    return forward, layer.library.backward(layer.address, *map(_at, (bands, up, style, out, slopes, *three)), threads)

assert compute(out, one, 1) == (True, True)
room = int(open("/proc/self/statm").read().split()[0]) * 4096
for more, expected in ((4 << 20, True), (0, False)):  # no room for a thread's stack of 8 MB; none for the rows either
    resource.setrlimit(resource.RLIMIT_AS, (room + more, resource.RLIM_INFINITY))
    taken = []
    with suppress(MemoryError):
        while not expected:
            taken.append(bytearray(20_000))
    done = compute(other, two, 64)
    taken.clear()
    assert done == (expected, expected), (more, done)
    assert not expected or (torch.equal(out, other) and torch.equal(one[0], two[0]))
print("done")
"""


def test_where_no_thread_can_be_started_one_does_it_all_and_without_memory_it_says_so(tmp_path: Path) -> None:
    """An error of C++ that nobody catches would end the worker."""
    if compiler() is None:
        pytest.skip(NO_COMPILER)
    command = [sys.executable, "-c", WITHOUT_ROOM, str(compile_layers(tmp_path))]
    limits = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "16384"}  # what is freed goes back to the system
    done = subprocess.run(command, env={**os.environ, **limits}, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


def test_what_a_library_cannot_open_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "layers.so").write_text("what the loader refuses, as it does where code may not be run")
    with pytest.raises(NotCompiled, match="can't be run"):
        Library(tmp_path / "layers.so")
