"""A smile with other teeth, put on along its own direction and taken off as it is; or with other eyes, in the photo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from core.cli import app
from core.composite import Original
from core.composite.mesh import BROW_ROWS
from core.composite.motion import mouth_gap
from core.edit import NEUTRAL, Editor, Models, Variant
from core.edit.photo_editor import KnownFace, PhotoEditor
from core.edit.scale import Pull
from core.edit.trials import Trials
from core.errors import BadSetting, NoSuchExpression
from core.expressions import Expression, Strength, default, load, names, names_with_variations, options, varied
from core.generator import seed_w
from core.generator.latent import AnyLatent
from core.learned import KnownScale, Learned
from core.reach.ease import lift_of, squint_of, with_lift
from core.settings import Settings

pytestmark = pytest.mark.usefixtures("_drawn_once")

HIDDEN, SHOWN = (varied(default().name, teeth=teeth) for teeth in ("hidden", "shown"))
STILL, SMILING = (varied(default().name, eyes=eyes) for eyes in ("still", "smiling"))
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


def test_a_trial_near_an_earlier_one_draws_nothing(photos: PhotoEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    face = drawn(photos, AT_REST)
    trials = Trials(photos.editor, face.latent, default(), photos.editor.reconstructed(face.latent))
    sketched: list[float] = []
    sketch = photos.editor.sketch

    def counted(ws: AnyLatent, step: float, expression: Expression, pull: Pull) -> NDArray[np.uint8]:
        sketched.append(step)
        return sketch(ws, step, expression, pull)

    monkeypatch.setattr(photos.editor, "sketch", counted)
    found = trials.at(1.0)
    assert sketched == [1.0, 0.0], "the edit, and the face without one, to lay it in"
    assert trials.near(1.1) is found
    assert trials.near(0.1) is trials.now
    assert sketched == [1.0, 0.0]
    assert trials.near(1.2) is not found, "too far"
    maps = photos.editor.models.maps
    assert maps is not None
    pull = with_lift((), maps, 0.5)
    assert trials.near(1.0, pull) is not found, "another pull"
    trials.at(0.0, pull, parting=False)
    assert trials.near(0.0, pull) is not trials.now, "what a pull does is seen with the pull"
    assert sketched == [1.0, 0.0, 1.2, 1.0, 0.0, 0.0]


def test_the_options_choose_among_nine_smiles_whose_names_a_button_can_carry() -> None:
    name = default().name
    assert options(name) == {"teeth": ("hidden", "shown"), "eyes": ("smiling", "still")}
    made = [varied(name, teeth, eyes) for teeth in ("", "hidden", "shown") for eyes in ("", "smiling", "still")]
    assert made[0] is default()
    assert len({one.name for one in made}) == 9
    assert all(len(one.name) <= 24 and load(one.name) is one and one.said("ja") == default().said("ja") for one in made)
    assert not any(options(other) for other in names()[1:])
    with pytest.raises(NoSuchExpression):
        load(f"{names()[1]}-eyes-still")


def test_what_takes_off_other_teeth_keeps_the_eyes_that_were_asked_for() -> None:
    assert varied(default().name, "hidden", "still").at(NEUTRAL) is STILL
    assert varied(default().name, "shown", "smiling").at(-0.5) is SMILING
    assert STILL.at(NEUTRAL) is STILL
    assert STILL.plain == default()
    assert varied(default().name, "hidden", "still").plain == HIDDEN


@pytest.fixture(scope="module")
def known(photos: PhotoEditor) -> KnownFace:
    """A drawn face with scales of a smile and of one with hidden teeth; under its smile a frown is lifted."""
    maps = photos.editor.models.maps
    assert maps is not None
    lifted = with_lift((), maps, 1.0)
    made = [
        KnownScale(one.name, photos.editor.models.moved_by(one), (-2.0, 0.0, 2.0), (0.0, 0.1, 0.9), 0.0, 0.0, (), lifted)
        for one in (default(), HIDDEN)
    ]
    return KnownFace(drawn(photos, AT_REST).ws, Learned("", tuple(made)))


def test_other_eyes_need_nothing_measured_anew(photos: PhotoEditor, known: KnownFace) -> None:
    for one in (STILL, SMILING, varied(default().name, "hidden", "still"), varied(default().name, "hidden", "smiling")):
        assert photos.learn(known, one).learned is known.learned
    plain, still, smiling = (photos.scale(known, one) for one in (default(), STILL, SMILING))
    assert still == plain
    maps = photos.editor.models.maps
    assert maps is not None
    amounts = [squint_of(smiling.pull(strength), maps) for strength in (-1.0, 0.0, 0.25, 1.0, 1.5)]
    assert amounts == [0, 0, 0, 1, 1]
    assert 0 < squint_of(smiling.pull(0.6), maps) < 1
    assert lift_of(smiling.pull(1.0), maps) == lift_of(plain.pull(1.0), maps) == 1
    assert (smiling.step(1.0), smiling.neutral) == (plain.step(1.0), plain.neutral)


def test_the_judge_takes_a_smile_with_other_eyes(photos: PhotoEditor, known: KnownFace) -> None:
    face = photos.editor.landmarked(photos.editor.reconstructed(known.latent), 0.0)
    original = Original(face.pixels, np.eye(3), face.landmarks, face)
    still, smiling = (photos.pictures(known, [1.0], one, original)[0] for one in (STILL, SMILING))
    brow = np.s_[: int(original.points[list(BROW_ROWS[0][1]), 1].max())]
    assert np.array_equal(still.pixels[brow], original.photo[brow])
    assert (smiling.pixels[brow] != original.photo[brow]).any()
    assert (still.told, smiling.told) == (None, None)
    assert smiling.score == pytest.approx(still.score, abs=0.15)
    assert min(still.score, smiling.score) > 0.6
