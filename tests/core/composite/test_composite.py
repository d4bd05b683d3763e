"""Edited faces back in their photo. The faces are generated and pasted into larger pictures, so their latents are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.composite import Original, Rendered
from core.composite.mesh import BROW_ROWS, EYES, face_size, folded, triangles, with_rim
from core.composite.motion import mouth_gap, target_points
from core.composite.original import _FOLDED
from core.edit import Editor, Models
from core.expressions import load
from core.faces import Aligned, Face, FaceFinder, align
from core.generator import Generator, seed_w
from core.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_drawn_once")]

Pixels = NDArray[np.uint8]
PARTS = load("smile").parts
SEEDS = (5007, 5000, 5015)  # one neutral with closed lips, one smiling with teeth, one smiling with glasses
STRENGTHS = (0.0, 0.75, 1.5)


class Person:
    """A generated face. It is drawn at a strength, and its landmarks found, when that is first asked for."""

    def __init__(self, editor: Editor, seed: int) -> None:
        generator = editor.models.generator
        self._editor, self._ws = editor, generator.broadcast(seed_w(generator, [seed], 0.7)).numpy()
        self._drawn: dict[float, Rendered] = {}

    def at(self, strength: float) -> Rendered:
        if strength not in self._drawn:
            (pixels,) = self._editor.draw(self._ws, [strength], load("smile"))
            (face, *_) = self._editor.models.finder.find(pixels)
            self._drawn[strength] = Rendered(pixels, face.landmarks.astype(np.float64))
        return self._drawn[strength]


@pytest.fixture(scope="module")
def finder(settings: Settings) -> Iterator[FaceFinder]:
    with FaceFinder(settings) as made:
        yield made


@pytest.fixture(scope="module")
def people(settings: Settings, generator: Generator, finder: FaceFinder) -> dict[int, Person]:
    models = Models(settings)
    models.__dict__.update(generator=generator, finder=finder)
    editor = Editor(models)
    return {seed: Person(editor, seed) for seed in SEEDS}


@dataclass(frozen=True)
class Scene:
    """A photo with one generated face in it."""

    photo: Pixels
    aligned: Aligned
    face: Face
    person: Person

    @property
    def points(self) -> NDArray[np.float64]:
        return self.face.landmarks.astype(np.float64)

    def original(self) -> Original:
        return Original(self.photo, self.aligned.matrix, self.face.landmarks, self.person.at(0.0))

    def edit(self, strength: float) -> Pixels:
        return self.original().edit(self.person.at(strength), PARTS)

    def face_region(self) -> NDArray[np.bool_]:
        """Everything that an edit may touch: the face's oval and a tenth of its size around it."""
        height, width = self.photo.shape[:2]
        y, x = np.mgrid[:height, :width] + 0.5
        low, high = self.face.landmarks.min(axis=0), self.face.landmarks.max(axis=0)
        reach = 0.1 * face_size(self.points)
        inside: NDArray[np.bool_] = (x > low[0] - reach) & (x < high[0] + reach) & (y > low[1]) & (y < high[1] + reach)
        return inside


def scene(person: Person, finder: FaceFinder, side: int = 640, at: tuple[int, int] = (90, 60), grain: float = 3.0) -> Scene:
    """The person `side` pixels large, upper left corner `at`, in a larger backdrop; all of it with a camera's grain."""
    random = np.random.RandomState(1)
    small = Image.fromarray(person.at(0.0).pixels).resize((side, side), Image.Resampling.LANCZOS)
    backdrop = Image.fromarray(random.randint(60, 200, (9, 11, 3)).astype(np.uint8)).resize((side + 200, side + 140))
    backdrop.paste(small, at)
    photo = (np.asarray(backdrop) + random.normal(0, grain, (side + 140, side + 200, 1))).round().clip(0, 255).astype(np.uint8)
    x, y = at
    quad = np.array([[x, y], [x, y + side], [x + side, y + side], [x + side, y]], dtype=np.float64)
    scale = side / person.at(0.0).pixels.shape[0]
    matrix = np.array([[scale, 0, x], [0, scale, y], [0, 0, 1.0]])
    face = max(finder.find(photo), key=lambda one: one.width)
    return Scene(photo, Aligned(person.at(0.0).pixels, quad, matrix), face, person)


