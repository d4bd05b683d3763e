"""The cache folder: what is there, whether it is whole, and one puller at a time.

A file gets its final name only after its hash was checked, by `os.replace` on the same disk. So a file that has the
right name and size is the right file unless the disk or a person changed it; `check` reads it all to be sure.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from core.errors import WeightsCorrupt, WeightsMissing
from core.settings import Settings
from core.weights.manifest import Weight, load_manifest

CHUNK = 1 << 20


class State(StrEnum):
    """What `state` sees without reading a file through."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"  # there, but of another size


def weights_folder(settings: Settings) -> Path:
    """Name the folder below EGAO_CACHE that holds the weights. It need not exist."""
    return settings.cache / "weights"


def state(settings: Settings, weight: Weight) -> State:
    """Look at names and sizes only: microseconds, for every start."""
    pairs = [(_size(weights_folder(settings) / path), size) for path, size, _ in weight.contents]
    if any(found is None for found, _ in pairs):
        return State.MISSING
    return State.PRESENT if all(found == size for found, size in pairs) else State.DAMAGED


def weight_path(settings: Settings, name: str) -> Path:
    """Find the file (or folder, for a weight of several files) of a manifest entry. No network, no hashing.

    Raises WeightsMissing if it was never pulled and WeightsCorrupt if its size is not the manifest's.
    """
    weight = load_manifest().weight(name)
    found = state(settings, weight)
    if found is State.MISSING:
        raise WeightsMissing(name=name)
    if found is State.DAMAGED:
        raise WeightsCorrupt(name=weight.file, found="of a file of another size", expected=weight.contents[0][2])
    return weights_folder(settings) / weight.file


def weight_bytes(settings: Settings, name: str) -> bytes:
    """Read the bytes of a weight of one file, compared with the manifest's hash: for formats that native code takes apart.

    What was hashed is what is used: nothing is read twice. Raises WeightsMissing, WeightsCorrupt.
    """
    path, (_, _, expected) = weight_path(settings, name), load_manifest().weight(name).contents[0]
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise WeightsCorrupt(name=path.name, found=found, expected=expected)
    return content


def check(settings: Settings, weight: Weight) -> None:
    """Read every file of the weight through and compare its hash. Raises WeightsMissing or WeightsCorrupt."""
    for path, size, expected in weight.contents:
        file = weights_folder(settings) / path
        if _size(file) is None:
            raise WeightsMissing(name=weight.name)
        found = sha256_of(file)
        if found != expected or _size(file) != size:
            raise WeightsCorrupt(name=path, found=found, expected=expected)


def sha256_of(file: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def pull_lock(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the folder's lock. The kernel drops it when the process ends, however it ends: no stale locks.

    Calls `waiting` once if another process holds it, then waits.
    """
    with (folder / ".lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _size(file: Path) -> int | None:
    """Count bytes of a regular file, None if there is none."""
    return file.stat().st_size if file.is_file() else None
