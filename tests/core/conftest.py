"""What tests of several of core's packages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.edit import Editor, Models
from core.faces import FaceFinder
from core.generator import Generator
from core.settings import Settings


@pytest.fixture(scope="module")
def editor(settings: Settings, generator: Generator) -> Iterator[Editor]:
    """An editor over the generator that all tests share, with a finder of its own."""
    models = Models(settings)
    models.__dict__.update(generator=generator)
    with FaceFinder(settings) as finder:
        models.__dict__.update(finder=finder)
        yield Editor(models)
