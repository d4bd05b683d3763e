"""Drawing in batches, as on a GPU: the same pictures, in order, also where memory suffices for fewer at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from core.generator import seed_w
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.rendering import MOST, InBatches, Renderer
from tests.core.compiled.kit import tiny


@pytest.fixture
def small() -> MobileStyleGAN:
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    return generator


def drawn(small: MobileStyleGAN, batches: InBatches, number: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The batches of that many seeds, and their pictures one by one."""
    ws = small.broadcast(seed_w(small, range(number))).contiguous()
    return list(batches.batches(ws)), Renderer(small, "exact").images(ws)


def test_batches_are_the_pictures_in_order(small: MobileStyleGAN) -> None:
    parts, one_by_one = drawn(small, InBatches(small, torch.float32, torch.device("cpu")), MOST + 3)
    assert [len(part) for part in parts] == [MOST, 3]
    assert np.abs(np.concatenate(parts).astype(int) - one_by_one).max() <= 1


def test_where_memory_is_scarce_batches_are_smaller(small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = MobileStyleGAN.synthesis

    def scarce(network: MobileStyleGAN, ws: Tensor) -> Tensor:
        if len(ws) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(network, ws)

    monkeypatch.setattr(MobileStyleGAN, "synthesis", scarce)
    parts, one_by_one = drawn(small, InBatches(small, torch.float32, torch.device("cpu")), 5)
    assert [len(part) for part in parts] == [2, 2, 1]
    assert np.abs(np.concatenate(parts).astype(int) - one_by_one).max() <= 1


def test_memory_for_not_even_one_is_an_error(small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(network: MobileStyleGAN, ws: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(MobileStyleGAN, "synthesis", none)
    with pytest.raises(torch.OutOfMemoryError):
        list(InBatches(small, torch.float32, torch.device("cpu")).batches(torch.zeros(1, small.num_ws, small.w_dim)))
