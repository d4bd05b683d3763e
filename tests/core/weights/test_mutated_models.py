"""Good model files with bytes changed, cut or repeated: read whole, or refused with a sentence; never anything else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from core.directions.direction import Direction, read_direction, save_direction
from core.errors import EgaoError, InternalError
from core.latents import from_npz
from core.projection.projector import read_tensors

GENERATOR: Any = SimpleNamespace(w_dim=512, num_ws=23)  # all that a latent is compared with


def latent(*, packed: bool) -> bytes:
    out = io.BytesIO()
    w = np.random.RandomState(0).randn(1, 23, 512).astype(np.float32)
    np.savez_compressed(out, w=w) if packed else np.savez(out, w=w)
    return out.getvalue()


def direction(folder: Path) -> bytes:
    made = Direction("smile", np.ones(512, np.float32), np.ones(23, np.float32), "0" * 64, {"from": "nowhere"})
    return save_direction(made, folder).read_bytes()


def checkpoint() -> bytes:
    return save({"w": np.zeros((1, 512), np.float32), "random": np.zeros(16, np.uint8)}, {"of": "0" * 64, "done": "3"})


def read_as_direction(content: bytes, folder: Path) -> object:
    file = folder / "mutated.safetensors"
    file.write_bytes(content)
    return read_direction(file)


KINDS: dict[str, tuple[Callable[[Path], bytes], Callable[[bytes, Path], object]]] = {
    "a latent": (lambda folder: latent(packed=False), lambda content, folder: from_npz(content, GENERATOR)),
    "a packed latent": (lambda folder: latent(packed=True), lambda content, folder: from_npz(content, GENERATOR)),
    "a direction": (direction, read_as_direction),
    "a checkpoint": (lambda folder: checkpoint(), lambda content, folder: read_tensors(content)),
}

# Most of a file is numbers, of which any are good: changes are drawn from its two ends, where the formats are.
place = st.integers(0, 400) | st.integers(-400, -1)
change = st.tuples(st.just("set"), place, st.integers(0, 255))
cut = st.tuples(st.just("cut"), st.integers(0, 60_000), st.just(0))
again = st.tuples(st.just("again"), place, st.integers(1, 64))


def mutated(content: bytes, steps: list[tuple[str, int, int]]) -> bytes:
    data = bytearray(content)
    for kind, at, value in steps:
        if not data:
            break
        at = at % len(data)
        if kind == "set":
            data[at] = value
        elif kind == "cut":
            del data[at:]
        else:
            data[at:at] = data[at : at + value]
    return bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated")


@pytest.mark.parametrize("kind", KINDS)
@given(steps=st.lists(change | cut | again, min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_mutated_file_is_read_or_refused(kind: str, folder: Path, steps: list[tuple[str, int, int]]) -> None:
    make, read = KINDS[kind]
    refusal = None
    try:
        read(mutated(make(folder), steps), folder)
    except EgaoError as error:
        refusal = error
    assert refusal is None or (not isinstance(refusal, InternalError) and "\n" not in str(refusal))


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_itself_is_good(kind: str, folder: Path) -> None:
    make, read = KINDS[kind]
    assert read(make(folder), folder) is not None
