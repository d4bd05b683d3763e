"""An expression is a file: what it says holds, what is wrong with it is told, and nothing else knows its name."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from core import expressions
from core.composite.motion import target_points
from core.edit import Editor, KnownFace, Models, PhotoEditor
from core.errors import NoSuchExpression
from core.expressions import Expression, Parts, default, load, named, names, names_with_variations
from core.expressions.blendshapes import BLENDSHAPES
from core.expressions.expression import read
from core.faces import FaceFinder
from core.generator import seed_w
from core.languages import names as languages
from core.learned import KnownScale, Learned
from core.settings import Settings
from core.store import Owner, Store
from tests.core.store.kit import keep_face, settings_at

pytestmark = pytest.mark.usefixtures("_drawn_once")

_BROW = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)  # upper edges of both brows in the mesh
ROOT = Path(__file__).parent.parent.parent
SMILE = (files("data") / "expressions" / "smile.toml").read_text("utf-8")
SURPRISE = re.sub(
    r"(?s)\[score\].*?\n\n", "[score]\njawOpen = 1.0\n\n", SMILE.replace("default = true", "default = false")
).replace('name = "smile"', 'name = "surprise"').replace('menu = "Make it smile"', 'menu = "Surprise it"')  # fmt: skip


@pytest.fixture
def surprise(monkeypatch: pytest.MonkeyPatch) -> Expression:
    """A second expression, as a second file would add it: another score, the same direction."""
    made = read("surprise", SURPRISE)
    both = {default().name: default(), made.name: made}
    monkeypatch.setattr(expressions.expression, "_all", lambda: both)
    return made


@pytest.mark.parametrize("name", names_with_variations())
def test_every_file_that_ships_is_whole(name: str, settings: Settings, astronaut: np.ndarray) -> None:
    expression = load(name)
    for language in languages():
        assert expression.said(language), "whole and short enough, from its own file or from the language's catalogue"
    with FaceFinder(settings) as finder:
        (face,) = finder.find(astronaut)
    assert face.blendshapes.keys() - {"_neutral"} == BLENDSHAPES, "those that an expression may name are those that are measured"
    assert 0 <= expression.of(face.blendshapes) <= 1
    assert Models(settings).mover(expression).digest


def test_the_default_one_comes_first_and_is_meant_by_no_name() -> None:
    assert (names()[0], named(""), load(default().name)) == (default().name, default(), default())
    with pytest.raises(NoSuchExpression, match=r"called grin.*smile"):
        load("grin")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mouthSmileLeft = 0.5", "mouthSmileLeft = 0.7"),
        ("mouthSmileLeft = 0.5", "mouthSmileLeft = -0.5"),
        ("rest = 0.08", "rest = 1.5"),
        ("slope = 0.03", "slope = 0"),
        ("above = 0.0\n", "above = 0.01\n"),
        ("above = 0.5", "above = 0.05"),
        ("[words.en]", "[words.xx]"),
        ("upper = 0.35", "ears = 0.35"),
        ("upper = 0.35", "units = {ear-wiggler = 0.35}"),
        ('direction = "smile"', 'path = "/etc/passwd"'),
        ("mouthSmileLeft = 0.5", "mouthSmilleLeft = 0.5"),
        ('emotion = "happy"', 'emotion = "joyful"'),
        ('name = "smile"', 'name = "Smile"'),
        ('menu = "Make it smile"', 'menu = "Make it smile from one ear to the other"'),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(old: str, new: str) -> None:
    assert read("smile", SMILE).name == "smile"
    assert old in SMILE
    with pytest.raises(ValidationError):
        read("smile", SMILE.replace(old, new, 1))


def test_another_expression_has_its_own_score_and_its_own_scale(surprise: Expression, settings: Settings) -> None:
    editor = Editor(Models(settings))
    ws = np.asarray(editor.models.generator.broadcast(seed_w(editor.models.generator, [5003])).numpy().copy())
    picture = editor.reconstructed(ws)
    smiles, opens = editor.score(picture, default()), editor.score(picture, surprise)
    face = editor.models.finder.aligned(Editor.resized(picture, 256), precise=False)
    assert face is not None
    assert opens == pytest.approx(face.blendshapes["jawOpen"])
    assert smiles != pytest.approx(opens, abs=0.1)
    photos = PhotoEditor(editor)
    both = photos.learn(photos.learn(KnownFace(ws), default()), surprise)
    assert [one.expression for one in both.learned.scales] == ["smile", "surprise"]
    assert both.learned.scales[0].scores != both.learned.scales[1].scores
    (variant,) = editor.variants(ws, [1.0], surprise, photos.scale(both, surprise), judge=False)
    assert variant.label == "surprise +1"
    again = photos.learn(both, surprise)
    assert again.learned is both.learned, "what is known is not measured again"


def test_the_store_keeps_a_scale_for_each(surprise: Expression, tmp_path: Path) -> None:
    scales = tuple(
        KnownScale(name, "moved", (0.0, 1.0), (0.1, 0.8), 0.0, rest) for name, rest in (("smile", -1.0), ("surprise", 0.5))
    )
    owner = Owner.of_columns(1, 2)
    with Store.open(settings_at(tmp_path)) as store:
        face = keep_face(store, owner, learned=Learned("", scales))
        learned = store.faces.get(owner, face.id).learned
    assert (learned.neutral("smile"), learned.neutral("surprise"), learned.neutral("grin")) == (-1.0, 0.5, None)


def test_how_far_the_brows_follow_is_the_expressions_own(settings: Settings, astronaut: np.ndarray) -> None:
    with FaceFinder(settings) as finder:
        (face,) = finder.find(astronaut)
    points = np.asarray(face.landmarks, dtype=np.float64)
    raised = points.copy()
    raised[list(_BROW)] -= (0, 8)
    moves = [
        target_points(points, points, raised, Parts(upper=share))[list(_BROW)] - points[list(_BROW)] for share in (0, 0.35, 1)
    ]
    lengths = [float(np.linalg.norm(move, axis=1).mean()) for move in moves]
    assert lengths[0] < 0.5 * lengths[1] < 0.35 * lengths[2]


def test_nothing_else_knows_a_name() -> None:
    """Only the file of an expression, and what reads stores of versions that had one alone, say "smile" in code."""
    allowed = {Path(name) for name in ("core/store/old_extras.py", "core/store/migrations.py", "bot/requests/ask.py")}
    wrong = {}
    for folder in ("core/edit", "core/composite", "core/expressions", "core/executor", "core/store", "bot", "cogs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            hits = re.findall(r"""["']smile["']""", re.sub(r'(?s)""".*?"""', "", path.read_text("utf-8")))
            if hits and path.relative_to(ROOT) not in allowed:
                wrong[str(path.relative_to(ROOT))] = hits
    assert not wrong
