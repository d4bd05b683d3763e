"""Latent files: an .npz with one array `w`, float32 [1, num_ws, 512], as StyleGAN's tools exchange them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from core.errors import LatentOfAnotherModel, LatentUnreadable
from core.generator import Generator

LARGEST = 1 << 24  # bytes, also unpacked; the largest latent of StyleGAN's family takes 47 kB


def to_npz(ws: np.ndarray) -> bytes:
    """Encode ws [1, num_ws, w_dim] as a latent file. The same ws gives the same bytes."""
    assert ws.ndim == 3, ws.shape
    assert len(ws) == 1, ws.shape
    buffer = io.BytesIO()
    np.savez(buffer, w=np.ascontiguousarray(ws, dtype=np.float32))
    return buffer.getvalue()


def from_npz(source: bytes | Path, generator: Generator) -> np.ndarray:
    """Read a latent file, bytes or a path: ws float32 [1, num_ws, w_dim].

    A single w, [1, 512] or [1, 1, 512], is repeated for every style. Never unpickles. Raises LatentUnreadable, and
    LatentOfAnotherModel if the number of styles does not fit the generator.
    """
    name = "This" if isinstance(source, bytes) else str(source)
    try:
        w = _array(source if isinstance(source, bytes) else _content(source))
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
    return w


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise ValueError("it is too large")
    return path.read_bytes()


def _array(content: bytes) -> np.ndarray:
    """Read the array w as float32. The unpacked size is checked before anything is unpacked. Raises ValueError and
    whatever zip and numpy raise for damaged bytes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        if sum(member.file_size for member in members.infolist()) > LARGEST:
            raise ValueError("it is too large")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        w = archive["w"]
    if w.dtype.kind not in "fiu":
        raise ValueError(f"the array w holds {w.dtype}")
    return np.asarray(w, dtype=np.float32)
