"""Keeps what the real generator drew and what MediaPipe saw, for tests that ask for the same again and prove something else."""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.faces.native import Native
from core.generator.families.mobilestylegan import MobileStyleGAN

MOST = 400_000_000  # bytes that are kept in a process of tests
LARGEST = 20_000_000  # of those of one drawing: a picture of 1024 pixels has 12.6 million, what it is made of 67 million

Key = tuple[Any, ...]


class Drawn:
    """What networks drew of which latents; of too much, what was not asked for longest is forgotten."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[nn.Module, OrderedDict[Key, Tensor]] = WeakKeyDictionary()

    def once(self, draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """Make a method of a network answer each question once: what needs gradients is computed each time."""

        def drawn(network: nn.Module, ws: Tensor, *of: int) -> Tensor:
            if ws.requires_grad or any(one.requires_grad for one in network.parameters()):
                return draw(network, ws, *of)
            kept = self._kept.setdefault(network, OrderedDict())
            state = sum(one._version for one in network.parameters())  # another network once a weight was written to
            key = (draw.__name__, of, state, ws.shape, ws.dtype, ws.detach().float().numpy().tobytes())
            if key not in kept:
                made = draw(network, ws, *of)
                if made.nbytes > LARGEST:
                    return made
                with torch.inference_mode(False):  # whoever asks next may need gradients of what follows
                    kept[key] = made.clone()
                while sum(one.nbytes for one in kept.values()) > MOST:
                    kept.popitem(last=False)
                return made
            kept.move_to_end(key)
            return kept[key].clone()

        return drawn


_DRAWN = Drawn()
_SEEN: dict[Key, Any] = {}  # its pictures are kept as digests, so it may grow


def _seen_once(look: Callable[[Native, NDArray[np.uint8]], list[Any]]) -> Callable[[Native, NDArray[np.uint8]], list[Any]]:
    """Make a network of MediaPipe's look at the same pixels once."""

    def seen(native: Native, pixels: NDArray[np.uint8]) -> list[Any]:
        key = (look.__name__, pixels.shape, hashlib.sha256(pixels.tobytes()).digest())
        if key not in _SEEN:
            _SEEN[key] = look(native, pixels)
        return copy.deepcopy(_SEEN[key])

    return seen


@contextmanager
def each_once() -> Iterator[None]:
    """Have each latent drawn and each window looked at once in this process, as long as the block lasts, whoever asks."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("synthesis", "halved", "features"):
            patch.setattr(MobileStyleGAN, name, _DRAWN.once(getattr(MobileStyleGAN, name)))
        for name in ("detect", "landmarks"):
            patch.setattr(Native, name, _seen_once(getattr(Native, name)))
        yield
