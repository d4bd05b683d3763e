"""Several faces of one photo in one picture, on the real weights: each edited or left as it is, and nothing else changed."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.composite import Original
from core.edit import Editor, KnownFace, Models, Moving, OneFace, Variant, movement
from core.errors import NotWhole
from core.executor import (
    DrawnTogether,
    FindFaces,
    FoundFaces,
    FullSize,
    FullTogether,
    MovedTogether,
    MoveTogether,
    OneOf,
    Progress,
    Project,
    Projected,
    Rendered,
    Together,
)
from core.expressions import default
from core.generator import Generator, seed_w
from core.latents import from_npz
from core.rendering import Renderer
from core.settings import Settings
from core.workbench import EditorWorkbench

pytestmark = pytest.mark.usefixtures("_drawn_once")

SEEDS = (5012, 5003)
SIDE = 256  # pixels of each face's place in the photo


def two_people(generator: Generator) -> bytes:
    """A photo of two generated faces side by side."""
    canvas = Image.new("RGB", (SIDE * len(SEEDS), SIDE))
    for n, seed in enumerate(SEEDS):
        drawn = Renderer(generator).images(generator.broadcast(seed_w(generator, [seed])))[0]
        canvas.paste(Image.fromarray(drawn).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (SIDE * n, 0))
    out = io.BytesIO()
    canvas.save(out, "png")
    return out.getvalue()


def together(bench: EditorWorkbench, photo: bytes, faces: list[OneOf]) -> tuple[NDArray[np.int16], DrawnTogether]:
    """Edit the faces: the picture's pixels [H, W, 3], and what became of each face."""
    *steps, answer = bench.together(Together(photo, tuple(faces), kind="png", size=None))
    assert [one.step for one in steps if isinstance(one, Progress)] == list(range(1, len(faces) + 1))
    assert isinstance(answer, DrawnTogether)
    return pixels(answer.picture), answer


def pixels(data: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.int16)


@dataclass(frozen=True)
class Known:
    """A photo of two people, whose faces are kept."""

    bench: EditorWorkbench
    photo: bytes
    ones: list[OneOf]


@pytest.fixture(scope="module")
def known(settings: Settings, generator: Generator) -> Known:
    bench = EditorWorkbench(Editor(Models(settings)))
    photo = two_people(generator)
    *_, found = bench.find_faces(FindFaces(photo))
    assert isinstance(found, FoundFaces)
    ones = []
    for face in found.faces:
        *_, done = bench.project(Project(photo, face.index, "w+", 1, learned=face.learned))
        assert isinstance(done, Projected)
        kept = bench.photos.learn(KnownFace.of(from_npz(done.latent, generator), done.learned), default())  # once for all tests
        ones.append(OneOf(done.latent, face.index, 1.0, kept.learned))
    return Known(bench, photo, ones)


@pytest.mark.slow
def test_what_is_good_is_edited_and_nothing_else_changes(known: Known) -> None:
    bench, photo, ones = known.bench, known.photo, known.ones
    before, (after, answer) = pixels(photo), together(bench, photo, ones)
    assert any(not one.told for one in answer.faces), "at least one is good, so there is something to see"
    changed = (after != before).any(axis=2)
    for n, one in enumerate(answer.faces):
        assert changed[:, SIDE * n : SIDE * (n + 1)].any() == (not one.told), f"face {n}: {one.told or 'edited'}"
    assert (together(bench, photo, [replace(one, strength=0.0) for one in ones])[0] == before).all()
    *_, full = bench.together(FullTogether(photo, tuple(ones)))
    assert isinstance(full, DrawnTogether)
    assert (pixels(full.picture) == after).all(), "the photo is smaller than any bound, so its full size is the same picture"


