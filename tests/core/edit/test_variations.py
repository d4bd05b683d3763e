"""A smile with hidden or shown teeth: options of the smile's command, put on along their own directions, taken off as it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner

from core.cli import app
from core.composite.motion import mouth_gap
from core.edit import NEUTRAL, Editor, Models, Variant
from core.edit.photo_editor import KnownFace, PhotoEditor
from core.edit.trials import Trials
from core.errors import BadSetting
from core.expressions import Strength, default, load, names, names_with_variations, variations
from core.generator import seed_w
from core.settings import Settings

pytestmark = pytest.mark.usefixtures("_drawn_once")

HIDDEN, SHOWN = (load(variations(default().name)[teeth]) for teeth in ("hidden", "shown"))
AT_REST, OPEN = 5012, 5003  # seeds at truncation 0.7: smile scores 0.00 and 0.69


@pytest.fixture(scope="module")
def photos(settings: Settings) -> Iterator[PhotoEditor]:
    models = Models(settings)
    yield PhotoEditor(Editor(models))
    models.finder.close()


def drawn(photos: PhotoEditor, seed: int) -> KnownFace:
    generator = photos.editor.models.generator
    return KnownFace(generator.broadcast(seed_w(generator, [seed])).numpy().copy())


def of(photos: PhotoEditor, one: Variant) -> tuple[float, float]:
    """The smile's score of a picture, and how far its lips are apart in shares of its side."""
    face = photos.editor.models.finder.aligned(one.pixels)
    assert face is not None
    return default().of(face.blendshapes), mouth_gap(face.landmarks.astype(np.float64)) / len(one.pixels)


def test_its_lips_stay_together_where_a_smile_parts_them(photos: PhotoEditor) -> None:
    face = photos.learn(drawn(photos, AT_REST), HIDDEN)
    (smile,), (hidden,) = (photos.pictures(face, [2.0], one) for one in (default(), HIDDEN))
    (shown, gap), (also, none) = of(photos, smile), of(photos, hidden)
    assert min(shown, also) > 0.5
    assert none < 0.3 * gap


def test_its_teeth_show_where_a_smile_covers_them(photos: PhotoEditor) -> None:
    face = photos.learn(drawn(photos, AT_REST), SHOWN)
    (smile,), (shown,) = (photos.pictures(face, [1.0], one) for one in (default(), SHOWN))
    (score, gap), (also, more) = of(photos, smile), of(photos, shown)
    assert shown.told is None
    assert also > 0.8 * score, "it is a smile still"
    assert more > 1.5 * gap
    assert more > 0.015, "of the picture's side: a row of teeth, not a line"


def test_what_takes_it_off_is_its_main_expression(photos: PhotoEditor) -> None:
    face = photos.learn(drawn(photos, OPEN), HIDDEN)
    asked: list[Strength] = [NEUTRAL, 0.5]
    off, mine = photos.pictures(face, asked, default()), photos.pictures(face, asked, HIDDEN)
    assert [(one.expression.name, one.step) for one in mine[:1]] == [(default().name, one.step) for one in off[:1]]
    assert mine[1].expression == HIDDEN
    assert of(photos, mine[0])[0] < 0.2


def test_it_has_its_main_expressions_words_and_no_command() -> None:
    assert HIDDEN.name in names_with_variations()
    assert HIDDEN.name not in names()
    assert HIDDEN.said("fr") == default().said("fr")


@pytest.mark.parametrize("off", [["--neutral"], ["--strength=-0.5"], ["--animate"]])
def test_the_command_line_puts_it_on_alone(off: list[str], astronaut_path: str) -> None:
    result = CliRunner().invoke(app, ["edit", str(astronaut_path), "--expression", HIDDEN.name, *off])
    assert isinstance(result.exception, BadSetting)
    assert f"to take it off, use {default().name}" in str(result.exception)


def test_a_trial_that_parts_the_lips_is_none(photos: PhotoEditor) -> None:
    """So nothing is taken off a face by opening its mouth."""
    face = drawn(photos, AT_REST)
    picture = photos.editor.reconstructed(face.latent)
    trials = Trials(photos.editor, face.latent, default(), picture)
    assert trials.at(2.0) is not None
    assert trials.at(2.0, parting=False) is None
    assert trials.at(-0.5, parting=False) is not None
