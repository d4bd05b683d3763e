"""Faces are found, numbered, measured and aligned; the sample photo and pictures made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.emotion import smile_score
from core.errors import FaceTooSmall, FaceTurnedAway, NoFace
from core.faces import FaceFinder, align, ffhq_quad
from core.generator import Generator, seed_w
from core.generator.render import Renderer
from core.settings import Settings
from core.weights import weight_path


@pytest.fixture(scope="module")
def finder(settings: Settings) -> Iterator[FaceFinder]:
    with FaceFinder(settings) as one:
        yield one


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def test_the_sample_smiles_at_the_camera(finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    (face,) = finder.require(astronaut)
    assert face.landmarks.shape == (478, 2)
    assert 150 < face.box[0] < face.box[2] < 300
    assert smile_score(face) > 0.7
    assert max(abs(angle) for angle in face.pose) < 15


def test_pose_signs(finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    turned = np.asarray(Image.fromarray(astronaut).rotate(-20, Image.Resampling.BICUBIC, center=(220, 110)))
    (upright,), (clockwise,) = finder.find(astronaut), finder.find(turned)
    assert clockwise.pose[2] - upright.pose[2] == pytest.approx(20, abs=3)
    (mirrored,) = finder.find(np.ascontiguousarray(astronaut[:, ::-1]))
    assert mirrored.pose[0] == pytest.approx(-upright.pose[0], abs=2)
    assert mirrored.pose[2] == pytest.approx(-upright.pose[2], abs=2)


def test_faces_are_numbered_from_the_left(finder: FaceFinder, generator: Generator) -> None:
    pictures = Renderer(generator).images(generator.broadcast(seed_w(generator, [600, 603, 601])))
    faces = finder.find(np.concatenate([_resized(picture, 0.4) for picture in pictures], axis=1))
    assert [face.index for face in faces] == [0, 1, 2]
    assert [int(face.centre[0]) // 410 for face in faces] == [0, 1, 2]


def test_small_faces_of_a_large_picture_are_found_once(finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    wall = np.full((1200, 2000, 3), 128, np.uint8)
    head = _resized(np.ascontiguousarray(astronaut[:260, 90:350]), 0.6)
    places = [(100, 60), (900, 700), (1700, 300), (300, 950)]
    for x, y in places:
        wall[y : y + head.shape[0], x : x + head.shape[1]] = head
    assert [round(float(face.centre[0])) // 100 for face in finder.find(wall)] == sorted((x + 78) // 100 for x, _ in places)


def test_no_face_is_said(finder: FaceFinder) -> None:
    with pytest.raises(NoFace):
        finder.require(np.full((400, 400, 3), 90, np.uint8))
    with pytest.raises(NoFace):
        finder.require(np.zeros((1, 1, 3), np.uint8))


def test_a_small_face_is_said_with_its_size(finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    assert finder.require(_resized(np.ascontiguousarray(astronaut[:300, 60:380]), 0.6)), "55 pixels are enough"
    with pytest.raises(FaceTooSmall, match=r"\d+ pixels across"):
        finder.require(_resized(astronaut, 0.45))


def test_a_face_in_profile_is_refused(finder: FaceFinder, astronaut: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    from core.faces import landmarks

    monkeypatch.setattr(landmarks, "MAX_YAW", 0.1)  # no free photo of a profile: the sample is turned by one degree
    with pytest.raises(FaceTurnedAway):
        finder.require(astronaut)


def _dlib_quad(pixels: NDArray[np.uint8], predictor: dlib.shape_predictor) -> NDArray[np.float64]:
    """The data set's own alignment: dlib's 68 points, eyes 36-41 and 42-47, mouth corners 48 and 54."""
    (box,) = dlib.get_frontal_face_detector()(pixels, 1)[:1]
    p = np.array([[part.x, part.y] for part in predictor(pixels, box).parts()], dtype=np.float64)
    left, right, mouth = p[36:42].mean(axis=0), p[42:48].mean(axis=0), (p[48] + p[54]) / 2
    eyes = (left + right) / 2
    x = (right - left) - np.flipud(mouth - eyes) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*(right - left)) * 2.0, np.hypot(*(mouth - eyes)) * 1.8)
    y = np.flipud(x) * [-1, 1]
    centre = eyes + (mouth - eyes) * 0.1
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def test_the_square_is_that_of_the_original_alignment(
    finder: FaceFinder, settings: Settings, astronaut: NDArray[np.uint8], generator: Generator
) -> None:
    predictor = dlib.shape_predictor(str(weight_path(settings, "identity-landmarks")))
    drawn = Renderer(generator).images(generator.broadcast(seed_w(generator, [5000, 5001, 5002, 5003])))
    errors = []
    for pixels in [astronaut, *(_resized(picture, 0.5) for picture in drawn)]:
        expected = _dlib_quad(pixels, predictor)
        quad = ffhq_quad(finder.find(pixels)[0].landmarks)
        errors.append(np.hypot(*(quad - expected).T).mean() / np.hypot(*(expected[3] - expected[0])))
    assert max(errors) < 0.04
    assert np.mean(errors) < 0.02


def test_aligning_an_aligned_face_changes_little(finder: FaceFinder, generator: Generator) -> None:
    """The generator draws faces where FFHQ has them."""
    picture = Renderer(generator).images(generator.broadcast(seed_w(generator, [600])))[0]
    quad = ffhq_quad(finder.find(picture)[0].landmarks)
    assert np.abs(quad - [[0, 0], [0, 1024], [1024, 1024], [1024, 0]]).max() < 60


def test_the_matrix_leads_back_into_the_photo(finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    turned = np.asarray(Image.fromarray(astronaut).rotate(12, Image.Resampling.BICUBIC, center=(220, 110)))
    (face,) = finder.find(turned)
    aligned = align(turned, face.landmarks, 512)
    corners = np.array([[0, 0, 1], [0, 512, 1], [512, 512, 1], [512, 0, 1]], dtype=float) @ aligned.matrix.T
    assert np.allclose(corners[:, :2], aligned.quad, atol=1e-9)
    (again,) = finder.find(aligned.image)
    back = np.c_[again.landmarks, np.ones(478)] @ aligned.matrix.T
    assert np.hypot(*(back[:, :2] - face.landmarks).T).mean() < 1.0  # pixels of the photo


def test_where_the_photo_ends_it_is_mirrored_and_faded(finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    cut = np.ascontiguousarray(astronaut[40:])  # the square now reaches above the photo
    (face,) = finder.find(cut)
    aligned = align(cut, face.landmarks, 512)
    assert aligned.quad[:, 1].min() < -20
    inside = align(astronaut, face.landmarks + np.float32([0, 40]), 512).image
    assert np.abs(aligned.image[200:400, 150:350].astype(int) - inside[200:400, 150:350]).mean() < 3
    assert aligned.image[:20].std() < inside[200:300].std(), "what is made up is smooth"


def test_large_photos_are_averaged_down_not_skipped_over(finder: FaceFinder) -> None:
    """A pattern finer than a crop pixel must come out as its mean, not as moiré."""
    fine = ((np.indices((2400, 2400)).sum(axis=0) % 2) * 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    landmarks = np.zeros((478, 2), np.float32)
    for index, x, y in ((33, 900, 1000), (133, 900, 1000), (362, 1500, 1000), (263, 1500, 1000)):
        landmarks[index] = x, y
    landmarks[61], landmarks[291] = (1000, 1600), (1400, 1600)
    for index in (160, 158, 153, 144):
        landmarks[index] = 900, 1000
    for index in (385, 387, 373, 380):
        landmarks[index] = 1500, 1000
    crop = align(fine, landmarks, 256).image[64:192, 64:192]
    assert abs(crop.mean() - 127.5) < 3
    assert crop.std() < 12


def test_align_writes_a_crop_for_each_face(
    settings: Settings, astronaut_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    result = CliRunner().invoke(app, ["align", str(astronaut_path), "-o", str(tmp_path), "--size", "256"], catch_exceptions=False)
    assert result.exit_code == 0
    with Image.open(tmp_path / "astronaut-face1.png") as crop:
        assert crop.size == (256, 256)
