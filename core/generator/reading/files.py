"""Recognises the container of a published file and reads its content."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any, Final

from core.errors import EgaoError, ModelRefused
from core.generator.reading.made import Storage
from core.generator.reading.pickles import DataUnpickler, read_legacy, refuse_more, settled, storage_id

LARGEST: Final = 4 * 2**30  # bytes of a file; the largest published one, with its discriminator, takes 0.4 GB
_LEGACY_START: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled number that torch's older format begins with
_ZIP_END: Final = b"PK\x05\x06"  # what the last record of a zip file begins with
_ZIP_END_BYTES: Final = 22  # of that record, without a comment: torch writes none


def read_published(file: Path) -> Any:
    """Read the dicts, lists, numbers, arrays, tensors and Records of a published model file.

    Raises ModelRefused for a file of another kind, one that asks for more than data, or one that claims to be larger than it
    is; OSError if the disk fails.
    """
    if file.stat().st_size > LARGEST:
        raise ModelRefused(reason="it is larger than any published generator")
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_LEGACY_START))
            stream.seek(0)
            if start[:4] == b"PK\x03\x04":
                tree = _read_zip(file)
            elif start == _LEGACY_START:
                tree = read_legacy(stream)
            else:
                tree = DataUnpickler(stream).load()
                refuse_more(stream)
            return settled(tree)
    except EgaoError:
        raise
    except Exception as error:  # a pickle of hostile bytes raises anything, MemoryError and RecursionError among it
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ModelRefused(reason=f"it is no model file that is known ({type(error).__name__})") from error


def _read_zip(file: Path) -> Any:
    """Read torch's newer format: data.pkl, and the numbers of each storage in an uncompressed member of its own."""
    with zipfile.ZipFile(file) as archive, file.open("rb") as whole:
        whole.seek(-_ZIP_END_BYTES, os.SEEK_END)
        if whole.read(4) != _ZIP_END:  # zipfile has found it further up
            raise ModelRefused(reason="there is more in it behind its end")
        members = {member.filename: member for member in archive.infolist()}
        if any(member.file_size != member.compress_size for member in members.values()):
            raise ModelRefused(reason="it holds compressed parts, which torch never writes")
        tops = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(tops) != 1:
            raise ModelRefused(reason="it is a zip file, but none of torch's")
        for name in members:
            if name != tops[0] and name.endswith((".pkl", ".py")):
                raise ModelRefused(reason=f"it holds {name[:60]}, which no generator needs")
        folder, found = tops[0].removesuffix("data.pkl"), dict[str, Storage]()

        def take(pid: Any) -> Storage:
            dtype, key, count = storage_id(pid)
            if key not in found:
                name = f"{folder}data/{key}"
                if name not in members:
                    raise ModelRefused(reason="a tensor's numbers are missing from it")
                found[key] = Storage.of(dtype, archive.read(name), count)
            return found[key]

        with archive.open(tops[0]) as stream:
            tree = DataUnpickler(stream, take).load()
            refuse_more(stream)
            return tree