@pytest.fixture(scope="module")
def neutral(people: dict[int, Person], finder: FaceFinder) -> Scene:
    return scene(people[5007], finder)


@pytest.fixture(scope="module")
def smiling(people: dict[int, Person], finder: FaceFinder) -> Scene:
    return scene(people[5000], finder)


def smile(finder: FaceFinder, pixels: Pixels) -> float:
    return load("smile").of(finder.find(pixels)[0].blendshapes)


def detail(pixels: Pixels, where: NDArray[np.bool_]) -> float:
    """Root mean square of what is finer than two pixels, in levels."""
    grey = Image.fromarray(pixels).convert("L")
    fine = np.asarray(grey, dtype=np.float64) - np.asarray(grey.filter(ImageFilter.GaussianBlur(1.5)))
    return float(np.sqrt(np.square(fine[where]).mean()))


@pytest.mark.parametrize(
    ("which", "strength"),
    [
        ("neutral", 1.5),
        ("smiling", -1.5),
        *(pytest.param(*one, marks=pytest.mark.long) for one in (("neutral", -1.5), ("smiling", 1.5))),
    ],
)
def test_nothing_outside_the_face_changes_by_a_bit(which: str, strength: float, request: pytest.FixtureRequest) -> None:
    where: Scene = request.getfixturevalue(which)
    changed = (where.edit(strength) != where.photo).any(axis=2)
    assert changed.mean() > 0.01
    assert not changed[~where.face_region()].any()


def test_forehead_hair_and_ears_stay(neutral: Scene) -> None:
    changed = (neutral.edit(1.5) != neutral.photo).any(axis=2)
    eyes_top = neutral.face.landmarks[[159, 386], 1].min() - 0.3 * face_size(neutral.points)
    assert not changed[: int(eyes_top)].any()


def test_an_edit_that_changes_nothing_gives_the_photo(neutral: Scene, smiling: Scene) -> None:
    for where in (neutral, smiling):
        np.testing.assert_array_equal(where.edit(0.0), where.photo)


def test_the_photo_given_is_left_alone(neutral: Scene) -> None:
    before = neutral.photo.copy()
    neutral.edit(1.5)
    np.testing.assert_array_equal(neutral.photo, before)


def eye_regions(points: NDArray[np.float64], reach: float) -> list[tuple[slice, slice]]:
    """The windows of the photo with each eye and each brow, and `reach` pixels round them."""
    made = []
    for rows in (*EYES, *BROW_ROWS):
        part = points[[i for row in rows for i in row]]
        (x0, y0), (x1, y1) = (part.min(axis=0) - reach).astype(int), (part.max(axis=0) + reach).astype(int)
        made.append((slice(y0, y1), slice(x0, x1)))
    return made


def opening(points: NDArray[np.float64]) -> float:
    """How far the eyes are open in the middle, in pixels."""
    return float(np.mean([np.linalg.norm(points[above[4]] - points[below[4]]) for above, below in EYES]))


@pytest.mark.parametrize("strength", [1.5, -1.5])
def test_eyes_and_brows_that_stay_still_are_the_photos_to_the_bit(
    people: dict[int, Person], finder: FaceFinder, strength: float
) -> None:
    where = scene(people[5007 if strength > 0 else 5000], finder, side=320)
    original, edited = where.original(), where.person.at(strength)
    moved, still = (
        original.edit(edited, PARTS.model_copy(update={"still": still, "lift": 1.0, "squint": 0.5})) for still in (False, True)
    )
    for eye in eye_regions(where.points, 0.03 * original.size):
        assert np.array_equal(still[eye], where.photo[eye])
        assert not np.array_equal(moved[eye], where.photo[eye])
    (x0, y0), (x1, y1) = where.points[[61, 0]].min(axis=0).astype(int), where.points[[291, 17]].max(axis=0).astype(int)
    mouths = [pixels[y0:y1, x0:x1].astype(np.float64) for pixels in (where.photo, moved, still)]
    assert np.abs(mouths[2] - mouths[1]).mean() < 0.1 * np.abs(mouths[1] - mouths[0]).mean(), "the mouth is edited alike"


