"""The files that `egao edit` writes: their kind and their names; existing files are not overwritten unless forced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from core.cli.shared.folder import make_folder
from core.errors import BadOption, WouldOverwrite
from core.faces import Photo
from core.photo_names import is_photo_name
from core.pictures import SUFFIXES, Credentials, PictureKind, Source, encode

OWN: Final = "own"  # the kind that the photo is of


def photos_of(given: Iterable[Path]) -> list[Path]:
    """List the given files, and the photos in the given folders, each once; those of a folder are sorted by path.

    Raises BadOption for a folder without any.
    """
    found: dict[Path, None] = {}
    for one in given:
        inside = [one] if not one.is_dir() else sorted(file for file in one.rglob("*") if _is_photo(file, one))
        if not inside:
            raise BadOption(name="PHOTOS", reason=f"no photo is in the folder {one}")
        found |= dict.fromkeys(inside)
    return list(found)


def _is_photo(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return is_photo_name(file.name) and not hidden and file.is_file()


def checked_format(name: str) -> str:
    """Check the value of `--format` and return its kind. Raises BadOption."""
    for kind, suffix in SUFFIXES.items():
        if name.lower() in (kind, suffix):
            return kind
    if name.lower() != OWN:
        raise BadOption(name="--format", reason=f"{name!r} is none of {OWN}, {', '.join(SUFFIXES)}")
    return OWN


def kind_for(photo: Photo, asked: str) -> PictureKind:
    """Choose the kind of a photo's results for a checked value of `--format`."""
    return photo.manner.own if asked == OWN else next(kind for kind in SUFFIXES if kind == asked)


class Folder:
    """The folder for results, with names that distinguish photos of the same name."""

    def __init__(self, out: Path, *, force: bool, credentials: Credentials | None = None) -> None:
        """`credentials` sign the pictures that are written."""
        self._out, self._force, self.credentials = out, force, credentials
        self._stems: dict[str, Path] = {}  # by name, without regard to case: which photo's it is

    @cached_property
    def out(self) -> Path:
        """The folder, created when it is first written into."""
        return make_folder(self._out)

    def stem(self, photo: Path) -> str:
        """Return how the names of a photo's results begin: with its own name.

        If another photo has that name, its folder's name comes before it.
        """
        return next(name for name in _names(photo) if self._stems.setdefault(name.lower(), photo) == photo)

    def check(self, names: Iterable[str]) -> None:
        """Check that none of these files exists, unless overwriting is allowed. Raises WouldOverwrite."""
        for name in () if self._force else names:
            if (self._out / name).exists():
                raise WouldOverwrite(file=self._out / name)

    def put(self, name: str, content: bytes) -> Path:
        """Write a file that accompanies the pictures, and return its path.

        If the name is taken by other content, a number is added.
        """
        base = Path(name)
        for count in range(1, 10_000):
            file = self.out / (name if count == 1 else f"{base.stem}-{count}{base.suffix}")
            if self._force or not file.exists() or file.read_bytes() == content:
                break
        file.write_bytes(content)
        return file

    def write(
        self, name: str, pixels: np.ndarray, kind: PictureKind, photo: Photo | None = None, source: Source = "edited"
    ) -> Path:
        """Encode a picture into the folder and return its path. With the `photo`, its colours and transparency are kept."""
        file = self.out / f"{name}.{SUFFIXES[kind]}"
        whole = pixels if photo is None else photo.finished(pixels)
        manner = None if photo is None else photo.manner
        file.write_bytes(encode(whole, kind, source=source, manner=manner, credentials=self.credentials))
        return file


def _names(photo: Path) -> Iterator[str]:
    folder = photo.absolute().parent.name
    yield photo.stem
    yield f"{folder}-{photo.stem}"
    for number in range(2, 100_000):
        yield f"{folder}-{photo.stem}-{number}"
