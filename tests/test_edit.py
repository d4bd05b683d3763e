"""Photo in, smiling and neutral pictures out: the editor, the command and the worker's workbench, on the real weights."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.edit import NEUTRAL, Editor, Models
from core.edit.strength import NEUTRAL_SCORE, neutral_strength
from core.errors import EgaoError, NoSuchDirection, NoSuchFace
from core.executor.requests import Animate, Animated, FindFaces, Progress, Project, Projected, Render, Rendered
from core.generator import seed_w
from core.latents import from_npz, to_npz
from core.settings import Settings
from core.workbench import create

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
    scores = [variant.smile for variant in variants]
    assert scores == sorted(scores)
    assert scores[1] < 0.1 < 0.5 < scores[3]


def test_neutral_stops_a_smile_and_leaves_a_neutral_face_alone(editor: Editor) -> None:
    (smiling,) = editor.variants(_ws(editor, HAPPY), [0.0])
    (stopped,) = editor.variants(_ws(editor, HAPPY), [NEUTRAL])
    assert smiling.smile > 0.6
    assert stopped.smile < 0.2
    assert -3 <= stopped.strength < 0
    (same,) = editor.variants(_ws(editor, SOBER), [NEUTRAL])
    assert same.strength == 0
    assert same.label == "neutral"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 0, 0, 0, 0, 0, 0.02], 0.0),  # neutral already
        ([0, 0, 0, 0, NEUTRAL_SCORE, 0.5, 0.9], -1.0),  # just at the mark at -1
        ([0, 0, 0, 0, 0, 2 * NEUTRAL_SCORE, 0.9], -0.75),  # halfway between two strengths of the grid
        ([0.5, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9], -2.5),  # never neutral: the least
        ([np.nan, np.nan, 0.0, 0.5, 0.6, 0.7, 0.9], -2.0 + 0.5 * (NEUTRAL_SCORE / 0.5)),  # no face seen where it breaks
    ],
)
def test_the_search_for_neutral(scores: list[float], expected: float) -> None:
    assert neutral_strength(lambda strengths: scores) == pytest.approx(expected)


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
    call = ["edit", str(astronaut_path), "--steps", "16", "--smile", "-1.5", "--smile", "1.5", "--neutral",
            "--json", "-o", str(tmp_path / "out")]  # fmt: skip
    result = CliRunner().invoke(app, call, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    (face,) = report["faces"]
    assert (face["face"], face["stored"]) == (1, False)
    assert [v["asked"] for v in face["variants"]] == [-1.5, 1.5, "neutral"]
    down, up, neutral = face["variants"]
    assert down["smile_after"] < 0.3 < 0.6 < up["smile_after"]
    assert neutral["smile_after"] < 0.3
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
    assert set(face["seconds"]) == {"align", "project", "render"}
    first = {v["file"]: Path(v["file"]).read_bytes() for v in face["variants"]}
    again = json.loads(CliRunner().invoke(app, call, catch_exceptions=False).stdout)["faces"][0]
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
    bench = create(settings)
    (face,) = bench.find_faces(FindFaces(astronaut_png)).faces
    assert Image.open(io.BytesIO(face.thumbnail)).size == (256, 256)
    *progress, projected = bench.project(Project(astronaut_png, 0, "w+", 4))
    assert all(isinstance(one, Progress) for one in progress)
    assert isinstance(projected, Projected)
    ws = from_npz(projected.latent, Models(settings).generator)
    rendered, refused = bench.render(
        [Render(to_npz(ws), (0.0, 1.5, "neutral"), size=256, kind="webp"), Render(to_npz(ws), (1.0,), direction="frown")]
    )
    assert isinstance(refused, NoSuchDirection), "one bad request spoils no other"
    assert isinstance(rendered, Rendered)
    assert rendered.kinds == ("webp", "webp", "webp")
    assert rendered.strengths[:2] == (0.0, 1.5)
    assert all(type(number) is float for number in (*rendered.strengths, *rendered.smile)), "no numpy crosses the border"
    *steps, animated = bench.animate(Animate(to_npz(ws), -1.0, 1.0, frames=3, size=128))
    assert len(steps) == 3
    assert isinstance(animated, Animated)
    assert Image.open(io.BytesIO(animated.picture)).n_frames == 4  # type: ignore[attr-defined]
