"""Faces are found, once each, at any size and tilt; numbered, measured, and refused where an edit can't use them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import FaceTooSmall, FaceTurnedAway, NoFace
from core.expressions import default
from core.faces import Face, FaceFinder, native
from core.faces.detect import MOST, MOST_LOOKS, Detector, Find, finding, shrunk
from core.faces.landmarks import _pose
from core.faces.native import Native
from core.generator import Generator, seed_w
from core.rendering import Renderer
from core.settings import Settings

pytestmark = pytest.mark.slow

Pixels = NDArray[np.uint8]
HEAD = (90, 0, 350, 260)  # of the sample photo: left, top, right, bottom


@pytest.fixture(scope="module")
def finder(settings: Settings) -> Iterator[FaceFinder]:
    with FaceFinder(settings) as one:
        yield one


def _resized(pixels: Pixels, scale: float) -> Pixels:
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _sample(astronaut_path: Path, name: str) -> Pixels:
    """Another free picture of the package that carries the sample photo."""
    with Image.open(astronaut_path.parent / name) as image:
        return np.asarray(image.convert("RGB"))


def _wall(astronaut: Pixels, heads: list[tuple[int, int, int, float]]) -> Pixels:
    """A grey wall 2000 x 1200 with heads: centre x, centre y, side in pixels, degrees clockwise."""
    wall = Image.new("RGB", (2000, 1200), (128, 128, 128))
    for x, y, side, degrees in heads:
        head = Image.fromarray(astronaut).crop(HEAD).resize((side, side), Image.Resampling.LANCZOS)
        mask = Image.new("L", head.size, 255)
        turned, shape = (part.rotate(-degrees, Image.Resampling.BICUBIC, expand=True) for part in (head, mask))
        wall.paste(turned, (x - turned.width // 2, y - turned.height // 2), shape)
    return np.asarray(wall)


def test_the_sample_smiles_at_the_camera(finder: FaceFinder, astronaut: Pixels) -> None:
    (face,) = finder.require(astronaut)
    assert face.landmarks.shape == (478, 2)
    assert 150 < face.box[0] < face.box[2] < 300
    assert len(face.blendshapes) == 52
    assert default().of(face.blendshapes) > 0.7
    assert max(abs(angle) for angle in face.pose) < 15


def test_the_points_lie_on_what_they_name(finder: FaceFinder, astronaut: Pixels) -> None:
    """Read off the enlarged sample photo by eye: outer corners of the eyes, pupils, corners of the mouth, chin."""
    (face,) = finder.find(astronaut)
    seen = {33: (194, 101), 263: (258, 104), 468: (203, 101), 473: (247, 103), 61: (203, 140), 291: (246, 139), 152: (224, 178)}
    for index, place in seen.items():
        assert np.hypot(*(face.landmarks[index] - place)) < 3, f"{index}: {face.landmarks[index]}"


def test_a_tilted_photo_turns_points_and_roll_and_nothing_else(finder: FaceFinder, astronaut: Pixels) -> None:
    head = np.ascontiguousarray(astronaut[:300, 70:370])
    (upright,) = finder.find(head)
    for turns in (1, 2, 3):
        (face,) = finder.find(np.ascontiguousarray(np.rot90(head, -turns)))  # quarters clockwise
        back = face.landmarks - 150
        for _ in range(turns):
            back = np.stack([back[:, 1], -back[:, 0]], axis=1)
        assert np.hypot(*(back + 150 - upright.landmarks).T).mean() < 1.0, f"{turns} quarters"
        assert (face.pose[2] - upright.pose[2] - 90 * turns + 180) % 360 - 180 == pytest.approx(0, abs=2)
        assert face.pose[:2] == pytest.approx(upright.pose[:2], abs=2)


def test_a_mirrored_photo_looks_the_other_way(finder: FaceFinder, generator: Generator) -> None:
    picture = Renderer(generator).images(generator.broadcast(seed_w(generator, [20009], 1.0)))[0]
    (face,), (mirrored,) = finder.find(picture), finder.find(np.ascontiguousarray(picture[:, ::-1]))
    assert abs(face.pose[0]) > 15
    assert mirrored.pose[0] == pytest.approx(-face.pose[0], abs=3)
    assert mirrored.pose[1] == pytest.approx(face.pose[1], abs=3)
    assert mirrored.pose[2] == pytest.approx(-face.pose[2], abs=3)
    nose, cheeks = face.landmarks[1, 0], face.landmarks[[234, 454], 0].mean()
    assert (nose > cheeks) == (face.pose[0] > 0), "a positive yaw points the nose to the picture's right"


@pytest.mark.parametrize(
    ("axis", "degrees", "expected"),
    [("x", -20, (0, 20, 0)), ("y", 30, (30, 0, 0)), ("z", 15, (0, 0, -15))],
    ids=["nose up", "nose to the right", "head counter-clockwise"],
)
def test_angles_of_known_rotations(axis: str, degrees: float, expected: tuple[float, float, float]) -> None:
    """The right-hand rule about x (right), y (up), z (to the viewer)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    assert _pose(matrix * [[2, 2, 2, 1]] * 1.0) == pytest.approx(expected, abs=1e-9), "whatever the head's size"


