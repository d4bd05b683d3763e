"""The options `--generator` and `--class`, which commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from core.errors import BadOption
from core.generator import Generator, load_generator
from core.generator.protocol import LabelledGenerator
from core.settings import Settings

GeneratorOption = Annotated[
    str | None, typer.Option("--generator", help="a generator's name, see: egao models list; EGAO_GENERATOR if not given")
]

ClassOption = Annotated[
    int | None,
    typer.Option("--class", min=0, help="which class, of a generator trained with labels; if not given, 0"),
]


def settings_for(generator: str | None) -> Settings:
    """Load the settings, with this generator in place of theirs unless it is None. Raises BadSetting."""
    settings = Settings.load()
    return settings if generator is None else settings.model_copy(update={"generator": generator})


def generator_of(settings: Settings, label: int | None) -> Generator:
    """Load the generator that the settings name; it draws the class `label`, or if that is None, the one that it was kept with.

    Raises BadOption for a class that it doesn't have, and what `load_generator` raises.
    """
    generator = load_generator(settings)
    if label is None:
        return generator
    if not isinstance(generator, LabelledGenerator) or not generator.label_dim:
        raise BadOption(name="--class", reason=f"the generator {generator.name} was trained without labels, so it has no classes")
    if label >= generator.label_dim:
        known = f"those of the generator {generator.name} are 0 to {generator.label_dim - 1}"
        raise BadOption(name="--class", reason=f"there is no class {label}; {known}")
    generator.label = label
    return generator
