"""The trained parts of each generator: labels of seeds, directions, starts, and networks of the fast projection.

Each generator has a folder of its own, found by its digest: for parts made on this machine in EGAO_HOME/generators/NAME, for
parts that ship in data/generators/NAME. Parts made on the machine take precedence. `generator.toml` in each folder tells
whose parts it holds:

    directions/NAME.safetensors    egao directions fit
    seeds/labels.npz               egao seeds export; with --class 3: seeds/labels-3.npz
    starts/seeds.safetensors       egao train starts
    starts/average.safetensors     comes with egao: what `w_statistics` computes in a second
    fast/preview-head.safetensors  egao train preview-head
    fast/encoder.safetensors       egao train encoder
    fast/curvature.safetensors     egao train curvature
    reach/maps.safetensors         egao train maps
    curves/NAME.safetensors        egao train curves
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from core.untrusted import read_as_data

if TYPE_CHECKING:
    from core.settings import Settings

SHIPPED: Final = Path(str(files("data"))) / "generators"
ABOUT: Final = "generator.toml"
LABELS, STARTS, MAPS = "seeds/labels.npz", "starts/seeds.safetensors", "reach/maps.safetensors"
AVERAGE: Final = "starts/average.safetensors"
FAST: Final = "fast"  # folder of the networks of the fast projection
PREVIEW, ENCODER, CURVATURE = "preview-head.safetensors", "encoder.safetensors", "curvature.safetensors"
CURVES: Final = "curves/{}.safetensors"  # of the expression of that name
DIRECTION: Final = "directions/{}.safetensors"  # of the direction of that name


class Named(Protocol):
    """Anything with a generator's name and digest: the generator itself, or an `Installed` entry."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...


def made_in(settings: Settings) -> Path:
    """Return the folder in EGAO_HOME with one folder for each generator. It need not exist."""
    return settings.home / "generators"


def read_about(folder: Path) -> dict[str, str]:
    """Read `generator.toml` in a folder, every value as text; {} if there is none. Raises ModelUnreadable."""
    file = folder / ABOUT
    if not file.is_file():
        return {}
    with read_as_data(str(file)):
        return {key: str(value) for key, value in tomllib.loads(file.read_text("utf-8")).items()}


def write_about(folder: Path, about: dict[str, str]) -> None:
    """Write `generator.toml` atomically. Values must contain no quotes, backslashes or line breaks."""
    assert not any(set(value) & set('"\\\n\r') for value in about.values()), about
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{ABOUT}.part"
    part.write_text("".join(f'{key} = "{value}"\n' for key, value in about.items()), encoding="utf-8")
    part.replace(folder / ABOUT)


def find_made(settings: Settings, digest: str) -> Path | None:
    """Find the folder with the parts made on this machine for the generator of this digest; None if there is none."""
    return _folder_of(made_in(settings), digest)


def shipped_folder(digest: str) -> Path | None:
    """Find the folder of data/generators whose generator.toml names this digest (`Generator.digest`); None if there is none.

    Raises ModelUnreadable for a generator.toml that is no TOML.
    """
    return _folder_of(SHIPPED, digest)


def _folder_of(root: Path, digest: str) -> Path | None:
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return next((folder for folder in folders if read_about(folder).get("digest") == digest), None)


def find_part(settings: Settings, whose: Named, part: str) -> Path | None:
    """Find the file of a part such as `fast/encoder.safetensors`; None if it was never made for this generator."""
    for folder in (find_made(settings, whose.digest), shipped_folder(whose.digest)):
        if folder is not None and (folder / part).is_file():
            return folder / part
    return None


def made_folder(settings: Settings, whose: Named) -> Path:
    """Return the folder on this machine for parts of this generator, created if it is missing."""
    if (found := find_made(settings, whose.digest)) is not None:
        return found
    folder = made_in(settings) / whose.name
    if folder.exists():  # of another generator of that name
        folder = folder.with_name(f"{whose.name}-{whose.digest[:8]}")
    write_about(folder, {"name": whose.name, "digest": whose.digest})
    return folder