def find_all(detector: Detector, pixels: Pixels) -> list[Find]:
    """Every face of the picture, after the last step."""
    *_, found = finding(detector, pixels)
    return found


def test_a_sheet_of_faces_costs_no_more_than_a_large_group(finder: FaceFinder, astronaut: Pixels) -> None:
    """One small file may hold hundreds of heads; everybody who waits behind it would pay for them."""
    heads = [(60 + 110 * x, 60 + 110 * y, 100, 0.0) for x in range(12) for y in range(8)]
    calls = 0

    def detect(pixels: Pixels) -> list[Find]:
        nonlocal calls
        calls += 1
        return finder._native.detect(pixels)

    assert len(find_all(detect, _wall(astronaut, heads))) == MOST
    windows = 1 + 9 + 49 + 225  # of the four levels of a square photo
    assert calls <= windows + 8 * MOST_LOOKS, "two views in four turns for each second look"


def test_every_face_of_a_crowd_is_found_once(finder: FaceFinder, astronaut: Pixels) -> None:
    heads = [
        (200, 200, 300, 0.0), (520, 150, 110, 20.0), (700, 160, 90, -30.0), (950, 220, 220, 90.0),
        (1250, 150, 100, 180.0), (1500, 200, 160, -75.0), (1800, 250, 260, 10.0), (150, 600, 120, 0.0),
        (420, 620, 200, 150.0), (800, 700, 320, -15.0), (1300, 650, 100, 45.0), (1700, 800, 240, 0.0),
        (300, 1000, 100, 0.0), (1100, 1050, 120, -100.0),
    ]  # fmt: skip
    wall = _wall(astronaut, heads)
    assert len(find_all(finder._native.detect, wall)) == len(heads)
    faces = finder.find(wall)
    assert len(faces) == len(heads)
    assert [face.index for face in faces] == list(range(len(heads)))
    for face, (x, y, side, degrees) in zip(faces, sorted(heads), strict=True):
        assert np.hypot(*(face.centre - [x, y])) < 0.2 * side, "numbered left to right"
        assert (face.pose[2] - degrees + 180) % 360 - 180 == pytest.approx(0, abs=8)
        assert face.width == pytest.approx(0.33 * side, rel=0.15)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 8.0])
def test_points_scale_with_the_photo(finder: FaceFinder, astronaut: Pixels, scale: float) -> None:
    (face,), (scaled,) = finder.find(astronaut), finder.find(_resized(astronaut, scale))
    assert np.hypot(*(scaled.landmarks / scale - face.landmarks).T).mean() < 0.02 * face.width


def test_a_passer_by_is_not_counted(finder: FaceFinder, astronaut: Pixels) -> None:
    faces = finder.find(_wall(astronaut, [(600, 600, 1000, 0.0), (1500, 300, 200, 0.0), (1700, 900, 110, 0.0)]))
    assert [round(face.centre[0] / 100) for face in faces] == [6, 15]


SHORT, MORE = ("cell.png", "clock_motion.png", "coffee.png"), ("chelsea.png", "rocket.jpg", "gravel.png")


@pytest.mark.parametrize("name", [*SHORT, *(pytest.param(name, marks=pytest.mark.long) for name in MORE)])
def test_no_face_is_seen_where_there_is_none(finder: FaceFinder, astronaut_path: Path, name: str) -> None:
    pixels = _sample(astronaut_path, name)
    assert finder.find(pixels) == []
    with pytest.raises(NoFace):
        finder.require(_resized(pixels, 2.5))


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (64, 64), (5000, 40)])
def test_odd_shapes_hold_no_face(finder: FaceFinder, size: tuple[int, int]) -> None:
    assert finder.find(np.full((*size, 3), 90, np.uint8)) == []


