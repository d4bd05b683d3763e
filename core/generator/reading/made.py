"""What the names in a published pickle stand for here: plain data, made from bytes and never larger than those bytes.

Every class checks its input and raises ModelRefused for anything that a published generator doesn't contain.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor

from core.errors import ModelRefused

STORAGES: Final = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16,
    "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
_CODES: Final = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})  # numbers, no objects
_LARGEST: Final = 2**40  # of a count in a shape; larger ones could overflow what is computed with them


class Record:
    """An object of a class that is unknown here: the class's name, and the object's state as a dict."""

    name = "object"
    state: dict[str, Any]

    def __new__(cls, *_: Any, **__: Any) -> Self:  # pickles make objects without initialising them
        record = super().__new__(cls)
        record.state = {}
        return record

    def __init__(self, name: str = "", state: dict[str, Any] | None = None) -> None:
        self.name, self.state = name or self.name, state or {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise ModelRefused(reason=f"the state of a {self.name} in it is no dictionary")
        self.state = state


class Network(Record):
    """A network of NVIDIA's TensorFlow library: variables, options, and the source code that built it, which stays text."""

    name = "Network"


class Namespace(Record):
    """The options of a training script."""

    name = "Namespace"


class Plain(dict[str, Any]):
    """A dictionary that ignores any attributes that a pickle sets on it."""

    def __setstate__(self, state: Any) -> None:
        pass


@dataclass(frozen=True)
class Storage:
    """The one-dimensional numbers that tensors are views of. On the device "meta" while they are only being counted."""

    numbers: Tensor

    @classmethod
    def of(cls, dtype: Any, content: bytes | bytearray, count: Any) -> Storage:
        """Make a storage of its bytes. Raises ModelRefused unless they are exactly as many as `count` numbers take."""
        if not isinstance(dtype, torch.dtype) or not counts((count,)) or count * dtype.itemsize != len(content):
            raise ModelRefused(reason="a tensor's numbers in it are more or fewer than it says")
        return cls(torch.frombuffer(bytearray(content), dtype=dtype) if count else torch.empty(0, dtype=dtype))


class Dtype:
    """The type of an array's numbers: made from a code such as "f4"; the byte order is set afterwards."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in _CODES:
            raise ModelRefused(reason=f"an array in it holds {str(code)[:20]!r}, which is no number")
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise ModelRefused(reason="an array in it is malformed")
        self.order = "<" if state[1] in "|=" else state[1]

    def array(self, data: Any, shape: Any, fortran: bool = False) -> np.ndarray:
        """Make an array of that shape from bytes. Raises ModelRefused unless there are exactly as many as it takes."""
        data = data.encode("latin1") if isinstance(data, str) else data
        dtype = np.dtype(self.order + self.code)
        if not isinstance(data, bytes | bytearray) or not isinstance(shape, tuple) or not counts(shape):
            raise ModelRefused(reason="an array in it is malformed")
        if prod(shape) * dtype.itemsize != len(data):
            raise ModelRefused(reason=f"an array in it is said to be of shape {list(shape)} and has {len(data)} bytes")
        return np.frombuffer(bytes(data), dtype).reshape(shape, order="F" if fortran else "C")


class Pending:
    """An array under construction: pickles make an empty one and set its state afterwards."""

    array: np.ndarray | None = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise ModelRefused(reason="an array in it is malformed")
        _, shape, dtype, fortran, data = state
        self.array = _dtype(dtype).array(data, shape, bool(fortran))


def counts(numbers: Any) -> bool:
    """Tell whether all are whole numbers, 0 or more, that a shape may contain."""
    return all(type(number) is int and 0 <= number < _LARGEST for number in numbers)


def _dtype(given: Any) -> Dtype:
    if not isinstance(given, Dtype):
        raise ModelRefused(reason="an array in it is malformed")
    return given


def scalar(dtype: Any, data: Any) -> float | int:
    """Make a plain number from numpy's scalar: its type and its bytes. Raises ModelRefused."""
    number: float | int = _dtype(dtype).array(data, ()).item()
    return number


def from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """Make an array as pickle protocol 5 writes it: one buffer of bytes, in C or Fortran order. Raises ModelRefused."""
    return _dtype(dtype).array(data, shape, order == "F")


def encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """Make bytes as pickle protocol 2 writes them, which has no type of bytes: as latin-1 text. Raises ModelRefused."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ModelRefused(reason="bytes in it are malformed")
    return text.encode("latin1")


def tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Make a tensor from a view of a storage. It is a copy, so that no two tensors share numbers.

    Raises ModelRefused if the view leaves the storage or has more numbers than it.
    """
    if not isinstance(storage, Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise ModelRefused(reason="a tensor in it is malformed")
    if len(size) != len(stride) or not counts((offset, *size, *stride)):
        raise ModelRefused(reason="a tensor in it is malformed")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    have = len(storage.numbers)
    if prod(size) > have or (prod(size) and last >= have):
        raise ModelRefused(reason=f"a tensor in it is said to be of shape {list(size)} and has {have} numbers")
    return torch.as_strided(storage.numbers, size, stride, offset).clone()


def parameter(data: Any, *_: Any) -> Tensor:
    """Return the tensor of a torch parameter. Raises ModelRefused."""
    if not isinstance(data, Tensor):
        raise ModelRefused(reason="a parameter in it is no tensor")
    return data


def persistent_object(meta: Any) -> Record:
    """Make a Record of an object that was stored with its class's source code (NVIDIA's persistence). The code is dropped."""
    if not isinstance(meta, dict) or not isinstance(meta.get("class_name"), str) or not isinstance(meta.get("state"), dict):
        raise ModelRefused(reason="an object in it is malformed")
    return Record(meta["class_name"], meta["state"])


def reconstructed(cls: Any, *_: Any) -> Any:
    """Make an object as the oldest pickle protocols do. Raises ModelRefused unless its class is Plain or Network."""
    if not isinstance(cls, type) or not issubclass(cls, Plain | Network):
        raise ModelRefused(reason="an object in it is malformed")
    return cls()
