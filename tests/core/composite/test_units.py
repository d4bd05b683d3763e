"""Muscles that move the photo's own face: each moves what its name says, and where the face's own axes point."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from core.composite import Original, Rendered
from core.composite.mesh import COUNT, EYES, LIPS_INSIDE, LIPS_OUTSIDE, OVAL, Points, face_size
from core.composite.motion import target_points
from core.composite.units import Muscles, lips_together
from core.expressions import Parts, Unit, load, names
from core.faces import FaceFinder
from core.settings import Settings

INNER, OUTER = (107, 336), (70, 300)  # ends of the brows
UPPER_LIDS = tuple(i for above, _ in EYES for i in above[3:6])
WINGS, CORNERS, UPPER_LIP, LOWER_LIP = (48, 278), (61, 291), LIPS_OUTSIDE[0][3:8], LIPS_OUTSIDE[1][3:8]
MOVED: dict[Unit, dict[str, tuple[int, ...]]] = {  # which points go where
    "inner-brow-raiser": {"up": INNER},
    "outer-brow-raiser": {"up": OUTER},
    "brow-lowerer": {"down": INNER, "in": INNER},
    "upper-lid-raiser": {"up": UPPER_LIDS},
    "nose-wrinkler": {"up": WINGS, "out": WINGS},
    "upper-lip-raiser": {"up": UPPER_LIP},
    "lip-corner-depressor": {"down": CORNERS},
    "lip-stretcher": {"out": CORNERS, "down": CORNERS},
}
PLACES = {"brows": (*INNER, *OUTER), "lids": UPPER_LIDS, "nose": WINGS, "mouth": (*CORNERS, *UPPER_LIP, *LOWER_LIP)}


@pytest.fixture(scope="module")
def points(settings: Settings, astronaut: np.ndarray) -> Points:
    with FaceFinder(settings) as finder:
        (face,) = finder.find(astronaut)
    return np.asarray(face.landmarks, dtype=np.float64)[:COUNT]


def ways(field: Points, points: Points) -> dict[str, np.ndarray]:
    """Split a field [468, 2] into face sizes up and outwards, each [468]."""
    down, right = points[152] - points[10], points[263] - points[33]
    down, right = down / np.linalg.norm(down), right / np.linalg.norm(right)
    up, across = -(field @ down) / face_size(points), field @ right / face_size(points)
    outwards = across * np.sign((points - points[1]) @ right)
    return {"up": up, "down": -up, "out": outwards, "in": -outwards}


@pytest.mark.parametrize("unit", get_args(Unit))
def test_a_muscle_moves_what_its_name_says_and_nothing_else(unit: Unit, points: Points) -> None:
    field = Muscles(points).moved({unit: 1.0})
    found, named = ways(field, points), MOVED[unit]
    for way, there in named.items():
        assert found[way][list(there)].mean() > 0.003, f"{way}: seen by anyone"
    length = np.linalg.norm(field, axis=1) / face_size(points)
    assert length[list(OVAL)].max() == 0, "the face keeps its outline"
    meant = {place for there in named.values() for place, ids in PLACES.items() if set(there) & set(ids)}
    for place in PLACES.keys() - meant:
        assert length[list(PLACES[place])].max() < 0.3 * length.max(), f"{place} stay where they are"


def test_each_end_of_a_brow_has_its_own_muscle(points: Points) -> None:
    cases: list[tuple[Unit, tuple[int, ...], tuple[int, ...]]]
    cases = [("inner-brow-raiser", INNER, OUTER), ("outer-brow-raiser", OUTER, INNER)]
    for unit, most, least in cases:
        up = ways(Muscles(points).moved({unit: 1.0}), points)["up"]
        assert up[list(most)].mean() > 0.02
        assert abs(up[list(least)]).max() < 0.002


def test_an_eye_that_is_wide_open_opens_no_further(points: Points) -> None:
    wide = points.copy()
    for above, below in EYES:
        middle = (wide[list(above)] + wide[list(below)]) / 2
        for row in (above, below):
            wide[list(row)] = middle + 2 * (wide[list(row)] - middle)
    rise = [ways(Muscles(of).moved({"upper-lid-raiser": 1.0}), of)["up"][list(UPPER_LIDS)].mean() for of in (points, wide)]
    assert rise[0] > 0.005
    assert rise[1] < 0.2 * rise[0]


def test_amounts_add_up_and_turn_with_the_head(points: Points) -> None:
    units: dict[Unit, float] = {"brow-lowerer": 0.7, "nose-wrinkler": 1.5, "lip-stretcher": 1.2}
    apart = [amount * Muscles(points).moved({unit: 1.0}) for unit, amount in units.items()]
    whole = Muscles(points).moved(units)
    np.testing.assert_allclose(whole, sum(apart), atol=1e-9)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(Muscles(points @ turn).moved(units), whole @ turn, atol=1e-6)
    assert not Muscles(points).moved({}).any()


def test_a_frown_is_undone_and_eyes_smile_by_fields_of_their_own(points: Points) -> None:
    up = ways(Muscles(points).lifted, points)["up"]
    assert min(up[list(INNER)].min(), up[list(OUTER)].min()) > 0.01
    up = ways(Muscles(points).rising, points)["up"]
    assert min(up[below[4]] for _, below in EYES) > 0
    assert up[[50, 280]].min() > 0.01, "cheeks push from below"


def gaps(points: Points) -> np.ndarray:
    """How far the lips are apart along their length, in face sizes: [11]."""
    down = (points[152] - points[10]) / np.linalg.norm(points[152] - points[10])
    above, below = (points[list(row)] for row in LIPS_INSIDE)
    return np.asarray((below - above) @ down / face_size(points))


def parted(points: Points, gap: float) -> Points:
    """Drop the lower lip until the lips are at most `gap` face sizes apart, widest in the middle."""
    closed = points.copy()
    closed[list(LIPS_INSIDE[1])] = closed[list(LIPS_INSIDE[0])]
    drop = gap * face_size(points) * (1 - np.linspace(-1, 1, 11) ** 2)
    for row in (LIPS_INSIDE[1], LIPS_OUTSIDE[1]):
        closed[list(row), 1] += drop
    return closed


def test_parted_lips_come_together_and_the_jaw_with_them(points: Points) -> None:
    open_mouth = parted(points, 0.06)
    for share in (0.5, 1.0):
        field = lips_together(open_mouth, share)
        np.testing.assert_allclose(gaps(open_mouth + field), (1 - share) * gaps(open_mouth), atol=1e-3)
    found = ways(field, points)["up"]
    assert found[LIPS_INSIDE[1][5]] > 2 * -found[LIPS_INSIDE[0][5]] > 0, "the lower lip does most of it"
    assert found[18] > 0.01, "the skin below follows"
    assert not field[[*OVAL, *UPPER_LIDS, *INNER]].any()
    agape = parted(points, 0.15)
    assert not lips_together(agape, 1.0).any(), "a mouth that is wide open stays so"


def test_a_face_moved_to_rest_shuts_its_mouth(points: Points) -> None:
    open_mouth = parted(points, 0.06)
    shut, left = (target_points(open_mouth, open_mouth, open_mouth, Parts(shut=share)) for share in (1.0, 0.0))
    assert gaps(shut).max() < 0.005 < gaps(left).max()
    assert Parts(shut=0.4).at(0.5).shut == pytest.approx(0.2)
    assert Parts().eased(0.0, 0.0, 0.0, 0.0, 1.0).shut == 1


def test_what_moves_goes_with_the_step_and_never_backwards(points: Points) -> None:
    parts = Parts(units={"inner-brow-raiser": 0.8}, squint=0.4)
    assert parts.at(0.5) == Parts(units={"inner-brow-raiser": 0.4}, squint=0.2)
    assert parts.at(-1.0) == parts.at(0.0)
    still = target_points(points, points, points, parts.at(0.0))
    assert np.array_equal(still, points)
    small, large = (
        ways(target_points(points, points, points, parts.at(step)) - points, points)["up"][list(INNER)].mean()
        for step in (0.5, 1.0)
    )
    assert 0 < 1.5 * small < large


def test_the_photos_own_pixels_move_where_nothing_was_drawn(settings: Settings, astronaut: np.ndarray) -> None:
    with FaceFinder(settings) as finder:
        (face,) = finder.find(astronaut)
        drawn = Rendered(astronaut, face.landmarks.astype(np.float64))
        original = Original(astronaut, np.eye(3), face.landmarks, drawn)
        assert np.array_equal(original.edit(drawn, Parts()), astronaut)
        raised = original.edit(drawn, Parts(units={"inner-brow-raiser": 1.0}))
        (after,) = finder.find(raised)
    mouth = np.s_[int(face.landmarks[list(LIPS_INSIDE[0]), 1].min()) :]
    assert np.array_equal(raised[mouth], astronaut[mouth])
    seen = ways(after.landmarks[:COUNT] - original.points[:COUNT], original.points[:COUNT])["up"]
    assert seen[list(INNER)].mean() > 0.01, "face sizes: the landmarker sees raised brows, if not as far as they were put"


def test_expressions_that_ship_name_muscles_of_their_own() -> None:
    assert {name for name in names() if load(name).parts.units} >= {"disgust", "fear"}