def test_a_small_face_is_said_with_its_size(finder: FaceFinder, astronaut: Pixels) -> None:
    assert finder.require(_resized(astronaut, 0.7)), "56 pixels are enough"
    for scale in (0.5, 0.3):
        with pytest.raises(FaceTooSmall) as caught:
            finder.require(_resized(astronaut, scale))
        assert caught.value.facts["pixels"] == pytest.approx(84 * scale, abs=5)


def test_a_small_face_beside_a_large_one_is_left_out(finder: FaceFinder, astronaut: Pixels) -> None:
    wall = _wall(astronaut, [(300, 300, 100, 0.0), (1200, 600, 500, 0.0)])
    assert len(finder.find(wall)) == 2
    (face,) = finder.require(wall)
    assert face.index == 0
    assert face.centre[0] > 1000


def test_a_face_in_profile_is_refused(finder: FaceFinder, astronaut_path: Path) -> None:
    with pytest.raises(FaceTurnedAway) as caught:
        finder.require(_resized(_sample(astronaut_path, "camera.png"), 3))
    degrees = caught.value.facts["degrees"]
    assert isinstance(degrees, int | float)
    assert 45 < degrees < 75


def test_a_view_of_pixels_is_as_good_as_a_copy(finder: FaceFinder, astronaut: Pixels) -> None:
    (face,), (again,) = finder.find(astronaut), finder.find(astronaut[:, ::-1][:, ::-1])
    assert np.array_equal(face.landmarks, again.landmarks)
    assert _facts(face) == _facts(again), "the same picture gives the same numbers"


def _facts(face: Face) -> tuple[object, ...]:
    return face.box, face.blendshapes, face.pose


def test_the_native_library_keeps_quiet(settings: Settings, astronaut_path: Path) -> None:
    """From the first load to the interpreter's exit, closed or not: stderr is the user's."""
    code = """
import sys, pathlib
from core.faces import FaceFinder, load_photo
from core.settings import Settings
settings = Settings.load({"EGAO_CACHE": sys.argv[1]})
finder = FaceFinder(settings)
print(len(finder.find(load_photo(pathlib.Path(sys.argv[2]), settings).pixels)))
assert not any(name.startswith("matplotlib") for name in sys.modules), "it takes longer than MediaPipe, and nothing here plots"
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings.cache), str(astronaut_path)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_complaint_that_comes_with_a_later_picture_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where memory is aligned by chance while the networks start, MediaPipe complains once, at some picture after it."""
    said = threading.Event()
    monkeypatch.setattr(native, "_unaligned_was_said", said)
    lines = iter(["another line\n", "W0000 x.cc:1433] Input tensor memory is not aligned according to\n", "its last words\n"])

    def detect(_: object) -> SimpleNamespace:
        os.write(2, next(lines).encode())
        return SimpleNamespace(detections=[], face_landmarks=[], face_blendshapes=[], facial_transformation_matrixes=[])

    networks = Native.__new__(Native)
    for name, made in (("_mp", native.media_pipe()), ("_turn", threading.Lock())):
        monkeypatch.setattr(networks, name, made, raising=False)
    for name in ("_detector", "_landmarker"):
        monkeypatch.setattr(networks, name, SimpleNamespace(detect=detect), raising=False)
    blank = np.zeros((64, 64, 3), np.uint8)
    networks.landmarks(blank)
    networks.detect(blank)
    networks.detect(blank)
    assert said.is_set()
    assert capfd.readouterr().err == "its last words\n", "once it was said nothing is held back: a crash may follow"


@pytest.mark.parametrize("shape", [(1200, 1600), (300, 5200), (4100, 777), (1723, 1001)])
@pytest.mark.parametrize("scale", [1.0, 1.3, 2.9, 3.99, 4.0, 5.7, 17.0])
def test_a_photo_is_made_smaller_in_strips_as_it_would_be_whole(shape: tuple[int, int], scale: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    size = (round(shape[1] / scale), round(shape[0] / scale))
    whole = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    assert np.abs(shrunk(pixels, size).astype(int) - np.asarray(whole)).max() <= (0 if scale >= 4 else 1)


def test_the_largest_panorama_is_searched_without_a_copy_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole one is 51 million pixels, of which each takes four bytes more where Pillow holds it."""
    held: list[int] = []
    whole = Image.fromarray

    def seen(pixels: NDArray[np.uint8], *more: Any) -> Image.Image:
        held.append(pixels.shape[0] * pixels.shape[1])
        return whole(pixels, *more)

    monkeypatch.setattr(Image, "fromarray", seen)
    find_all(lambda _: [], np.zeros((600, 20_000, 3), np.uint8))
    assert held
    assert max(held) < 3_500_000
