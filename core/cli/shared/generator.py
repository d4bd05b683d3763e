"""The option `--generator`, which commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from core.settings import Settings

GeneratorOption = Annotated[
    str | None, typer.Option("--generator", help="a generator's name, see: egao models list; EGAO_GENERATOR if not given")
]


def settings_for(generator: str | None) -> Settings:
    """Load the settings, with this generator in place of theirs unless it is None. Raises BadSetting."""
    settings = Settings.load()
    return settings if generator is None else settings.model_copy(update={"generator": generator})
