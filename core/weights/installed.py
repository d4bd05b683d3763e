"""The generators on this machine: the one that `egao models pull` brings, and those that `egao models import` converted.

Imported weights lie beside the parts trained for them, in EGAO_HOME/generators/NAME/generator.safetensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import NoSuchGenerator, WeightsMissing
from core.settings import Settings
from core.weights.cache import weight_path
from core.weights.manifest import load_manifest
from core.weights.parts import made_in, read_about

DEFAULT: Final = "mobilestylegan-ffhq"  # needs nothing of the user's
WEIGHTS: Final = "generator.safetensors"


@dataclass(frozen=True)
class Installed:
    """A generator that can be chosen by its name."""

    name: str
    digest: str  # sha256 of the weights file
    file: Path  # safetensors; the default's may not have been pulled yet
    source: str  # where it came from, in words


def installed(settings: Settings) -> list[Installed]:
    """List every generator that `--generator` and EGAO_GENERATOR take, the default first. Loads nothing."""
    weight = load_manifest().weight("generator")
    found = [Installed(DEFAULT, load_manifest().generator_digest, settings.cache / "weights" / weight.file, "egao models pull")]
    root = made_in(settings)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        about = read_about(folder)
        if about and (folder / WEIGHTS).is_file():
            found.append(Installed(about["name"], about["digest"], folder / WEIGHTS, about.get("source", "")))
    return found


def chosen(settings: Settings) -> Installed:
    """Find the generator that the settings name. Reads no weights, only whether they are there.

    Raises NoSuchGenerator, WeightsMissing, and WeightsCorrupt where the file's size is wrong.
    """
    known = installed(settings)
    for entry in known:
        if entry.name == settings.generator:
            if entry.name == DEFAULT:
                weight_path(settings, "generator")
            elif not entry.file.is_file():
                raise WeightsMissing(name=entry.name)
            return entry
    raise NoSuchGenerator(name=settings.generator, known=", ".join(entry.name for entry in known))


def chosen_digest(settings: Settings) -> str:
    """Find the digest of the generator that the settings name, whether or not its weights are there. Raises NoSuchGenerator."""
    for entry in installed(settings):
        if entry.name == settings.generator:
            return entry.digest
    raise NoSuchGenerator(name=settings.generator, known=", ".join(entry.name for entry in installed(settings)))
