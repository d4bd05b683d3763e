"""Photo in, smiling and neutral pictures out: the editor, the command and the worker's workbench, on the real weights."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.device import threads
from core.edit import NEUTRAL, Editor, Models
from core.edit.scale import LIMIT, Pull, Scale, measure
from core.edit.trials import Trials
from core.errors import EgaoError, FaceLost, NoSuchExpression, NoSuchFace, WouldOverwrite
from core.executor import Animate, Animated, FindFaces, FoundFaces, Progress, Project, Projected, Render, Rendered
from core.expressions import Expression, load
from core.expressions.blendshapes import BLENDSHAPES
from core.generator import seed_w
from core.generator.latent import AnyLatent
from core.latents import from_npz, to_npz
from core.learned import Learned
from core.settings import Settings
from core.workbench import EditorWorkbench

pytestmark = pytest.mark.usefixtures("_drawn_once")

SMILE = load("smile")
BY = SMILE.calibration
HAPPY, SOBER = 5003, 5012  # seeds at truncation 0.7: smile scores 0.69 and 0.00


@pytest.fixture(scope="module")
def editor(settings: Settings) -> Iterator[Editor]:
    models = Models(settings)
    yield Editor(models)
    models.finder.close()


def _ws(editor: Editor, seed: int) -> NDArray[np.float32]:
    generator = editor.models.generator
    return np.asarray(generator.broadcast(seed_w(generator, [seed])).numpy().copy())


def test_smiles_rise_with_the_strength(editor: Editor) -> None:
    variants = editor.variants(_ws(editor, SOBER), [-1.0, 0.0, 1.0, 2.0])
    assert [variant.strength for variant in variants] == [-1.0, 0.0, 1.0, 2.0]
    scores = [variant.score for variant in variants]
    assert scores == sorted(scores)
    assert scores[1] < 0.1 < 0.5 < scores[3]


def test_neutral_stops_a_smile_and_leaves_a_neutral_face_alone(editor: Editor) -> None:
    smiling, stopped = editor.variants(_ws(editor, HAPPY), [0.0, NEUTRAL])
    assert smiling.score > 0.6
    assert stopped.score < 0.2
    assert -3 <= stopped.strength < 0
    (same,) = editor.variants(_ws(editor, SOBER), [NEUTRAL])
    assert same.strength == 0
    assert same.label == "neutral"


def test_a_strength_is_drawn_on_all_threads_measured_on_one_and_they_come_back(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    sketch = editor.sketch

    def drawn(ws: AnyLatent, step: float, expression: Expression, pull: Pull) -> NDArray[np.uint8]:
        seen.append(("drawn", torch.get_num_threads()))
        return sketch(ws, step, expression, pull)

    def scored(*_: object) -> NoReturn:
        seen.append(("scored", torch.get_num_threads()))
        raise FaceLost(strength="1")

    monkeypatch.setattr(editor, "sketch", drawn)
    monkeypatch.setattr(Trials, "now", dict.fromkeys(BLENDSHAPES, 0.0))
    monkeypatch.setattr(Trials, "_scores", scored)
    with threads(3):
        with pytest.raises(FaceLost):
            editor.scale(_ws(editor, SOBER), SMILE)
        assert torch.get_num_threads() == 3
    assert seen == [("drawn", 3), ("scored", 1)]


def _curve(middle: float, width: float) -> Callable[[float], float]:
    return lambda step: 0.97 / (1 + np.exp(-(step - middle) / width))


@pytest.mark.parametrize("middle", [-2.0, -1.2, -0.3, 0.5, 1.0, 1.8])
@pytest.mark.parametrize("width", [0.15, 0.3, 0.5])
def test_one_strength_is_the_same_share_of_every_faces_smile(middle: float, width: float) -> None:
    curve = _curve(middle, width)
    scale = measure(lambda steps: [curve(step) for step in steps], curve(0.0), BY)
    now, most, least = curve(0.0), curve(3.0), curve(-3.0)
    if now > 0.5:
        assert now - curve(scale.step(-1.0)) == pytest.approx(0.8 * (now - least), abs=0.15)
    else:
        assert curve(scale.step(1.0)) - now == pytest.approx(0.8 * (most - now), abs=0.15)
    assert scale.step(0.0) == pytest.approx(0.0, abs=1e-9)
    assert curve(scale.rest) < BY.rest + 0.05 or now <= BY.rest


@pytest.mark.parametrize("middle", [-1.2, 0.5, 1.8])
def test_more_strength_is_always_a_further_step_and_none_goes_too_far(middle: float) -> None:
    scale = measure(lambda steps: [_curve(middle, 0.2)(step) for step in steps], _curve(middle, 0.2)(0.0), BY)
    steps = [scale.step(strength) for strength in np.linspace(-LIMIT, LIMIT, 81)]
    assert all(a < b or abs(b) == BY.reach for a, b in pairwise(steps))
    assert all(-BY.reach <= step <= BY.reach for step in steps)
    for strength in (-2.0, -0.5, 0.0, 0.7, 2.5):
        assert scale.strength(scale.step(strength)) == pytest.approx(strength, abs=0.06)
    known = Learned.load(json.loads(json.dumps(Learned().with_scale(scale.known(SMILE, "of")).dump()))).scales[0]
    assert Scale.by(known, SMILE).step(1.0) == pytest.approx(scale.step(1.0), abs=0.02)


def test_a_face_at_rest_stays_as_it_is_and_one_that_breaks_is_not_followed() -> None:
    calm = measure(lambda steps: [_curve(1.0, 0.2)(step) for step in steps], _curve(1.0, 0.2)(0.0), BY)
    assert calm.rest == 0.0
    broken = measure(lambda steps: [np.nan if step < -1 else _curve(-1.2, 0.3)(step) for step in steps], 0.9, BY)
    assert broken.rest >= -1, "where no face is seen there is no expression to aim at"


def test_a_face_that_never_rests_goes_to_its_least_smile() -> None:
    stubborn = measure(lambda steps: [0.4 if step < -0.7 else 0.9 for step in steps], 0.9, BY)
    assert stubborn.score(stubborn.rest) == pytest.approx(0.4, abs=0.011)


@pytest.mark.parametrize("left", [0.082, 0.0808, 0.075])
def test_a_face_that_just_barely_rests_goes_no_further_for_nothing(left: float) -> None:
    """Where scores are flat a thousandth decides how far the face would be moved: seen as lips pressed out of shape."""

    def rest(fall: float) -> float:
        """Of a face whose score falls to `left` in one step, and from there by `fall` with each further one."""

        def score(step: float) -> float:
            return 0.4 + 0.2 * step if step > 0 else left + (0.4 - left) * max(0.0, 1 + step) + fall * step

        return measure(lambda steps: [score(step) for step in steps], 0.4, BY).rest

    assert -1.0 <= rest(0.0005) < -0.8
    assert -1.0 <= rest(0.0) < -0.8


def test_faces_are_counted_from_one(editor: Editor, astronaut_png: bytes) -> None:
    _, faces = editor.look(astronaut_png)
    assert editor.pick(faces, 1).index == 0
    for number in (0, 2, -1):
        with pytest.raises(NoSuchFace, match="has 1"):
            editor.pick(faces, number)


@pytest.mark.slow
def test_egao_edit_from_photo_to_pictures(
    settings: Settings, astronaut_path: Path, astronaut: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    call = ["edit", str(astronaut_path), "--steps", "1", "--smile", "1.5", "--neutral", "--json", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, call, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    (face,) = report["faces"]
    assert (face["face"], face["stored"]) == (1, False)
    assert [v["asked"] for v in face["variants"]] == [1.5, "neutral"]
    up, neutral = face["variants"]
    assert neutral["smile_after"] < 0.3 < 0.6 < up["smile_after"]
    for variant in face["variants"]:
        data = Path(variant["file"]).read_bytes()
        edited = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert edited.shape == astronaut.shape, "back in the photo, at its own size"
        changed = np.argwhere((edited != astronaut).any(axis=2))
        x0, y0, x1, y1 = face["box"]
        assert len(changed)
        assert (changed.min(axis=0) >= [y0 - 30, x0 - 30]).all(), "nothing but the face changes"
        assert (changed.max(axis=0) <= [y1 + 30, x1 + 30]).all()
        assert b"compositeWithTrainedAlgorithmicMedia" in data
    assert set(face["seconds"]) == {"align", "project", "scale", "render"}
    first = {v["file"]: Path(v["file"]).read_bytes() for v in face["variants"]}
    with pytest.raises(WouldOverwrite):
        CliRunner().invoke(app, call, catch_exceptions=False)
    again = json.loads(CliRunner().invoke(app, [*call, "--force"], catch_exceptions=False).stdout)["faces"][0]
    assert again["stored"], "the second edit of the same photo uses the stored latent"
    assert "project" not in again["seconds"]
    assert {v["file"]: Path(v["file"]).read_bytes() for v in again["variants"]} == first, "and gives the same files"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--smile", "9"], "strengths go from -5 to 5"),
        (["--smile", "nan"], "strengths go from -5 to 5"),
        (["--face", "left"], "neither a number nor all"),
        (["--face", "3"], "no face number 3"),
        (["--method", "magic"], "none of"),
    ],
)
def test_bad_options_are_sentences(
    settings: Settings, astronaut_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str
) -> None:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    result = CliRunner().invoke(app, ["edit", str(astronaut_path), *options, "-o", str(tmp_path)])
    assert isinstance(result.exception, EgaoError)
    assert sentence in str(result.exception)


@pytest.mark.slow
def test_the_workbench_answers_every_request(settings: Settings, astronaut_png: bytes) -> None:
    bench = EditorWorkbench(Editor(Models(settings), strangers=True))
    *parts, there = bench.find_faces(FindFaces(astronaut_png))
    assert parts, "it can be left for a while"
    assert isinstance(there, FoundFaces)
    (face,) = there.faces
    assert Image.open(io.BytesIO(face.thumbnail)).size == (256, 256)
    *progress, projected = bench.project(Project(astronaut_png, 0, "w+", 1, learned=face.learned))
    assert all(isinstance(one, Progress) for one in progress)
    assert isinstance(projected, Projected)
    ws = from_npz(projected.latent, Models(settings).generator).ws

    def drawn(learned: Learned) -> Rendered:
        asked = Render(projected.latent, (0.8,), photo=astronaut_png, learned=learned)
        (one,) = EditorWorkbench(bench.editor).render([asked])
        assert isinstance(one, Rendered)
        return one

    found = drawn(projected.learned)
    looked_for = drawn(replace(found.learned, found=""))
    assert looked_for.pictures == found.pictures, "to be told where the face is changes nothing but the time"
    learned = replace(found.learned, found="")  # how strongly it reacts to steps is known from now on
    rendered, refused = bench.render(
        [
            Render(to_npz(ws), (0.0, 1.5, "neutral"), size=256, kind="webp", learned=learned),
            Render(to_npz(ws), (1.0,), expression="frown"),
        ]
    )
    assert isinstance(refused, NoSuchExpression), "one bad request spoils no other"
    assert isinstance(rendered, Rendered)
    assert rendered.kinds == ("webp", "webp", "webp")
    assert rendered.strengths[:2] == (0.0, 1.5)
    assert all(type(number) is float for number in rendered.strengths), "no numpy crosses the border"
    *steps, animated = bench.animate(Animate(to_npz(ws), -1.0, 1.0, frames=3, size=128, learned=rendered.learned))
    assert len(steps) == 3
    assert isinstance(animated, Animated)
    assert Image.open(io.BytesIO(animated.picture)).n_frames == 4  # type: ignore[attr-defined]
