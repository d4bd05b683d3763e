"""What a strength means for a face, foretold from drawn faces after a few trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.composite import Rendered
from core.edit import Editor, Models, curve_set
from core.edit.curve_set import CurveSet
from core.edit.curves import STEPS, Curves
from core.edit.scale import Pull, Scale, measure
from core.errors import FaceLost, GeneratorLacks, ModelUnreadable, WeightsUnfit
from core.expressions import Expression, default
from core.generator import Generator, seed_w
from core.settings import Settings

pytestmark = pytest.mark.usefixtures("_drawn_once")

SMILE = default()
BY = SMILE.calibration
HELD_OUT = (5000, 5007, 5021)  # of no set that anything is learned from


@pytest.fixture(scope="module")
def editor(settings: Settings, generator: Generator) -> Iterator[Editor]:
    models = Models(settings)
    models.__dict__.update(generator=generator)
    yield Editor(models)
    models.finder.close()


def sigmoid(middle: float, width: float) -> Callable[[float], float]:
    """A face's true score at each step: half of the way up at `middle`."""
    return lambda step: float(1 / (1 + np.exp(-(step - middle) / width)))


@pytest.fixture
def family() -> Curves:
    """Faces that differ in where their smile begins and in how fast it comes."""
    dice = np.random.RandomState(0)
    shapes = [sigmoid(dice.uniform(-2, 2), dice.uniform(0.15, 0.5)) for _ in range(200)]
    return Curves("g" * 64, "of", np.array([[shape(step) for step in STEPS] for shape in shapes]))


class Counted:
    """Scores steps by a true curve, and counts them."""

    def __init__(self, curve: Callable[[float], float]) -> None:
        self.curve, self.steps = curve, list[float]()

    def __call__(self, steps: Sequence[float]) -> list[float]:
        self.steps += steps
        return [self.curve(step) for step in steps]


@pytest.mark.parametrize("middle", [-1.5, -0.6, 0.0, 0.4, 0.9, 1.4])
def test_a_few_trials_tell_what_a_strength_does(family: Curves, middle: float) -> None:
    truth = Counted(sigmoid(middle, 0.3))
    scale = measure(truth, truth.curve(0.0), BY, family)
    assert len(truth.steps) <= 5
    whole = measure(lambda steps: [truth.curve(step) for step in steps], truth.curve(0.0), BY)
    for strength in (-1.0, 0.5, 1.0, 2.0):
        assert truth.curve(scale.step(strength)) == pytest.approx(truth.curve(whole.step(strength)), abs=0.1)
    assert truth.curve(scale.rest) == pytest.approx(truth.curve(whole.rest), abs=0.1)


def test_what_was_seen_goes_before_what_is_foretold(family: Curves) -> None:
    known = {0.0: 0.2, 1.0: 0.25, 2.0: 0.9}  # like no face of the family
    scores, spread = family.foretell(known)
    assert [float(np.interp(step, STEPS, scores)) for step in known] == pytest.approx(list(known.values()))
    assert spread.max() > 0.05, "and that is known to be unsure"
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("side", [-1, 1])
def test_where_no_face_is_seen_none_is_aimed_at(family: Curves, side: int) -> None:
    truth = Counted(sigmoid(side * 0.9, 0.2))
    lost = measure(
        lambda steps: [np.nan if side * step > 0.8 else truth.curve(step) for step in steps], truth.curve(0.0), BY, family
    )
    assert max(side * step for step in lost.steps) <= 0.8
    assert not np.isnan(lost.scores).any()
    assert side * lost.rest <= 0.8


@pytest.mark.parametrize("rest", [0.0, -0.4])
def test_where_nothing_is_beyond_rest_negative_strengths_end_there(rest: float) -> None:
    scale = Scale((-1.0, 0.0, 1.0), (0.1, 0.5, 0.9), rest, BY.model_copy(update={"beyond_rest": False}))
    assert [scale.step(one) for one in (-5.0, -2.0, scale.neutral)] == pytest.approx([rest] * 3, abs=1e-6)
    assert scale.neutral == pytest.approx(0.0) if rest == 0 else scale.neutral > -2
    assert [scale.within(one) for one in (-2.0, 0.5)] == [scale.neutral, 0.5]
    free = Scale(scale.steps, scale.scores, rest, BY)
    assert free.step(-2.0) < rest
    assert free.within(-2.0) == -2
    assert [free.step(one) for one in (0.0, 0.5, 1.0)] == [scale.step(one) for one in (0.0, 0.5, 1.0)]


