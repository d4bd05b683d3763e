"""The generators on this machine: the default one, from `egao models pull`, and those from `egao models import`.

Imported weights are kept beside the parts trained for them, in EGAO_HOME/generators/NAME/generator.safetensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import NoSuchGenerator, WeightsMissing
from core.expressions import default
from core.settings import Settings
from core.weights.cache import weight_path
from core.weights.manifest import load_manifest
from core.weights.parts import CURVATURE, DIRECTION, ENCODER, FAST, STARTS, find_part, made_in, read_about

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
    """List every generator that `--generator` and EGAO_GENERATOR accept, the default first. Loads no weights."""
    weight = load_manifest().weight("generator")
    found = [Installed(DEFAULT, load_manifest().generator_digest, settings.cache / "weights" / weight.file, "egao models pull")]
    root = made_in(settings)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        about = read_about(folder)
        if about and (folder / WEIGHTS).is_file():
            found.append(Installed(about["name"], about["digest"], folder / WEIGHTS, about.get("source", "")))
    return found


def with_digest(settings: Settings, digest: str) -> Installed:
    """Find the generator of this digest. Raises NoSuchGenerator."""
    known = installed(settings)
    for entry in known:
        if entry.digest == digest:
            return entry
    raise NoSuchGenerator(name=digest[:12], known=", ".join(entry.name for entry in known))


def offered(settings: Settings) -> list[Installed]:
    """List the generators that have all that the bot needs of one: what `fast` needs, and the default expression's direction."""
    direction = DIRECTION.format(default().move.direction)
    needed = ((f"{FAST}/{CURVATURE}",), (f"{FAST}/{ENCODER}", STARTS), (direction,))  # one of each
    return [
        entry
        for entry in installed(settings)
        if entry.file.is_file() and all(any(find_part(settings, entry, part) for part in parts) for parts in needed)
    ]


def chosen(settings: Settings) -> Installed:
    """Find the generator that the settings name, without reading its weights.

    Raises NoSuchGenerator, WeightsMissing, and WeightsCorrupt if the default's file has the wrong size.
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
    """Return the digest of the generator that the settings name, even if its weights are missing. Raises NoSuchGenerator."""
    for entry in installed(settings):
        if entry.name == settings.generator:
            return entry.digest
    raise NoSuchGenerator(name=settings.generator, known=", ".join(entry.name for entry in installed(settings)))
