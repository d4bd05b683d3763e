"""What lies before a face is found, stays as it is, and is told where it hides the mouth. On generated faces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.composite import Rendered
from core.edit import Editor
from core.errors import MouthCut, MouthHidden
from core.expressions import load
from core.faces import Face, Photo
from core.generator import seed_w
from tests.core.occlusion.things import THINGS, before

pytestmark = pytest.mark.usefixtures("_drawn_once")

SEEDS = (5007, 5000, 5015, 5003)  # a neutral one, two that smile, one of them with glasses, a fourth
Pixels = NDArray[np.uint8]
Drawn = tuple[NDArray[np.float32], Pixels, Face]  # latent, picture and the face in it


@pytest.fixture(scope="module")
def faces(editor: Editor) -> dict[int, Drawn]:
    """By seed: latent, picture and the face in it."""
    made = {}
    for seed in SEEDS:
        ws = editor.models.generator.broadcast(seed_w(editor.models.generator, [seed], 0.7)).numpy()
        pixels = editor.reconstructed(ws)
        made[seed] = ws, pixels, editor.models.finder.find(pixels)[0]
    return made


def _mouth(face: Face) -> tuple[tuple[float, float], float]:
    """The middle of the mouth and its width, in pixels."""
    left, right = face.landmarks[61].astype(float), face.landmarks[291].astype(float)
    x, y = (left + right) / 2
    return (float(x), float(y)), float(np.hypot(*(right - left)))


@pytest.mark.parametrize("what", THINGS)
def test_a_thing_is_found_and_a_face_is_no_thing(what: str, editor: Editor, faces: dict[int, Drawn]) -> None:
    found, missed, wrong = 0, 0, 0
    for _, pixels, face in faces.values():
        at, width = _mouth(face)
        picture, thing = before(pixels, what, at, width)
        there = np.asarray(Image.fromarray(thing).resize((128, 128), Image.Resampling.BOX))
        marked = editor.models.things.find(picture) > 0.5
        near = np.zeros_like(there)
        near[40:118, 26:102] = True  # the face; what is beside it does not matter
        found += int((marked & there & near).sum())
        missed += int((~marked & there & near).sum())
        wrong += int((marked & ~there & near).sum())
    assert found / (found + missed) > 0.8
    assert found / (found + wrong) > 0.8


def test_nothing_is_found_before_bare_faces(editor: Editor, faces: dict[int, Drawn]) -> None:
    for _, pixels, _ in faces.values():
        assert (editor.models.things.find(pixels) > 0.15)[40:118, 26:102].mean() < 0.003


@pytest.mark.parametrize("what", THINGS)
def test_a_hidden_mouth_is_told(what: str, editor: Editor, faces: dict[int, Drawn]) -> None:
    _, pixels, face = faces[5007]
    picture, _ = before(pixels, what, *_mouth(face))
    photo = Photo(picture, what)
    with pytest.raises(MouthHidden):
        editor.things(photo, face, editor.align(photo, face))


def test_a_mouth_that_the_photo_cuts_is_told(editor: Editor, faces: dict[int, Drawn]) -> None:
    _, pixels, face = faces[5007]
    (_, y), _ = _mouth(face)
    photo = Photo(np.ascontiguousarray(pixels[: round(y)]), "cut")
    with pytest.raises(MouthCut):
        editor.things(photo, face, editor.align(photo, face))


@pytest.mark.parametrize("seed", [pytest.param(5007, marks=pytest.mark.long), 5000])
def test_a_cup_beside_the_mouth_stays_to_the_bit_while_the_face_changes(
    seed: int, editor: Editor, faces: dict[int, Drawn]
) -> None:
    ws, pixels, face = faces[seed]
    (x, y), width = _mouth(face)
    picture, thing = before(pixels, "cup", (x + 1.25 * width, y), width)
    photo = Photo(picture, f"cup-{seed}")
    original = editor.original(photo, editor.found(face), ws)
    drawn = editor.draw(ws, [2.0 if seed == 5007 else -1.5], load("smile"))[0]
    there = editor.models.finder.aligned(drawn)
    assert there is not None
    edited = original.edit(Rendered(drawn, there.landmarks.astype(np.float64)), load("smile").parts)
    changed = (edited != picture).any(axis=2)
    assert changed.sum() > 5000
    assert not (changed & thing).any()
