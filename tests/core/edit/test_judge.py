"""Results are measured before they go out. On generated faces."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.composite import Edit, Original
from core.composite.mesh import EYES
from core.edit import Editor, KnownFace, PhotoEditor, Variant
from core.edit.judge import Measured, verdict
from core.edit.scale import Scale
from core.errors import EyesShut, MouthAtEdge, NotReached, NotWhole
from core.expressions import load
from core.faces import Photo
from core.generator import seed_w

pytestmark = pytest.mark.usefixtures("_drawn_once")

SMILE = load("smile")
WHOLE = Measured(strange=0.2, slip=0.004, gap=0.0, pixels=300.0, misfit=0.005, score=0.8)


@pytest.fixture(scope="module")
def edit(editor: Editor) -> tuple[Original, Variant]:
    """A neutral face in its photo, and a smile drawn of it."""
    generator = editor.models.generator
    ws = generator.broadcast(seed_w(generator, [5007], 0.7)).numpy()
    pixels = editor.reconstructed(ws)
    photo, face = Photo(pixels, "5007"), editor.models.finder.find(pixels)[0]
    drawn = editor.draw(ws, [2.0], SMILE)[0]
    return editor.original(photo, editor.found(face), ws), Variant(SMILE, 1.0, 1.0, 2.0, drawn, float("nan"))


def test_a_whole_smile_goes_out_the_first_way(editor: Editor, edit: tuple[Original, Variant]) -> None:
    judged = editor.judged(*edit, before=0.05)
    assert judged.told is None
    assert not judged.lips_anew
    assert judged.score > 0.6
    plain = editor.into_photo(*edit)
    assert np.array_equal(judged.pixels, plain.pixels)


def test_two_strengths_at_once_are_each_as_alone(
    editor: Editor, edit: tuple[Original, Variant], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, variant = edit
    threads: list[int] = []
    alone = editor.into_photo

    def laid(*given: Any, **by_name: Any) -> Variant:
        threads.append(threading.get_ident())
        return alone(*given, **by_name)

    monkeypatch.setattr(editor, "into_photo", laid)
    other = replace(variant, strength=0.1, pixels=original.reconstructed.pixels)
    monkeypatch.setattr(editor, "variants", lambda *_, **__: [variant, other])
    scale, nobody = Scale((0.0, 2.0), (0.05, 0.8), 0.0, SMILE.calibration), KnownFace(np.zeros((1, 1, 1)))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        made = PhotoEditor(editor).pictures(nobody, [1.0, 0.0, 0.1], SMILE, original, scale=scale, judge=False)
    finally:
        torch.set_num_threads(before)
    assert len(set(threads)) == 2
    assert [one.strength for one in made] == [1.0, 0.0, 0.1]
    for one, drawn in zip(made[::2], (variant, other), strict=True):
        assert np.array_equal(one.pixels, alone(original, drawn, judge=False).pixels)


def test_torn_lips_are_told(editor: Editor, edit: tuple[Original, Variant], monkeypatch: pytest.MonkeyPatch) -> None:
    """One half of the mouth slides down by a twentieth of the face, in every way that is tried."""
    original, variant = edit
    tries: list[bool] = []
    whole = Edit.laid

    def torn(self: Edit, onto: np.ndarray | None = None, *, lips_anew: bool = False) -> np.ndarray:
        tries.append(lips_anew)
        pixels = whole(self, onto, lips_anew=lips_anew)
        x, y = original.points[13].astype(int)
        reach, slide = round(0.2 * original.size), round(0.05 * original.size)
        pixels[y - reach + slide : y + reach, x : x + 2 * reach] = pixels[y - reach : y + reach - slide, x : x + 2 * reach].copy()
        return pixels

    monkeypatch.setattr(Edit, "laid", torn)
    judged = editor.judged(original, variant, before=0.05)
    assert tries == [False, True], "a second way is tried"
    assert isinstance(judged.told, NotWhole)
    assert "+1" in str(judged.told)


def test_a_mouth_is_compared_in_the_photos_own_colours(editor: Editor, edit: tuple[Original, Variant]) -> None:
    original, variant = edit

    def swapped(pixels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(pixels[..., [1, 0, 2]])  # as a photo whose profile exchanges red and green holds them

    drawn = original.reconstructed
    other = Original(swapped(original.photo), original.matrix, original.points, drawn, original.things, swapped, swapped)
    found = []
    for one in (original, other):
        _, measured = editor.measured(one, variant, editor.edited(one, variant))
        assert measured is not None
        found.append((measured.strange, measured.slip, measured.score))
    assert found[1] == pytest.approx(found[0], abs=0.001)


def test_what_is_whole_and_what_is_not() -> None:
    assert verdict(WHOLE, SMILE, 1.0, 0.0) is None
    for broken in (replace(WHOLE, slip=0.015), replace(WHOLE, gap=0.08), replace(WHOLE, misfit=0.03), None):
        assert isinstance(verdict(broken, SMILE, 1.0, 0.0), NotWhole)
    assert verdict(replace(WHOLE, slip=0.014, pixels=50.0), SMILE, 1.0, 0.0) is None, "lips are found by the pixel"
    astray = replace(WHOLE, strange=0.6, slip=0.011)
    assert isinstance(verdict(astray, SMILE, 1.0, 0.0), NotWhole)
    assert isinstance(verdict(astray, SMILE, -1.0, 0.9), NotWhole), "lips that close are held to it too"
    assert verdict(replace(astray, usual=0.4), SMILE, 1.0, 0.0) is None, "the photo itself is as strange"
    assert verdict(replace(astray, slip=0.008), SMILE, 1.0, 0.0) is None, "lips that stay in place are the face's"
    assert verdict(replace(WHOLE, slip=0.015), SMILE, -1.0, 0.9) is None, "closed lips in a beard are but guessed"


def test_a_face_that_hardly_changes_is_told() -> None:
    flat = replace(WHOLE, score=0.08)
    assert isinstance(verdict(flat, SMILE, 1.0, 0.0), NotReached)
    assert verdict(flat, SMILE, 0.25, 0.0) is None, "little was asked for"
    assert verdict(replace(WHOLE, score=0.95), SMILE, 1.0, 0.93) is None, "there was nothing left to gain"


def test_eyes_that_are_shut_in_the_photo_are_not_opened(editor: Editor, edit: tuple[Original, Variant]) -> None:
    original, variant = edit
    closed = original.points.copy()
    for above, below in EYES:
        closed[list(above)] = closed[list(below)]
    shut = Original(original.photo, original.matrix, closed, original.reconstructed, original.things)
    _, opened = editor.measured(shut, variant, editor.edited(shut, variant), original.photo)
    _, same = editor.measured(original, variant, editor.edited(original, variant), original.photo)
    assert opened is not None
    assert same is not None
    assert opened.prised > 0.03
    assert same.prised == 0
    assert isinstance(verdict(replace(WHOLE, prised=opened.prised), SMILE, 1.0, 0.0), EyesShut)
    assert verdict(replace(WHOLE, prised=0.015), SMILE, 1.0, 0.0) is None, "lids that relax stay whole"


def test_the_second_way_has_to_be_better() -> None:
    hazy = replace(WHOLE, strange=0.55, slip=0.01, usual=0.4)
    assert WHOLE.better_than(hazy, closing=False)
    assert not hazy.better_than(WHOLE, closing=False)
    assert not WHOLE.better_than(WHOLE, closing=False)
    assert replace(hazy, strange=0.48, slip=0.011).better_than(hazy, closing=False)
    assert hazy.better_than(replace(hazy, strange=0.54, slip=0.016), closing=False), "whole lips go before likeness"


def test_lips_of_another_shape_are_drawn_anew_unless_they_slip() -> None:
    squeezed, stretched = replace(WHOLE, wider=0.75), replace(WHOLE, wider=1.4)
    assert squeezed.doubtful
    assert stretched.doubtful
    drawn = {"strange": 0.19, "slip": 0.005}
    assert replace(squeezed, **drawn).better_than(squeezed, closing=False)
    assert not replace(squeezed, strange=0.19, slip=0.01).better_than(squeezed, closing=False)
    assert not replace(stretched, **drawn).better_than(stretched, closing=False), "in a beard drawn lips may be worse"
    assert not replace(WHOLE, **drawn).better_than(WHOLE, closing=False), "the photo's own lips are kept where they can be"


def test_a_mouth_at_the_edge_of_a_turned_face_is_told(editor: Editor, edit: tuple[Original, Variant]) -> None:
    original, _ = edit
    face = editor.models.finder.find(original.photo)[0]
    points = face.landmarks.copy()
    points[:, 0] = points[:, 0].min() + (points[:, 0] - points[:, 0].min()) * 0.5
    far = points[[0, 13, 14, 17, 61, 291, 37, 267]]
    points[[454, 323, 361, 288]] = [far[:, 0].max() - 5, far[:, 1].mean()]  # the far cheek ends where the lips do
    photo = Photo(original.photo, "turned")
    with pytest.raises(MouthAtEdge):
        editor.things(photo, replace(face, landmarks=points), editor.align(photo, face))