def test_a_file_is_of_one_generator_and_the_same_each_time(family: Curves, tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "smile.safetensors", tmp_path / "b" / "smile.safetensors"
    for file in (first, second):
        family.save(file, {"faces": 200})
    assert first.read_bytes() == second.read_bytes()
    np.testing.assert_allclose(Curves.load(first, family.generator).scores, family.scores, atol=1e-3)
    with pytest.raises(WeightsUnfit):
        Curves.load(first, "0" * 64)
    Curves(family.generator, "of", family.scores[:0]).save(first, {})
    with pytest.raises(ModelUnreadable):
        Curves.load(first, family.generator)


def test_curves_serve_what_they_were_tried_with_alone(editor: Editor) -> None:
    shipped = editor.models.curves(SMILE)
    assert shipped is not None
    assert len(shipped.scores) >= 100
    assert editor.models.curves(SMILE.along("mean")) is None


@pytest.mark.parametrize("seeds", [pytest.param(HELD_OUT, marks=pytest.mark.long)])
def test_a_generated_face_moves_as_it_does_after_nine_trials(
    editor: Editor, seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = list[float]()
    sketch = editor.sketch

    def counted(ws: NDArray[np.float32], step: float, expression: Expression, pull: Pull) -> NDArray[np.uint8]:
        drawn.append(step)
        return sketch(ws, step, expression, pull)

    monkeypatch.setattr(editor, "sketch", counted)
    differ, pictures = list[float](), list[tuple[int, int]]()
    for seed in seeds:
        generator = editor.models.generator
        ws: NDArray[np.float32] = generator.broadcast(seed_w(generator, [seed])).numpy().copy()
        foretold = editor.scale(ws, SMILE)
        few = len(drawn)
        with monkeypatch.context() as without:
            without.setattr(editor.models, "curves", lambda _: None)
            whole = editor.scale(ws, SMILE)
        pictures.append((few, len(drawn) - few))
        differ += [whole.score(foretold.step(one)) - whole.score(whole.step(one)) for one in (-1.0, 0.5, 1.0, 2.0)]
        drawn.clear()
    assert sum(few for few, _ in pictures) < 0.7 * sum(many for _, many in pictures), pictures
    assert float(np.abs(differ).mean()) < 0.06, differ
    assert float(np.abs(differ).max()) < 0.25, differ


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> tuple[float, ...]:
    """Some of STEPS, at which a set tries its faces: each takes two pictures."""
    monkeypatch.setattr(curve_set, "STEPS", some := STEPS[::6])
    return some


def test_a_set_of_curves_is_made_once(editor: Editor, tmp_path: Path, few: tuple[float, ...]) -> None:
    tried = CurveSet(tmp_path, editor, SMILE, faces=1)
    assert list(tried.fill()) == [1]
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    assert list(tried.fill()) == [1]
    assert file.stat().st_mtime_ns == written
    made = tried.all()
    assert made.moved_by == editor.models.mover(SMILE).digest
    assert made.scores.shape == (1, len(few))
    assert made.scores[0, -1] > made.scores[0, 0]


@pytest.mark.usefixtures("few")
def test_a_generator_that_draws_no_faces_is_told_so(editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landmarked = editor.landmarked

    def lost(picture: NDArray[np.uint8], strength: float) -> Rendered:
        if strength == 0:  # what every trial is laid over
            raise FaceLost(strength=strength)
        return landmarked(picture, strength)

    monkeypatch.setattr(editor, "landmarked", lost)
    tried = CurveSet(tmp_path, editor, SMILE, faces=1)
    assert list(tried.fill()) == [1]
    with pytest.raises(GeneratorLacks):
        tried.all()
