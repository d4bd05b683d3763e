"""Alignment: the square is the data set's own, the crop is what lies under it, and the matrix leads back."""

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
from core.faces import FaceFinder, align, ffhq_quad
from core.faces.align import EYE_LEFT, EYE_RIGHT, EYES_LOWER, MOUTH_LEFT, MOUTH_LOWER, MOUTH_RIGHT
from core.generator import Generator, seed_w
from core.rendering import Renderer
from core.settings import Settings
from core.weights.cache import weight_path

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def finder(settings: Settings) -> Iterator[FaceFinder]:
    with FaceFinder(settings) as one:
        yield one


def _landmarks(left: tuple[float, float], right: tuple[float, float], mouth: tuple[float, float]) -> NDArray[np.float32]:
    """The points of a face whose eyes and mouth are dots, as MediaPipe would put it: a little above dlib's."""
    eyes, down = np.add(left, right) / 2, np.subtract(mouth, np.add(left, right) / 2)
    down = down / (1 + MOUTH_LOWER - EYES_LOWER)
    eyes = eyes - EYES_LOWER * down
    points = np.zeros((478, 2), np.float32)
    points[list(EYE_LEFT)] = left - EYES_LOWER * down
    points[list(EYE_RIGHT)] = right - EYES_LOWER * down
    points[[MOUTH_LEFT, MOUTH_RIGHT]] = eyes + down
    return points


def test_the_square_by_hand() -> None:
    """Eyes 100 apart, mouth 100 below: half side 2.0 * 100, centre a tenth of the way down."""
    quad = ffhq_quad(_landmarks((450, 400), (550, 400), (500, 500)))
    assert np.abs(quad - [[300, 210], [300, 610], [700, 610], [700, 210]]).max() < 1e-3
    long_face = ffhq_quad(_landmarks((450, 400), (550, 400), (500, 600)))  # now 1.8 * 200 is the larger
    assert np.abs(long_face[0] - [500 - 360, 420 - 360]).max() < 1e-3


def test_the_square_leans_with_the_face() -> None:
    """Eyes on a vertical line, mouth to the left: the head lies on its side, turned a quarter clockwise."""
    quad = ffhq_quad(_landmarks((500, 450), (500, 550), (400, 500)))
    assert np.abs(quad - [[690, 300], [290, 300], [290, 700], [690, 700]]).max() < 1e-3


def _dlib_quad(pixels: Pixels, predictor: dlib.shape_predictor) -> NDArray[np.float64]:
    """The data set's own alignment: dlib's 68 points, eyes 36-41 and 42-47, mouth corners 48 and 54."""
    (box,) = dlib.get_frontal_face_detector()(pixels, 0)[:1]  # as large as it is: the faces here fill their pictures
    p = np.array([[part.x, part.y] for part in predictor(pixels, box).parts()], dtype=np.float64)
    left, right, mouth = p[36:42].mean(axis=0), p[42:48].mean(axis=0), (p[48] + p[54]) / 2
    eyes = (left + right) / 2
    x = (right - left) - np.flipud(mouth - eyes) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*(right - left)) * 2.0, np.hypot(*(mouth - eyes)) * 1.8)
    y = np.flipud(x) * [-1, 1]
    centre = eyes + (mouth - eyes) * 0.1
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


FEW, ALL = (5000, 5001), (5000, 5001, 5002, 5003)


@pytest.mark.parametrize("seeds", [FEW, pytest.param(ALL, marks=pytest.mark.long)])
def test_the_square_is_that_of_the_original_alignment(
    finder: FaceFinder, settings: Settings, astronaut: Pixels, generator: Generator, seeds: tuple[int, ...]
) -> None:
    predictor = dlib.shape_predictor(str(weight_path(settings, "identity-landmarks")))
    drawn = Renderer(generator).images(generator.broadcast(seed_w(generator, seeds)))
    errors = []
    for pixels in [astronaut, *(np.ascontiguousarray(picture[::2, ::2]) for picture in drawn)]:
        expected = _dlib_quad(pixels, predictor)
        quad = ffhq_quad(finder.find(pixels)[0].landmarks)
        errors.append(np.hypot(*(quad - expected).T).mean() / np.hypot(*(expected[3] - expected[0])))
    assert max(errors) < 0.03
    assert np.mean(errors) < 0.018


def test_aligning_an_aligned_face_changes_little(finder: FaceFinder, generator: Generator) -> None:
    """The generator draws faces where FFHQ has them."""
    pictures = Renderer(generator).images(generator.broadcast(seed_w(generator, [600, 604, 611])))
    quads = np.stack([ffhq_quad(finder.find(picture)[0].landmarks) for picture in pictures])
    assert np.abs(quads.mean(axis=0) - [[0, 0], [0, 1024], [1024, 1024], [1024, 0]]).max() < 30


