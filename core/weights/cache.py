"""The cache folder: which weights are there, whether they are complete, and a lock for one pull at a time.

A file gets its final name, by `os.replace` on the same disk, only after its hash was checked. So a file with the right name
and size is the right file unless the disk or a person changed it; `check` reads it all to be sure.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import WeightsCorrupt, WeightsMissing
from core.weights.manifest import Weight, load_manifest

if TYPE_CHECKING:
    from core.settings import Settings

CHUNK = 1 << 20


class State(StrEnum):
    """The state of a weight, judged without reading its files."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"  # there, but of another size


def weights_folder(settings: Settings) -> Path:
    """Return the folder below EGAO_CACHE for the weights. It need not exist."""
    return settings.cache / "weights"


def state(settings: Settings, weight: Weight) -> State:
    """Judge a weight by its files' names and sizes only; this takes microseconds, for every start."""
    pairs = [(_size(weights_folder(settings) / path), size) for path, size, _ in weight.contents]
    if any(found is None for found, _ in pairs):
        return State.MISSING
    return State.PRESENT if all(found == size for found, size in pairs) else State.DAMAGED


def weight_path(settings: Settings, name: str) -> Path:
    """Return the file of a manifest entry (a folder, if it has several files). No network, no hashing.

    Raises WeightsMissing if it was never pulled, and WeightsCorrupt if its size is not the manifest's.
    """
    weight = load_manifest().weight(name)
    found = state(settings, weight)
    if found is State.MISSING:
        raise WeightsMissing(name=name)
    if found is State.DAMAGED:
        raise WeightsCorrupt(name=weight.file, found="of a file of another size", expected=weight.contents[0][2])
    return weights_folder(settings) / weight.file


def weight_bytes(settings: Settings, name: str) -> bytes:
    """Read a weight of one file and check its hash, for formats that native code parses. Raises WeightsMissing, WeightsCorrupt.

    The bytes that were hashed are those returned: nothing is read twice.
    """
    path, (_, _, expected) = weight_path(settings, name), load_manifest().weight(name).contents[0]
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise WeightsCorrupt(name=path.name, found=found, expected=expected)
    return content


def check(settings: Settings, weight: Weight) -> None:
    """Read every file of the weight and check its hash. Raises WeightsMissing or WeightsCorrupt."""
    for path, size, expected in weight.contents:
        file = weights_folder(settings) / path
        if _size(file) is None:
            raise WeightsMissing(name=weight.name)
        found = sha256_of(file)
        if found != expected or _size(file) != size:
            raise WeightsCorrupt(name=path, found=found, expected=expected)


def sha256_of(file: Path) -> str:
    """Compute the sha256 of a file as hex digits, reading it in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def pull_lock(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the folder's lock inside the block. The kernel releases it when the process ends, so no lock is left behind.

    If another process holds it, `waiting` is called once, then it waits.
    """
    with (folder / ".lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _size(file: Path) -> int | None:
    """Return the bytes of a regular file; None if there is none."""
    return file.stat().st_size if file.is_file() else None
