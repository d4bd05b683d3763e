"""Directions of the whole face: what ships does what its file aims at, and learning one does nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.composite import Original
from core.directions import load_direction, whole
from core.directions.descent import Descent, Whitened
from core.directions.direction import apply
from core.directions.teach_whole import METHOD, fit_whole
from core.edit import Editor, Models
from core.emotion import EMOTIONS, EmotionClassifier
from core.errors import BadSeeds
from core.expressions import Expression, default, load, names_with_variations
from core.faces import Face, FaceFinder
from core.generator import Generator, seed_w
from core.reach.drawn import SIDES, MixedSet
from core.rendering import Renderer
from core.seeds import load_labels
from core.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_drawn_once")]

FRESH = (5000, 5005, 5010, 5014, 5018, 5026)  # none of the faces that anything was learned from
LESSONS = 5  # faces
LOWER_LIP = 17  # of the mesh: the middle of its lower edge
MORE = ("sad", "surprise")  # tried in the same way
LEARNED = [name for name in names_with_variations() if load(name).aims is not None]


def test_there_are_some() -> None:
    assert {"angry", "sad", "surprise"} <= set(LEARNED)


@dataclass(frozen=True)
class Before:
    """Drawn faces, and how they look before anything is moved."""

    ws: torch.Tensor
    pictures: NDArray[np.uint8]
    faces: list[Face | None]


@pytest.fixture(scope="module", params=[FRESH[:2], pytest.param(FRESH, marks=pytest.mark.long)], ids=len)
def before(request: pytest.FixtureRequest, settings: Settings, generator: Generator) -> Before:
    ws = generator.broadcast(seed_w(generator, request.param, 0.8))
    pictures = Renderer(generator).images(ws)
    with FaceFinder(settings) as finder:
        return Before(ws, pictures, [finder.aligned(one) for one in pictures])


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.long) if one in MORE else one for one in LEARNED])
def test_it_takes_drawn_faces_where_its_file_aims(name: str, before: Before, settings: Settings, generator: Generator) -> None:
    expression = load(name)
    direction, aims = load_direction(expression.move.direction, settings, generator), expression.aims
    assert aims is not None
    low, high = SIDES
    free = np.array([low <= side <= high for side in generator.style_resolutions])
    assert not direction.step()[~free].any(), "what turns the head, and skin and colour, stay"
    moved = Renderer(generator).images(apply(direction, before.ws, 1.2))
    both = before.pictures, moved
    with FaceFinder(settings) as finder:
        looks = before.faces, [finder.aligned(one) for one in moved]
    scores = [[face.blendshapes for face in found if face is not None] for found in looks]
    assert [len(found) for found in scores] == [len(before.ws)] * 2, "they are faces still"
    was, now = ({key: np.mean([one[key] for one in found]) for key in found[0]} for found in scores)
    assert np.mean([now[key] - was[key] for key in aims.raised]) > 0.2
    assert all(now[key] < was[key] + 0.02 for key in aims.lowered)
    classifier, emotion = EmotionClassifier(settings), EMOTIONS.index(expression.judged.emotion)
    told = [classifier.probabilities(pictures)[:, emotion] for pictures in both]
    assert told[1].mean() > told[0].mean() + 0.15
    shown = [np.mean([expression.of(face) for face in found]) for found in scores]
    assert shown[1] > shown[0] + 0.2


@pytest.fixture(scope="module")
def few(settings: Settings, generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> MixedSet:
    """Some measured faces: of five one is held out of the lesson."""
    with FaceFinder(settings) as finder:
        made = MixedSet(
            tmp_path_factory.mktemp("mixed"), generator, Renderer(generator), finder, EmotionClassifier(settings), faces=LESSONS
        )  # fmt: skip
        assert list(made.fill()) == [LESSONS]
        (file,) = made.folder.iterdir()
        written = file.stat().st_mtime_ns
        assert list(made.fill()) == [LESSONS]
        assert file.stat().st_mtime_ns == written, "what is drawn already is not drawn again"
    return made


@pytest.mark.parametrize("steps", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_lesson_in_small(
    few: MixedSet, settings: Settings, generator: Generator, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(whole, "BATCH", 2)  # of which the last has its styles jittered, as of any
    monkeypatch.setattr(whole, "_UNIT", 1)  # one batch tells how large a change is: here it only has to be some number
    drawn, sad = few.all(), load("sad")
    seeds = load_labels(settings, generator, expression=sad)
    said: list[str] = []
    one = fit_whole(sad, drawn, seeds, generator, settings, steps=steps, lessons=LESSONS, say=said.append)
    if steps > 1:
        again = fit_whole(sad, drawn, seeds, generator, settings, steps=steps, lessons=LESSONS)
        np.testing.assert_array_equal(one.vector, again.vector, "the same faces teach the same")
    low, high = SIDES
    np.testing.assert_array_equal(one.styles, [low <= side <= high for side in generator.style_resolutions])
    assert np.ptp(one.vector[one.styles > 0], axis=0).max() > 0, "each style has a step of its own"
    assert (one.name, one.provenance["method"], one.provenance["steps"], one.provenance["faces"]) == (
        "sad",
        METHOD,
        steps,
        LESSONS,
    )
    assert any(f"step {steps} of {steps}" in line for line in said)


def test_without_aims_there_is_nothing_to_learn(few: MixedSet, settings: Settings, generator: Generator) -> None:
    seeds = load_labels(settings, generator)
    with pytest.raises(BadSeeds, match=r"no part \[aims\]"):
        fit_whole(default(), few.all(), seeds, generator, settings)


def test_descent_finds_the_least_and_moves_free_styles_alone() -> None:
    w = torch.randn(200, 8, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.5, 2, 8)
    wanted, free = torch.linspace(-1, 1, 8), torch.tensor([[1.0], [0.0], [1.0]])
    descent = Descent(torch.zeros(8), Whitened(w), free, 200)
    for index in range(200):
        descent.descend((descent.step - wanted).square().sum(), index)
    np.testing.assert_allclose(descent.step[0].detach(), wanted, atol=0.05)
    assert not descent.step[1].any()


def test_whitening_is_undone() -> None:
    w = torch.randn(100, 6, generator=torch.Generator().manual_seed(1))
    coordinates, offsets = Whitened(w), torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    np.testing.assert_allclose(coordinates.back(coordinates.of(offsets).float()), offsets, atol=1e-4)


def smirk(**changes: object) -> Expression:
    return Expression.model_validate({**default().model_dump(), **changes})


def test_what_is_absent_counts_by_what_it_lacks() -> None:
    calm = smirk(score={"browInnerUp": 0.6}, absent={"mouthSmileLeft": 0.2, "mouthSmileRight": 0.2})
    face = {"browInnerUp": 0.5, "mouthSmileLeft": 1.0, "mouthSmileRight": 0.0}
    assert calm.of(face) == pytest.approx(0.6 * 0.5 + 0.2)
    with pytest.raises(ValueError, match="make 1 together"):
        smirk(score={"browInnerUp": 0.8}, absent={"mouthSmileLeft": 0.3})
    with pytest.raises(ValueError, match="no blendshape is called mouthSmirk"):
        smirk(score={"browInnerUp": 0.8}, absent={"mouthSmirk": 0.2})


def test_the_lips_of_a_new_shape_are_drawn(settings: Settings, generator: Generator) -> None:
    editor, surprise = Editor(Models(settings)), load("surprise")
    ws = np.asarray(generator.broadcast(seed_w(generator, [5018])).numpy().copy())
    reconstructed = editor.landmarked(editor.reconstructed(ws), 0.0)
    marked = reconstructed.pixels.copy()
    x, y = reconstructed.landmarks[LOWER_LIP].round().astype(int)
    marked[y - 5 : y + 5, x - 30 : x + 30] = (0, 0, 255)
    original = Original(marked, np.eye(3), reconstructed.landmarks, reconstructed)
    edited = editor.landmarked(editor.draw(ws, [1.2], surprise)[0], 1.2)
    blue = {lips: seen_blue(original.edit(edited, surprise.parts.model_copy(update={"lips": lips}))) for lips in (True, False)}
    assert blue[False] > 200, "the photo's own lips move with the mouth"
    assert blue[True] < blue[False] / 10, "and are replaced where the expression says so"


def seen_blue(picture: np.ndarray) -> int:
    """Count the pixels that are clearly blue."""
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return int(((blue - np.maximum(red, green)) > 80).sum())