def _smooth(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A picture as a function of photo coordinates, 0..255 [..., 3], that no sensible filter changes."""
    waves = (np.sin(x / 41), np.cos(y / 37), np.sin((x + y) / 53))
    return np.stack([127.5 + 100 * wave for wave in waves], axis=-1)


@pytest.mark.parametrize("size", [256, 700, 1024], ids=["smaller", "about as large", "larger"])
def test_the_crop_shows_exactly_what_the_matrix_says(size: int) -> None:
    """Half a pixel of a mistake in any convention would be 5 levels here, in the corners as in the middle."""
    y, x = np.mgrid[0:1200, 0:1500] + 0.5  # centres of pixels, from the photo's corner
    photo = _smooth(x, y).round().astype(np.uint8)
    aligned = align(photo, _landmarks((610, 520), (780, 555), (660, 730)), size)
    v, u = np.mgrid[0:size, 0:size] + 0.5
    places = np.stack([u, v, np.ones_like(u)], axis=-1) @ aligned.matrix.T
    difference = np.abs(aligned.image - _smooth(places[..., 0], places[..., 1]))
    assert difference.mean() < 0.7
    assert difference.max() < 4


def test_the_matrix_maps_the_crops_corners_to_the_quad_and_back() -> None:
    quad = ffhq_quad(landmarks := _landmarks((61, 52), (78, 55), (66, 73)))
    aligned = align(np.zeros((120, 150, 3), np.uint8), landmarks, 300)
    corners = np.array([[0, 0, 1], [0, 300, 1], [300, 300, 1], [300, 0, 1]], dtype=float)
    assert np.abs((corners @ aligned.matrix.T)[:, :2] - quad).max() < 1e-9
    assert np.array_equal(quad, aligned.quad)
    back = np.c_[quad, np.ones(4)] @ np.linalg.inv(aligned.matrix).T
    assert np.abs(back - corners).max() < 1e-9


def test_points_found_in_the_crop_lead_back_into_the_photo(finder: FaceFinder, astronaut: Pixels) -> None:
    turned = np.asarray(Image.fromarray(astronaut).rotate(12, Image.Resampling.BICUBIC, center=(220, 110)))
    (face,) = finder.find(turned)
    aligned = align(turned, face.landmarks, 512)
    (again,) = finder.find(aligned.image)
    back = np.c_[again.landmarks, np.ones(478)] @ aligned.matrix.T
    assert np.hypot(*(back[:, :2] - face.landmarks).T).mean() < 0.5  # pixels of the photo


def test_where_the_photo_ends_it_is_mirrored_blurred_and_faded(finder: FaceFinder, astronaut: Pixels) -> None:
    photo = np.ascontiguousarray(astronaut[40:])  # the square now reaches above the photo
    (face,) = finder.find(photo)
    aligned = align(photo, face.landmarks, 512)
    edge = -aligned.quad[:, 1].min() / np.hypot(*(aligned.quad[3] - aligned.quad[0])) * 512  # rows that are made up
    assert edge > 60
    whole = align(astronaut, face.landmarks + np.array([0, 40], np.float32), 512).image
    inside = slice(round(edge) + 80, 400)
    assert np.abs(aligned.image[inside, 100:400].astype(int) - whole[inside, 100:400]).mean() < 1
    detail = np.abs(np.diff(aligned.image.astype(int), axis=1)).mean(axis=(1, 2))
    assert detail[: int(edge) - 10].mean() < 0.3 * detail[200:400].mean(), "what is made up is smooth"
    seam = np.abs(np.diff(aligned.image.astype(int), axis=0)).mean(axis=(1, 2))
    assert seam[int(edge) - 8 : int(edge) + 8].max() < 6, "and joins the photo without an edge"


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (30, 30), (300, 2)])
def test_tiny_photos_are_padded_too(shape: tuple[int, int]) -> None:
    photo = np.full((*shape, 3), 77, np.uint8)
    image = align(photo, _landmarks((10, 10), (30, 10), (20, 30)), 64).image
    assert image.shape == (64, 64, 3)
    assert np.abs(image.astype(int) - 77).max() <= 1


def test_photos_larger_than_the_crop_are_averaged_down_not_skipped_over() -> None:
    """A pattern finer than a crop pixel must come out as its mean, not as moiré."""
    fine = ((np.indices((1200, 1200)).sum(axis=0) % 2) * 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    for size in (128, 250, 512, 700, 950):
        crop = align(fine, _landmarks((450, 500), (750, 530), (600, 800)), size).image[size // 4 : -size // 4]
        assert abs(crop.mean() - 127.5) < 3
        assert crop.std() < 12


def test_align_writes_a_crop_for_each_face(
    settings: Settings, astronaut: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    photo = tmp_path / "pair.png"
    head = astronaut[:300, 70:370]
    Image.fromarray(np.concatenate([head, head[:, ::-1]], axis=1)).save(photo)
    options = ["align", str(photo), "-o", str(tmp_path / "crops"), "--size", "256"]
    result = CliRunner().invoke(app, options, catch_exceptions=False)
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["face 1", "face 2"]
    first, second = (Image.open(tmp_path / "crops" / f"pair-face{number}.png") for number in (1, 2))
    assert first.size == second.size == (256, 256)
    assert np.abs(np.asarray(first).astype(int) - np.asarray(second)[:, ::-1]).mean() < 5, "left, and its mirror right"
    assert "AlgorithmicMedia" not in first.info["xmp"].decode(), "a cut-out photo is no AI edit"


def test_align_into_no_folder_is_a_sentence(settings: Settings, astronaut_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    for out in (astronaut_path, astronaut_path / "below", Path("/proc/none")):
        result = CliRunner().invoke(app, ["align", str(astronaut_path), "-o", str(out)])
        assert result.exit_code == 2
        assert "--out" in result.output
        assert "Traceback" not in result.output
