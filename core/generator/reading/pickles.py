"""An unpickler that makes data and runs nothing.

A pickle is a program: it names functions and classes, calls them, and sets the state of the results. Here each name that a
published generator needs stands for a function or class of core.generator.reading.made; any other name stops the reading. A
pickle can't change what it is given: functions are wrapped, and classes are made anew for each pickle.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import IO, Any, Final, NoReturn

import torch

from core.errors import ModelRefused
from core.generator.reading import made
from core.generator.reading.made import Network, Pending, Plain, Record, Storage

__all__ = ["DataUnpickler", "Record", "read_legacy", "settled"]

_LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C  # the first of the five pickles of torch's older format
_DEEPEST: Final = 64  # levels of nesting
_NAMES: Final = ("object", "dict", "ndarray")  # that are only handed on, never called


class _Call:
    """A function that a pickle may call; it has no attributes to set."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise ModelRefused(reason="it tries to change what reads it")

    def __setstate__(self, state: Any) -> NoReturn:
        raise ModelRefused(reason="it tries to change what reads it")


_FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("collections", "OrderedDict"): Plain,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): made.persistent_object,
    ("torch._utils", "_rebuild_tensor_v2"): made.tensor,
    ("torch._utils", "_rebuild_tensor"): made.tensor,
    ("torch._utils", "_rebuild_parameter"): made.parameter,
    ("torch.storage", "_load_from_bytes"): lambda content: _storage(content),
    ("_codecs", "encode"): made.encoded,
    ("numpy", "dtype"): made.Dtype,
    ("numpy.core.multiarray", "_reconstruct"): Pending,
    ("numpy.core.multiarray", "scalar"): made.scalar,
    ("numpy.core.numeric", "_frombuffer"): made.from_buffer,
    ("copyreg", "_reconstructor"): made.reconstructed,
    ("builtins", "set"): set,
}
_CLASSES: Final[dict[tuple[str, str], type]] = {
    ("dnnlib.util", "EasyDict"): Plain,
    ("dnnlib", "EasyDict"): Plain,
    ("dnnlib.tflib.network", "Network"): Network,
    ("tfutil", "Network"): Network,
    ("argparse", "Namespace"): made.Namespace,
}


class DataUnpickler(pickle.Unpickler):
    """An unpickler for one pickle. It raises ModelRefused at the first name that is not in the lists above."""

    def __init__(self, file: IO[bytes], storages: Callable[[Any], Storage] | None = None) -> None:
        """Prepare to read `file`.

        `storages` returns the numbers for a persistent id of torch; None for files without such ids.
        """
        super().__init__(file, encoding="latin1")
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        module = {"copy_reg": "copyreg", "__builtin__": "builtins"}.get(module, module).replace("numpy._core", "numpy.core")
        if module == "torch" and name in made.STORAGES:
            return made.STORAGES[name]
        if module in ("builtins", "numpy") and name in _NAMES:
            return name
        if (module, name) in _FUNCTIONS:
            return _Call(_FUNCTIONS[module, name])
        if (module, name) in _CLASSES:
            return type(name, (_CLASSES[module, name],), {})
        raise ModelRefused(reason=f"it asks for {module[:60]}.{name[:60]}, which no generator needs")

    def persistent_load(self, pid: Any) -> Storage:
        if self._storages is None:
            raise ModelRefused(reason="it refers to something outside of the file")
        return self._storages(pid)


def _storage(content: Any) -> Storage:
    """Read a storage inside a plain pickle: a file of torch's older format, which torch itself would unpickle without limits."""
    found = read_legacy(io.BytesIO(content)) if isinstance(content, bytes) else None
    if not isinstance(found, Storage):
        raise ModelRefused(reason="a tensor in it is malformed")
    return found


def storage_id(pid: Any) -> tuple[Any, str, int]:
    """Parse a persistent id of torch: (dtype, key, number of elements). Raises ModelRefused for other ids."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or not made.counts((pid[4],)):
        raise ModelRefused(reason="it refers to something that is no tensor")
    if len(pid) == 6 and pid[5] is not None:
        raise ModelRefused(reason="a tensor in it is malformed")
    return pid[1], str(pid[2]), pid[4]


def read_legacy(file: IO[bytes]) -> Any:
    """Read torch's older format: five pickles, then the numbers of each storage after their count (8 bytes).

    The pickle with the tensors comes before their numbers, so it is read twice: first only to count. Raises ModelRefused.
    """

    if DataUnpickler(file).load() != _LEGACY_MAGIC or DataUnpickler(file).load() != 1001:
        raise ModelRefused(reason="it is of no version of torch's format that is known")
    DataUnpickler(file).load()  # the byte order and sizes of the machine; torch writes little ends everywhere
    begin, wanted = file.tell(), dict[str, tuple[Any, int]]()

    def count(pid: Any) -> Storage:
        dtype, key, number = storage_id(pid)
        wanted[key] = dtype, number
        return Storage(torch.empty(number, dtype=dtype, device="meta"))

    DataUnpickler(file, count).load()
    keys, found = DataUnpickler(file).load(), dict[str, Storage]()
    for key in keys if isinstance(keys, list) else ():
        if key not in wanted:
            raise ModelRefused(reason="a tensor in it is malformed")
        dtype, number = wanted[key]
        if int.from_bytes(file.read(8), "little") != number:
            raise ModelRefused(reason="a tensor's numbers in it are more or fewer than it says")
        found[key] = Storage.of(dtype, file.read(number * dtype.itemsize), number)
    refuse_more(file)
    file.seek(begin)

    def take(pid: Any) -> Storage:
        _, key, _ = storage_id(pid)
        if key not in found:
            raise ModelRefused(reason="a tensor's numbers are missing from it")
        return found[key]

    return DataUnpickler(file, take).load()


def refuse_more(file: IO[bytes]) -> None:
    """Raise ModelRefused unless a file has been read to its end: what stands there is read by nobody, and so hides."""
    if file.read(1):
        raise ModelRefused(reason="there is more in it behind its end")


def settled(tree: Any) -> Any:
    """Replace every array under construction in a tree by the finished array. Raises ModelRefused for too deep a tree."""
    return _settled(tree, {}, 0)


def _settled(tree: Any, done: dict[int, Any], depth: int) -> Any:
    """Settle a tree, each part once (`done`, by identity): a tree may contain itself, or double at each level."""
    if id(tree) in done:
        return done[id(tree)]
    if depth > _DEEPEST:
        raise ModelRefused(reason="what it holds is nested too deeply")
    if isinstance(tree, Pending):
        done[id(tree)] = tree.array
    elif isinstance(tree, Record):
        record = done[id(tree)] = Record(tree.name)
        record.state = _settled(tree.state, done, depth + 1)
    elif isinstance(tree, dict):
        found: dict[Any, Any] = {}
        done[id(tree)] = found
        found.update((key, _settled(value, done, depth + 1)) for key, value in tree.items())
    elif isinstance(tree, list):
        row: list[Any] = []
        done[id(tree)] = row
        row.extend(_settled(value, done, depth + 1) for value in tree)
    elif isinstance(tree, tuple):
        done[id(tree)] = tuple(_settled(value, done, depth + 1) for value in tree)
    else:
        return tree
    return done[id(tree)]