def test_an_edit_can_be_laid_in_both_ways_one_after_the_other(neutral: Scene) -> None:
    original, edited = neutral.original(), neutral.person.at(1.5)
    edit, alone = original.begin(edited, PARTS), [original.edit(edited, PARTS, lips_anew=anew) for anew in (False, True)]
    assert (alone[0] != alone[1]).any()
    for anew in (False, True, False):
        np.testing.assert_array_equal(edit.laid(lips_anew=anew), alone[anew])


def test_lids_rise_over_eyes_that_look_where_they_did(neutral: Scene, finder: FaceFinder) -> None:
    original, edited = neutral.original(), neutral.person.at(1.5)
    both = [PARTS.model_copy(update={"squint": squint}) for squint in (0.0, 1.0)]
    plain, smiles = (original.edit(edited, parts) for parts in both)
    meant = [original.begin(edited, parts).meant for parts in both]
    assert 0.53 < opening(meant[1]) / opening(meant[0]) < 0.75
    brows = [i for rows in BROW_ROWS for row in rows for i in row]
    np.testing.assert_allclose(meant[1][brows], meant[0][brows], atol=0.002 * original.size)
    faces = [finder.beside(one, neutral.points) for one in (plain, smiles)]
    before, after = (face.landmarks.astype(np.float64) for face in faces if face is not None)
    assert opening(after) < 0.9 * opening(before), "the landmarker, which thinks little of it, sees it too"
    for iris in (468, 473):
        x, y = before[iris].round().astype(int)
        pupil = np.s_[y - 2 : y + 3, x - 2 : x + 3]
        assert np.abs(plain[pupil].astype(float) - smiles[pupil]).mean() < 12, "levels: lids slide over an eyeball that stays"


def test_the_smile_arrives_in_the_photo(neutral: Scene, smiling: Scene, finder: FaceFinder) -> None:
    rising = [smile(finder, neutral.edit(strength)) for strength in STRENGTHS]
    wanted = smile(finder, neutral.person.at(1.5).pixels)
    assert rising == sorted(rising)
    assert rising[-1] > rising[0] + 0.75 * (wanted - rising[0])
    before, after = smile(finder, smiling.photo), smile(finder, smiling.edit(-1.5))
    assert before > 0.4
    assert after < 0.15


@pytest.mark.parametrize("strength", [0.75, 1.5])
def test_skin_keeps_the_photos_texture(neutral: Scene, strength: float) -> None:
    result = neutral.edit(strength)
    cheeks = np.zeros(neutral.photo.shape[:2], dtype=bool)
    reach = int(0.07 * face_size(neutral.points))
    for point in neutral.face.landmarks[[205, 425]].astype(int):
        cheeks[point[1] - reach : point[1] + reach, point[0] - reach : point[0] + reach] = True
    assert (result != neutral.photo).any(axis=2)[cheeks].mean() > 0.3
    assert 0.8 < detail(result, cheeks) / detail(neutral.photo, cheeks) < 1.25


def test_no_seam_where_the_change_ends(neutral: Scene, smiling: Scene) -> None:
    for where, strength in ((neutral, 1.5), (smiling, -1.5)):
        result = where.edit(strength)
        changed = Image.fromarray(((result != where.photo).any(axis=2) * 255).astype(np.uint8))
        solid = changed.filter(ImageFilter.MedianFilter(7))
        edge = np.asarray(solid.filter(ImageFilter.MaxFilter(5))) != np.asarray(solid.filter(ImageFilter.MinFilter(5)))
        energies = []
        for pixels in (result, where.photo):
            y, x = np.gradient(pixels.astype(np.float64).mean(axis=2))
            energies.append(float((x * x + y * y)[edge].mean()))
        assert energies[0] < 1.1 * energies[1]


def test_new_teeth_are_as_soft_as_the_photo(people: dict[int, Person], finder: FaceFinder) -> None:
    sharp = scene(people[5007], finder, grain=0.0)
    soft_photo = np.asarray(Image.fromarray(sharp.photo).filter(ImageFilter.GaussianBlur(2.5)))
    soft = replace(sharp, photo=soft_photo)
    results = [sharp.edit(1.5), soft.edit(1.5)]
    again = finder.find(results[0])[0].landmarks.astype(np.float64)
    assert mouth_gap(again) > 0.02 * face_size(again)
    mouth = np.zeros(sharp.photo.shape[:2], dtype=bool)
    (x0, y0), (x1, y1) = again[[61, 291, 13, 14]].min(axis=0).astype(int), again[[61, 291, 13, 14]].max(axis=0).astype(int)
    mouth[y0:y1, x0:x1] = True
    assert detail(results[1], mouth) < 0.6 * detail(results[0], mouth)


