"""Latent files: an .npz with one array `w`, float32 [1, num_ws, 512], as StyleGAN's tools exchange them.

Where a projection moved the noise too, its maps are beside it: `noise0`, `noise1` and so on, float32 [side, side], one for each
layer that adds noise. A tool that reads `w` alone draws the face with other pores and hairs.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import LatentOfAnotherModel, LatentUnreadable
from core.generator import AnyLatent, Generator, Latent, latent_of
from core.generator.protocol import NoisyGenerator

LARGEST = 1 << 24  # bytes, also unpacked, without noise; the largest ws of StyleGAN's family takes 47 kB


def to_npz(face: AnyLatent) -> bytes:
    """Encode ws [1, num_ws, w_dim], or a latent, as a latent file. The same numbers give the same bytes."""
    latent = latent_of(face)
    assert latent.ws.ndim == 3, latent.ws.shape
    assert len(latent.ws) == 1, latent.ws.shape
    buffer = io.BytesIO()
    named = {"w": latent.ws, **{f"noise{index}": one for index, one in enumerate(latent.noise)}}
    arrays: dict[str, Any] = {name: np.ascontiguousarray(one, dtype=np.float32) for name, one in named.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def from_npz(source: bytes | Path, generator: Generator) -> Latent:
    """Read a latent file, bytes or a path.

    A single w, [1, 512] or [1, 1, 512], is repeated for every style. Never unpickles. Raises LatentUnreadable, and
    LatentOfAnotherModel if the number of styles does not fit the generator.
    """
    name = "This" if isinstance(source, bytes) else str(source)
    maps = generator.noise_maps() if isinstance(generator, NoisyGenerator) else []
    sides = [(int(one.shape[0]), int(one.shape[1])) for one in maps]
    most = LARGEST + sum(4 * height * width for height, width in sides)
    try:
        arrays = _arrays(source if isinstance(source, bytes) else _content(source, most), most)
        w, noise = arrays.pop("w"), [arrays[key] for key in sorted(arrays, key=lambda key: (len(key), key))]
    except Exception as error:  # whatever zip, zlib and numpy make of hostile bytes, MemoryError among it
        said = str(error).strip() or type(error).__name__
        raise LatentUnreadable(file=name, reason=said.splitlines()[0]) from None  # numpy goes on with advice that is not for here
    if w.ndim == 2:
        w = w[:, None]
    if w.ndim != 3 or w.shape[0] != 1 or w.shape[2] != generator.w_dim or not np.isfinite(w).all():
        raise LatentUnreadable(file=name, reason=f"the array w has shape {list(w.shape)} or holds no finite numbers")
    if w.shape[1] == 1:
        w = np.repeat(w, generator.num_ws, axis=1)
    if w.shape[1] != generator.num_ws:
        raise LatentOfAnotherModel(found=w.shape[1], expected=generator.num_ws)
    if noise and ([one.shape for one in noise] != sides or not all(np.isfinite(one).all() for one in noise)):
        raise LatentUnreadable(file=name, reason="its noise is another generator's or holds no finite numbers")
    return Latent(w, tuple(noise))


def _content(path: Path, most: int) -> bytes:
    if path.stat().st_size > most:
        raise ValueError("it is too large")
    return path.read_bytes()


def _arrays(content: bytes, most: int) -> dict[str, np.ndarray]:
    """Read w and the noise as float32, by their names. The unpacked size is checked before anything is unpacked.

    Raises ValueError and whatever zip and numpy raise for damaged bytes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        if sum(member.file_size for member in members.infolist()) > most:
            raise ValueError("it is too large")
    found = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        for name in ("w", *(name for name in archive.files if name.startswith("noise"))):
            array = archive[name]
            if array.dtype.kind not in "fiu":
                raise ValueError(f"the array {name} holds {array.dtype}")
            found[name] = np.asarray(array, dtype=np.float32)
    return found
