"""What runs on a GPU keeps to its device: tried without one, with tensors that have a device and a shape but no numbers.

torch calls them fake. It refuses to compute with two devices, as CUDA does; the device is the one named "meta", since a torch
without CUDA can have no other. Numbers are tried on the CPU (tests/core/fast/test_many.py), and on a card by `egao bench gpu`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._functorch import config
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from core.bench.gpu import Parts
from core.fast.lockstep import Lockstep, Rules
from core.fast.objective import Objective, Wanted
from core.generator import seed_w
from core.generator.render import pixels_of
from core.projection.start import pooled
from core.settings import Settings
from core.weights.cache import weights_folder

CARD = torch.device("meta")


def on_card(module: nn.Module, mode: FakeTensorMode) -> None:
    """Move a module there: its tensors keep their shapes, types and layouts, and have no numbers any more."""

    def fake(tensor: Tensor) -> Tensor:
        return FakeTensor(mode, torch.empty_like(tensor, device="meta"), CARD)

    for part in module.modules():
        for name, weight in part._parameters.items():
            part._parameters[name] = None if weight is None else nn.Parameter(fake(weight), requires_grad=False)
        for name, buffer in part._buffers.items():
            part._buffers[name] = None if buffer is None else fake(buffer)


@pytest.fixture(scope="module")
def parts(settings: Settings) -> Iterator[Parts]:
    loaded = Parts.load(weights_folder(settings), torch.device("cpu"))
    loaded.features = copy.deepcopy(loaded.features)  # other tests have the same
    with config.patch(fake_tensor_allow_meta=True), FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for module in (loaded.generator, loaded.features, loaded.encoder, loaded.curvature):
            on_card(module, mode)
        loaded.curvature._layers = loaded.generator.style_weights()
        yield loaded


def test_two_devices_are_refused_as_cuda_refuses_them(parts: Parts) -> None:
    """Else these tests would show nothing."""
    with pytest.raises(RuntimeError, match="same device"):
        parts.generator.mapping(torch.zeros(1, 512))


def test_seeds_are_mapped_and_drawn_there(parts: Parts) -> None:
    w = seed_w(parts.generator, [1, 2])
    assert w.device == CARD
    assert pixels_of(parts.generator.synthesis(parts.generator.broadcast(w))).shape == (2, 1024, 1024, 3)


def test_a_step_of_many_projections_stays_there(parts: Parts) -> None:
    target = np.zeros((1024, 1024, 3), dtype=np.uint8)
    wanted = Wanted.of(target, parts.features, CARD)
    starts = parts.encoder(wanted.images)
    objective = Objective(parts.generator, parts.features, parts.curvature, parts.options, torch.float32)
    state = Lockstep.empty(1, starts.numel(), parts.options.patience, CARD)

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loss, gradient, distance, _ = objective(x.view_as(starts), starts, wanted)
        return loss, gradient.flatten(1), distance

    state.advance(evaluate, Rules(2.0, 0.0, 6, 0.04))
    assert {one.device for one in (*vars(state).values(), starts)} == {CARD}
    assert pooled(parts.features, wanted.images).device == CARD