def test_a_reconstruction_that_sits_elsewhere_is_put_in_place(neutral: Scene) -> None:
    """Some pixels beside and a little larger: landmarks tell where it belongs."""
    shift = np.array([[1.015, 0, 5.0], [0, 1.015, -8.0], [0, 0, 1]])
    moved = replace(neutral, aligned=replace(neutral.aligned, matrix=neutral.aligned.matrix @ shift))
    difference = np.abs(moved.edit(1.5).astype(int) - neutral.edit(1.5)).mean(axis=2)
    assert difference[neutral.face_region()].mean() < 1.5


def test_what_hides_the_face_stays(neutral: Scene) -> None:
    """A dark rod over a cheek, which the generator knows nothing of."""
    photo = neutral.photo.copy()
    x, y = neutral.face.landmarks[425].astype(int)
    rod = (slice(y - 60, y + 140), slice(x + 10, x + 70))
    photo[rod] = (12, 16, 20)
    result = replace(neutral, photo=photo).edit(1.5)
    core = (slice(y - 40, y + 120), slice(x + 22, x + 58))
    assert np.abs(result[core].astype(int) - photo[core]).max() <= 3
    assert (result != photo).any(axis=2).mean() > 0.01


CUTS = (np.s_[:430, :], np.s_[:, :360], np.s_[300:, :])  # rows and columns of the photo that are left


@pytest.mark.parametrize("cut", CUTS, ids=["chin", "side", "forehead"])
def test_a_face_that_the_photo_cuts_off(neutral: Scene, cut: tuple[slice, slice]) -> None:
    photo = neutral.photo[cut].copy()
    offset = np.array([cut[1].start or 0, cut[0].start or 0])
    matrix = neutral.aligned.matrix.copy()
    matrix[:2, 2] -= offset
    face = replace(neutral.face, landmarks=neutral.face.landmarks - offset.astype(np.float32))
    aligned = Aligned(neutral.aligned.image, neutral.aligned.quad - offset, matrix)
    result = Original(photo, aligned.matrix, face.landmarks, neutral.person.at(0.0)).edit(neutral.person.at(1.5), PARTS)
    assert result.shape == photo.shape
    assert (result != photo).any()


def test_a_face_wholly_outside_changes_nothing(neutral: Scene) -> None:
    face = replace(neutral.face, landmarks=neutral.face.landmarks + np.float32(5000))
    result = Original(neutral.photo, neutral.aligned.matrix, face.landmarks, neutral.person.at(0.0)).edit(
        neutral.person.at(1.5), PARTS
    )
    np.testing.assert_array_equal(result, neutral.photo)


def test_two_faces_one_after_the_other(people: dict[int, Person], finder: FaceFinder) -> None:
    left, right = (scene(people[seed], finder, side=420) for seed in SEEDS[:2])
    photo = np.concatenate([left.photo, right.photo], axis=1)
    shift = np.array([left.photo.shape[1], 0], np.float32)
    matrix = right.aligned.matrix.copy()
    matrix[0, 2] += shift[0]
    originals = [
        Original(photo, left.aligned.matrix, left.face.landmarks, left.person.at(0.0)),
        Original(photo, matrix, right.face.landmarks + shift, right.person.at(0.0)),
    ]
    edits = [left.person.at(1.5), right.person.at(-1.5)]
    both = originals[1].edit(edits[1], PARTS, onto=originals[0].edit(edits[0], PARTS))
    other_way = originals[0].edit(edits[0], PARTS, onto=originals[1].edit(edits[1], PARTS))
    np.testing.assert_array_equal(both, other_way)
    np.testing.assert_array_equal(both[:, : int(shift[0])], left.edit(1.5))
    assert (both != photo).any(axis=2)[:, int(shift[0]) :].any()