@pytest.mark.slow
def test_who_moves_moves_and_who_is_still_is_edited_alike_in_all_frames(known: Known) -> None:
    photos, ones = known.bench.photos, known.ones
    faces = [
        OneFace(one.face, KnownFace.of(from_npz(one.latent, known.bench.models.generator), one.learned), 1.0) for one in ones
    ]
    alone = Moving(photos, known.photo, faces, default(), count=3, low=-3.0, still=(0,))
    assert list(alone.run())[-1] == len(faces) * 3
    good = [not one.told for one in alone.laid]
    assert good[1], "else there is nothing to see"
    first, middle, last = (frame.astype(np.int16) for frame in alone.frames)
    left, right = np.s_[:, :SIDE], np.s_[:, SIDE:]
    assert (first[left] == last[left]).all()
    assert (first[left] != pixels(known.photo)[left]).any() == good[0]
    for one, other in ((first, middle), (middle, last)):
        assert (one[right] != other[right]).any()
    assert (last == together(known.bench, known.photo, ones)[0]).all(), "it ends at the picture that is shown"
    nobody = Moving(photos, known.photo, [replace(one, strength=0.0) for one in faces], default(), count=3, low=-3.0)
    for _ in nobody.run():
        pass
    assert all((frame == pixels(known.photo)).all() for frame in nobody.frames)


@pytest.mark.slow
def test_an_animation_of_two_is_one_moving_picture(known: Known) -> None:
    *steps, moved = known.bench.move_together(MoveTogether(known.photo, tuple(known.ones), frames=3, fps=6, size=SIDE))
    assert [one.step for one in steps if isinstance(one, Progress)][-1] == 6
    assert isinstance(moved, MovedTogether)
    with Image.open(io.BytesIO(moved.picture)) as moving:
        assert (getattr(moving, "n_frames", 1), moving.size) == (4, (SIDE, SIDE // 2)), "there and back"
    assert len(moved.faces) == 2


@pytest.mark.slow
def test_what_a_picture_lacks_of_its_photos_file_is_told(known: Known) -> None:
    """The photo's levels are said to be HLG's (ITU-T H.273), a high dynamic range, which no picture here has."""
    chunk = b"cICP" + bytes([1, 18, 0, 1])
    photo = known.photo[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + known.photo[33:]
    _, answer = together(known.bench, photo, [replace(one, strength=0.0) for one in known.ones])
    assert answer.left_out == ("the high dynamic range",)
    one = known.ones[0]
    *_, full = known.bench.full_size(FullSize(one.latent, 0.0, photo=photo, face=one.face, learned=one.learned))
    assert isinstance(full, Rendered)
    assert full.left_out == answer.left_out
    assert together(known.bench, known.photo, [replace(one, strength=0.0)])[1].left_out == ()


@pytest.mark.slow
def test_a_movement_is_judged_at_both_ends_and_keeps_one_way(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the second way of drawing the lips is better at one end alone, and where an end is no good."""
    photos, one = known.bench.photos, known.ones[1]
    latent = from_npz(one.latent, photos.editor.models.generator)
    placed, face = photos.place(known.photo, one.face, KnownFace.of(latent, one.learned))
    truly = Editor.judged
    told: dict[bool, NotWhole] = {}  # by whether it is a smile

    def judged(self: Editor, original: Original, variant: Variant, before: float) -> Variant:
        laid = truly(self, original, replace(variant, lips_anew=variant.strength < 0), before)
        return replace(laid, lips_anew=variant.strength < 0, told=told.get(variant.strength > 0))

    monkeypatch.setattr(Editor, "judged", judged)
    frames = list(movement(photos, face, [-0.5, 0.25, 1.0], default(), placed.original))
    assert [frame.strength for frame in frames] == [-0.5, 0.25, 1.0]
    assert all(frame.lips_anew for frame in frames)
    group = Moving(photos, known.photo, [OneFace(one.face, face, 1.0)], default(), count=3, low=-0.5)
    laid, add = list[Variant](), photos.add

    def added(original: Original, picture: Variant, onto: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        laid.append(picture)
        return add(original, picture, onto)

    monkeypatch.setattr(photos, "add", added)
    assert len(list(group.run())) == 4
    assert [(one.strength, one.lips_anew) for one in laid] == [(-0.5, True), (0.25, True), (1.0, True)]
    told[True] = NotWhole(strength="+1")
    with pytest.raises(NotWhole, match=r"\+1"):
        next(movement(photos, face, [-0.5, 0.25, 1.0], default(), placed.original))
    assert len(list(movement(photos, face, [-0.5, 1.0], default(), placed.original, strict=False))) == 2
    told[False] = told.pop(True)
    *_, moved = known.bench.move_together(MoveTogether(known.photo, (one,), frames=2, fps=6, size=SIDE))
    assert isinstance(moved, MovedTogether)
    assert [lone.told for lone in moved.faces] == ["NotWhole"]
