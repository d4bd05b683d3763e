"""Model files that attack whoever reads them. Each maker takes the file that its payload would make if it were run."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def pickled(mark: Path) -> bytes:
    return pickle.dumps(Payload(mark))


def torch_zip(mark: Path) -> bytes:
    out = io.BytesIO()
    torch.save({"w": Payload(mark)}, out)
    return out.getvalue()


def torch_legacy(mark: Path) -> bytes:
    out = io.BytesIO()
    torch.save({"w": Payload(mark)}, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


def torch_tar(mark: Path) -> bytes:
    """The format before 0.4: a tar of pickles."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            info = tarfile.TarInfo(name)
            info.size = len(pickled(mark))
            archive.addfile(info, io.BytesIO(pickled(mark)))
    return out.getvalue()


def npy(mark: Path) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([Payload(mark)], dtype=object), allow_pickle=True)
    return out.getvalue()


def npz(mark: Path) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, w=np.array([Payload(mark)], dtype=object))
    return out.getvalue()


def npz_of_pickles(mark: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("w.npy", pickled(mark))
    return out.getvalue()


def npy_header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npz_with(member: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", member)
    return out.getvalue()


def safetensors(header: object, length: int | None = None, body: bytes = bytes(64)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def one(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


RUNS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled, "torch's zip": torch_zip, "torch's old format": torch_legacy, "torch's tar": torch_tar,
    "an object array": npy, "an archive with an object array": npz, "an archive of pickles": npz_of_pickles,
}  # fmt: skip
LIES: dict[str, bytes] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 8,
    "a header longer than the file": safetensors({}, 1 << 62),
    "a header of a gigabyte": safetensors({}, 1 << 30),
    "overlapping tensors": safetensors({"vector": one([8], [0, 32]), "styles": one([8], [16, 48])}),
    "a tensor beyond the end": safetensors({"vector": one([1 << 40], [0, 1 << 42])}),
    "a shape that overflows": safetensors({"vector": one([1 << 62, 1 << 62], [0, 64])}),
    "a shape that is not its bytes": safetensors({"vector": one([1 << 30], [0, 64])}),
    "a negative offset": safetensors({"vector": one([8], [-32, 0])}),
    "no JSON": safetensors(b"{" * 4096),
    "JSON nested deeply": safetensors(b'{"a":' * 200_000),
    "an archive of a terabyte": npz_with(npy_header("(1, 1000000000, 512)")),
    "an archive that unpacks to too much": npz_with(npy_header("(1, 16384, 512)") + bytes(1 << 25)),
    "an archive of text": npz_with(npy_header("(1, 1, 512)", "'<U1'") + bytes(2048)),
    "an archive of records": npz_with(npy_header("(1, 1, 1)", "[('a', '<f4'), ('b', '|O')]") + bytes(64)),
    "a shape below zero": npz_with(npy_header("(1, -1, 512)") + bytes(2048)),
    "an expression for a shape": npz_with(npy_header("(__import__('os').getpid(), 1)")),
    "other tensors": save({"vector": np.zeros(3, np.float32)}),
}


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
XMLS = {
    "a billion laughs": f'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY l0 "ha">{LAUGHS}]><net><layers>&l11;</layers></net>',
    "a file's entity": '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net><layers>&x;</layers></net>',
    "a document type elsewhere": '<!DOCTYPE net SYSTEM "http://127.0.0.1:9/x.dtd"><net/>',
    "a few entities": '<!DOCTYPE net [<!ENTITY x "y">]><net><layers>&x;</layers><edges/></net>',
}


def field(number: int, value: bytes | int | str) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def onnx_with_data_in(path: str) -> bytes:
    """y = x + t, where the 64 numbers of t are said to stand in another file."""
    entries = b"".join(
        field(13, field(1, key) + field(2, value)) for key, value in {"location": path, "offset": "0", "length": "256"}.items()
    )
    tensor = field(1, 64) + field(2, 1) + field(8, "t") + entries + field(14, 1)
    kind = field(2, field(1, field(1, 1) + field(2, field(1, field(1, 64)))))
    node = field(1, "x") + field(1, "t") + field(2, "y") + field(4, "Add")
    graph = field(1, node) + field(2, "g") + field(5, tensor) + field(11, field(1, "x") + kind) + field(12, field(1, "y") + kind)
    return field(1, 7) + field(7, graph) + field(8, field(2, 13))