def test_a_small_face_and_the_sample_photo(astronaut: Pixels, people: dict[int, Person], finder: FaceFinder) -> None:
    """Another person's reconstruction is the worst there can be: it still takes the smile away and leaves the rest."""
    face = finder.require(astronaut)[0]
    aligned = align(astronaut, face.landmarks)
    person = people[5000]
    result = Original(astronaut, aligned.matrix, face.landmarks, person.at(0.0)).edit(person.at(-1.5), PARTS)
    assert smile(finder, result) < smile(finder, astronaut) - 0.2
    changed = (result != astronaut).any(axis=2)
    assert 0 < changed.mean() < 0.12


def test_where_the_mesh_folds_over_itself_no_shade_is_taken(smiling: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the far cheek of a turned face: there one picture shows the cheek and the other what is behind it."""
    person, cheek = smiling.person, [366, 401]
    far = person.at(-1.5).landmarks.copy()
    far[cheek] += [0.12 * face_size(far), 0.0]
    original = Original(smiling.photo, smiling.aligned.matrix, smiling.face.landmarks, person.at(0.0))
    edited = Rendered(person.at(-1.5).pixels, far)
    still = replace(edited, pixels=person.at(0.0).pixels)  # another picture moved in the same way

    def shade(folded: float) -> NDArray[np.float64]:
        monkeypatch.setattr("core.composite.original._FOLDED", folded)
        change: NDArray[np.float64] = np.abs(original.edit(edited, PARTS) - original.edit(still, PARTS).astype(float)).mean(
            axis=2
        )
        return change

    anywhere, less = shade(0.0), shade(_FOLDED)
    changed = np.abs(anywhere - less) > 3
    assert changed.any()
    assert (less < anywhere)[changed].all()
    assert folded([with_rim(far), with_rim(person.at(-1.5).landmarks)])[(triangles() == cheek[0]).any(axis=1)].any()


def test_a_turned_head_is_no_expression(neutral: Scene) -> None:
    points = np.asarray(neutral.face.landmarks, dtype=np.float64)
    angle = np.radians(4)
    turn = 1.04 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (points - points.mean(axis=0)) @ turn.T + points.mean(axis=0) + [12.0, -7.0]
    target = target_points(points, points, turned, PARTS)
    assert np.abs(target - points[:468]).max() < 0.002 * face_size(points)


def test_lips_that_the_edit_closes_are_closed(smiling: Scene) -> None:
    """Though the photo's mouth stands further open than the reconstruction's."""
    photo = np.asarray(smiling.face.landmarks, dtype=np.float64)
    edited = photo.copy()
    above, below = [82, 13, 312], [87, 14, 317]
    middle = (edited[above] + edited[below]) / 2
    edited[above] = edited[below] = middle
    reconstructed = photo.copy()
    reconstructed[above] = middle + 0.6 * (photo[above] - middle)
    reconstructed[below] = middle + 0.6 * (photo[below] - middle)
    target = target_points(photo, reconstructed, edited, PARTS)
    gaps = np.linalg.norm(target[above] - target[below], axis=1)
    assert gaps.max() < 0.003 * face_size(photo)


def test_glasses_keep_their_rims(people: dict[int, Person], finder: FaceFinder) -> None:
    """The generator's rims lie elsewhere after the edit; the difference would wash out the photo's."""
    one = scene(people[5015], finder)
    eyes, nose, left, right = one.face.landmarks[[145, 4, 234, 454]].astype(int)
    pictures = one.photo, one.edit(-1.5)
    before, after = (int((p[eyes[1] : nose[1], left[0] : right[0]].mean(axis=2) < 70).sum()) for p in pictures)
    assert after > 0.9 * before > 900


def test_rims_of_glasses_stay_where_lids_rise_behind_them(people: dict[int, Person], finder: FaceFinder) -> None:
    one = scene(people[5015], finder)
    raised = one.original().edit(one.person.at(0.0), PARTS.model_copy(update={"squint": 1.0}))
    lid, nose, left, right = one.face.landmarks[[145, 4, 234, 454]].astype(int)
    below = np.s_[lid[1] + 10 : nose[1], left[0] : right[0]]
    rims = one.photo[below].mean(axis=2) < 70
    change = np.abs(raised[below].astype(np.float64) - one.photo[below]).mean(axis=2)[rims]
    assert rims.sum() > 500
    assert change.mean() < 4
