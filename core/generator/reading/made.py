"""What the names in a published pickle stand for here: plain data, made from bytes and never larger than those are.

Every class checks what it is given and raises ModelRefused for anything that a published generator doesn't hold.
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
    """An object of a class that is not known here: the class's name, and what the object held."""

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
    """A dictionary whose attributes, if it is given any, are dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


@dataclass(frozen=True)
class Storage:
    """The numbers that tensors are views of, one-dimensional. On the device "meta" while they are only counted."""

    numbers: Tensor

    @classmethod
    def of(cls, dtype: Any, content: bytes | bytearray, count: Any) -> Storage:
        """Make a storage of its bytes. Raises ModelRefused where there are more or fewer than it says."""
        if not isinstance(dtype, torch.dtype) or not counts((count,)) or count * dtype.itemsize != len(content):
            raise ModelRefused(reason="a tensor's numbers in it are more or fewer than it says")
        return cls(torch.frombuffer(bytearray(content), dtype=dtype) if count else torch.empty(0, dtype=dtype))


class Dtype:
    """The kind of an array's numbers: made from a code such as "f4", then told the byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in _CODES:
            raise ModelRefused(reason=f"an array in it holds {str(code)[:20]!r}, which is no number")
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise ModelRefused(reason="an array in it is malformed")
        self.order = "<" if state[1] in "|=" else state[1]

    def array(self, data: Any, shape: Any, fortran: bool = False) -> np.ndarray:
        """Numbers in an array of that shape. Raises ModelRefused unless the bytes are exactly as many as that takes."""
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
    """Tell whether all are whole numbers that a shape may hold."""
    return all(type(number) is int and 0 <= number < _LARGEST for number in numbers)


def _dtype(given: Any) -> Dtype:
    if not isinstance(given, Dtype):
        raise ModelRefused(reason="an array in it is malformed")
    return given


def scalar(dtype: Any, data: Any) -> float | int:
    """Make one number of numpy's."""
    number: float | int = _dtype(dtype).array(data, ()).item()
    return number


def from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """Make an array [shape] of numpy's, as pickle protocol 5 writes it: one buffer of bytes, in C or Fortran order."""
    return _dtype(dtype).array(data, shape, order == "F")


def encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """Make bytes of the second protocol, which has none of its own."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ModelRefused(reason="bytes in it are malformed")
    return text.encode("latin1")


def tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Make a tensor of a view that stays inside its storage and repeats nothing; a copy, so that no two share numbers."""
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
    """Make a trained tensor."""
    if not isinstance(data, Tensor):
        raise ModelRefused(reason="a parameter in it is no tensor")
    return data


def persistent_object(meta: Any) -> Record:
    """Make an object that was kept with its class's source code (NVIDIA's torch_utils.persistence). The code is dropped."""
    if not isinstance(meta, dict) or not isinstance(meta.get("class_name"), str) or not isinstance(meta.get("state"), dict):
        raise ModelRefused(reason="an object in it is malformed")
    return Record(meta["class_name"], meta["state"])


def reconstructed(cls: Any, *_: Any) -> Any:
    """Make an object of the oldest protocols."""
    if not isinstance(cls, type) or not issubclass(cls, Plain | Network):
        raise ModelRefused(reason="an object in it is malformed")
    return cls()
