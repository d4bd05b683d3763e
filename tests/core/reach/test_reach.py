"""What is unusual on a face goes, the rest of it stays. On generated faces and the maps that ship."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from core.cli import app
from core.composite.mesh import COUNT, face_size
from core.composite.motion import target_points
from core.edit import NEUTRAL, Editor, Models, Scale
from core.edit.learning import _at_rest
from core.edit.scale import EASED
from core.errors import WeightsUnfit
from core.expressions import default
from core.generator import Generator, seed_w
from core.learned import KnownScale, Learned
from core.reach.drawn import POSE, Drawn
from core.reach.ease import lift_of, own_step, shut_of, usual, wanted, with_lift
from core.reach.learn import fit
from core.reach.maps import Maps
from core.settings import Settings

pytestmark = pytest.mark.usefixtures("_drawn_once")

BY = default().calibration
RAISED, CALM = 5028, 5007  # seeds: at truncation 1 with raised brows and no smile; at 0.7 at rest
BROWS = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")


@pytest.fixture(scope="module")
def editor(settings: Settings, generator: Generator) -> Iterator[Editor]:
    models = Models(settings)
    models.__dict__.update(generator=generator)
    yield Editor(models)
    models.finder.close()


@pytest.fixture(scope="module")
def maps(editor: Editor) -> Maps:
    assert editor.models.maps is not None
    return editor.models.maps


def _ws(editor: Editor, seed: int, truncation: float) -> NDArray[np.float32]:
    generator = editor.models.generator
    return np.asarray(generator.broadcast(seed_w(generator, [seed], truncation)).numpy().copy())


def _scores(editor: Editor, picture: NDArray[np.uint8]) -> tuple[dict[str, float], tuple[float, float, float]]:
    face = editor.models.finder.aligned(editor.resized(picture, 256), precise=False)
    assert face is not None
    return face.blendshapes, face.pose


def _raised(scores: dict[str, float]) -> float:
    return sum(scores[name] for name in BROWS) / len(BROWS)


def test_neutral_takes_raised_brows_to_rest_and_keeps_the_head(editor: Editor) -> None:
    ws = _ws(editor, RAISED, 1.0)
    photo = editor.reconstructed(ws)
    scale = editor.scale(ws, default(), photo)
    neutral, smiling = editor.variants(ws, [NEUTRAL, 1.0], default(), scale, judge=False)
    assert neutral.strength <= -EASED, "0 would be the photo as it was"
    before, pose = _scores(editor, photo)
    after, turned = _scores(editor, neutral.pixels)
    assert _raised(before) > 0.4
    assert _raised(after) < 0.75 * _raised(before)
    assert abs(default().of(after) - default().of(before)) < 0.15
    assert np.abs(np.subtract(turned, pose)).max() < 5, "degrees"
    beams, _ = _scores(editor, smiling.pixels)
    assert _raised(beams) < 0.75 * _raised(before), "a smile takes the brows along"
    assert default().of(beams) > 0.6


def test_a_face_that_has_nothing_unusual_is_moved_as_ever(editor: Editor) -> None:
    ws = _ws(editor, CALM, 0.7)
    scale = editor.scale(ws, default(), editor.reconstructed(ws))
    assert (scale.ease, scale.calm) == ((), ())
    (neutral,) = editor.variants(ws, [NEUTRAL], default(), scale, judge=False)
    assert neutral.untouched
    assert neutral.strength == 0


def test_a_change_moves_what_is_wanted_and_little_else(editor: Editor, maps: Maps) -> None:
    ws = _ws(editor, CALM, 0.7)
    pull = tuple(maps.pull({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "jawOpen": 0.0}).tolist())
    before, pose = _scores(editor, editor.reconstructed(ws))
    after, turned = _scores(editor, editor.draw(ws, [0.0], default(), [pull])[0])
    assert default().of(after) > default().of(before) + 0.2
    assert np.abs(np.subtract(turned, pose)).max() < 5, "degrees"
    assert after["jawOpen"] < 0.15
    np.testing.assert_array_equal(maps.offset(pull)[maps.styles == 0], 0)


def test_usual_is_what_drawn_faces_have_that_smile_as_much(maps: Maps) -> None:
    calm, beams = (usual(maps, default(), level, calm=level < 0.5) for level in (0.08, 0.9))
    assert calm["mouthUpperUpLeft"][1] < 0.1, "calm lips cover teeth"
    assert beams["mouthUpperUpLeft"][1] > 0.5, "who beams shows teeth"
    assert calm["browDownLeft"] == (0.0, 1.0), "the photo's own brows are lifted for that"
    scores = {name: high for name, (_, high) in calm.items()}
    assert not any(wanted(scores, calm, {}).values())
    grimace = scores | {"mouthUpperUpLeft": 0.8, "mouthSmileLeft": 0.9}
    change = wanted(grimace, calm, {"mouthSmileLeft": 1.0})
    assert change["mouthUpperUpLeft"] == pytest.approx(calm["mouthUpperUpLeft"][1] - 0.8)
    assert change["mouthSmileLeft"] == 0, "the expression itself is held"


def test_brows_are_lifted_in_the_photo_and_eyes_stay(editor: Editor, maps: Maps) -> None:
    picture = editor.reconstructed(_ws(editor, CALM, 0.7))
    drawn = editor.landmarked(picture, 0.0)
    pull = with_lift((), maps, 1.0)
    assert (lift_of(pull, maps), own_step(pull, maps), lift_of((), maps)) == (1.0, 0.0, 0.0)
    points = drawn.landmarks
    moved = target_points(points, points, points, editor.parts(default(), pull, 0.0)) - points[:COUNT]
    inner, lid, chin = (moved[list(which)].mean(axis=0) / face_size(points) for which in ((107, 336), (159, 386), (152,)))
    assert inner[1] < -0.02, "upwards"
    assert abs(lid[1]) < 0.002
    assert abs(chin[1]) < 0.002
    same = target_points(points, points, points, editor.parts(default(), (), 0.0))
    np.testing.assert_allclose(same, points[:COUNT], atol=0.5)


def test_what_is_eased_goes_with_the_strength() -> None:
    scale = Scale((-1.0, 0.0, 1.0), (0.0, 0.5, 0.9), -1.0, BY, ease=(1.0, 0.0), full=(1.0, 2.0), calm=(3.0, 0.0, 0.5))
    assert scale.pull(0.0) == (0, 0, 0)
    assert scale.pull(EASED) == scale.pull(-EASED) == (1, 0, 0)
    assert scale.pull(1.0) == scale.pull(3.0) == (1, 2, 0)
    assert scale.pull(scale.neutral) == scale.pull(-4.0) == (3, 0, 0.5)
    assert scale.neutral < -EASED
    at_rest = Scale((0.0, 1.0), (0.0, 0.9), 0.0, BY, calm=(3.0,))
    assert at_rest.neutral == -EASED, "0 is the photo"
    assert at_rest.pull(-EASED) == (3.0,)
    assert Scale((0.0, 1.0), (0.0, 0.9), 0.0, BY).pull(-1.0) == ()


def test_lips_shut_at_rest_if_a_face_moves_there(maps: Maps) -> None:
    still, moved = (_at_rest(Scale((-1.0, 0.0, 1.0), (0.0, 0.5, 0.9), rest, BY), maps) for rest in (0.0, -1.0))
    assert still.calm == ()
    assert shut_of(moved.pull(moved.neutral), maps) == 1
    assert shut_of(moved.pull(moved.neutral / 2), maps) < 1, "an animation comes there by degrees"
    assert [shut_of(moved.pull(strength), maps) for strength in (0.0, 1.0)] == [0, 0]
    assert not maps.values(moved.calm).any(), "nothing else changes"


def test_it_is_kept_with_a_face_and_older_faces_have_none() -> None:
    scale = Scale((0.0, 1.0), (0.0, 0.9), 0.0, BY, ease=(0.25,), full=(0.5,), calm=(0.75,))
    known = scale.known(default(), "of")
    data = json.loads(json.dumps(Learned().with_scale(known).dump()))
    assert Scale.by(Learned.load(data).scales[0], default()) == scale
    for name in ("ease", "full", "calm"):
        del data["scales"][0][name]
    old = Learned.load(data).scales[0]
    assert (old.ease, old.full, old.calm) == ((), (), ())
    assert isinstance(old, KnownScale)


def _linear(generator: Generator, count: int = 400, width: int = 12) -> tuple[Drawn, NDArray[np.float64]]:
    """Faces whose three scores are linear in the w that moves, and in the one that does not."""
    random = np.random.RandomState(0)
    rest, moved = random.randn(2, count, width)
    effect, other = random.randn(2, width, 3) * 0.1
    scores = 0.5 + moved @ effect + rest @ other
    emotions = np.eye(7)[random.randint(0, 7, count)]
    names = ("browDownLeft", "jawOpen", POSE[0])
    single = [one.astype(np.float32) for one in (rest, moved, scores, emotions)]
    return Drawn(single[0], single[1], names, single[2], single[3]), effect


def test_maps_find_what_moves_a_score(generator: Generator, tmp_path: Path) -> None:
    drawn, effect = _linear(generator)
    fitted = fit(drawn, generator, ridge=1e-3)
    assert min(fitted.explained.values()) > 0.99
    step = fitted.maps.pull({"browDownLeft": -0.2, "jawOpen": 0.0}) @ fitted.maps.moves @ effect
    assert -0.2 <= step[0] < -0.1
    assert abs(step[1]) < 0.05
    file = tmp_path / "maps.safetensors"
    fitted.maps.save(file, {"faces": 400})
    again = Maps.load(file, generator.digest)
    assert again.names == drawn.names
    np.testing.assert_allclose(again.moves, fitted.maps.moves, atol=1e-3)
    with pytest.raises(WeightsUnfit):
        Maps.load(file, "0" * 64)


@pytest.mark.long  # maps are fitted above; faces are drawn and kept in test_whole
def test_the_command_learns_maps_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    asked = ["train", "maps", "--faces", "16", "--folder", str(tmp_path / "drawn"), "--out", str(tmp_path)]
    made = CliRunner().invoke(app, asked)
    assert made.exit_code == 0, made.output
    (file,) = (tmp_path / "drawn" / "mixed").glob("*.npz")
    first, written = (tmp_path / "reach" / "maps.safetensors").read_bytes(), file.stat().st_mtime_ns
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert (tmp_path / "reach" / "maps.safetensors").read_bytes() == first
    assert file.stat().st_mtime_ns == written, "what is drawn already is not drawn again"
