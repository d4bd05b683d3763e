"""`egao edit` over many photos: which faces, which files, and that nothing is lost. With the real weights and few steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from core.cli import app
from core.cli.shared.editing import ALL, PROMINENT, chosen_of
from core.cli.shared.written import Folder, photos_of
from core.errors import BadSetting, EgaoError, WouldOverwrite
from core.faces import Face, Photo, load_photo
from core.settings import Settings
from tests.core.faces.hostile import heic

pytestmark = pytest.mark.usefixtures("_drawn_once")

Run = Callable[..., Result]
FORMATS = ("cut.png", "swap.webp", "phone.heic")  # one has alpha, one a profile of its own, one is what phones make


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    return lambda *call: CliRunner().invoke(app, ["edit", *map(str, call), "--steps", "1", "-o", str(tmp_path / "out")])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def small(astronaut: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(astronaut).crop((96, 0, 352, 256))


@pytest.mark.slow
def test_photos_of_one_name_bad_ones_and_folders_in_one_call(run: Run, astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        small(astronaut).save(tmp_path / folder / "me.jpg", quality=80)  # the same bytes: one face is learned for both
    (tmp_path / "b" / "bad.jpg").write_bytes(b"no photo")
    (tmp_path / "b" / "notes.txt").write_text("not even called one")
    result = run(tmp_path / "a" / "me.jpg", tmp_path / "b", "--smile", "1", "--json")
    assert result.exit_code == 1, "one could not be edited"
    first, bad, second = lines(result)
    assert bad["error"] == "UnreadablePhoto"
    files = [Path(one["faces"][0]["variants"][0]["file"]) for one in (first, second)]
    assert [file.name for file in files] == ["me-face1-smile+1.jpg", "b-me-face1-smile+1.jpg"]
    for file, folder in zip(files, "ab", strict=True):
        assert file.stat().st_size < 3 * (tmp_path / folder / "me.jpg").stat().st_size
    again = run(tmp_path / "a" / "me.jpg", "--smile", "1")
    assert isinstance(again.exception, WouldOverwrite)
    assert load_photo(files[0], Settings.load({})).pixels.shape == (256, 256, 3), "its own results are photos too"


@pytest.mark.slow
@pytest.mark.parametrize("names", [FORMATS[:1], pytest.param(FORMATS, marks=pytest.mark.long)], ids=len)
def test_colours_and_transparency_are_the_photos_own(
    run: Run, astronaut: NDArray[np.uint8], tmp_path: Path, names: tuple[str, ...]
) -> None:
    from tests.core.faces.test_photo import swapped_profile as swapped

    alpha = small(astronaut).convert("RGBA")
    alpha.putalpha(Image.radial_gradient("L").point(lambda level: 255 if level < 200 else 0))
    alpha.save(tmp_path / "cut.png")
    # the same picture in an encoding with red and green exchanged: only who honours the profile sees a face of skin
    Image.merge("RGB", [small(astronaut).split()[one] for one in (1, 0, 2)]).save(tmp_path / "swap.webp", lossless=True,
                                                                                 icc_profile=swapped())  # fmt: skip
    (tmp_path / "phone.heic").write_bytes(heic(small(astronaut)))
    reports = lines(run(*(tmp_path / name for name in names), "--smile", "0.7", "--json"))
    results = [Path(one["faces"][0]["variants"][0]["file"]) for one in reports]
    assert [file.suffix for file in results] == [".png", ".webp", ".heic"][: len(names)]
    limits = Settings.load({})
    for name, result, report in zip(names, results, reports, strict=True):
        before, after = load_photo(tmp_path / name, limits), load_photo(result, limits)
        assert before.manner.profile == after.manner.profile
        if name != "phone.heic":
            whole = [photo.pixels if photo.layered is None else photo.layered for photo in (before, after)]
            changed = np.argwhere((whole[0] != whole[1]).any(axis=2))
            x0, y0, x1, y1 = report["faces"][0]["box"]
            assert len(changed)
            assert (changed.min(axis=0) >= [y0 - 30, x0 - 30]).all(), "beyond the face every bit is as it was"
            assert (changed.max(axis=0) <= [y1 + 30, x1 + 30]).all()
        assert b"compositeWithTrainedAlgorithmicMedia" in result.read_bytes()
    kept = load_photo(results[0], limits).layered
    assert kept is not None
    assert np.array_equal(kept[..., 3], np.asarray(alpha)[..., 3])


def _face(index: int, x: float, width: float) -> Face:
    points = np.zeros((478, 2), dtype=np.float32)
    points[234], points[454] = (x - width / 2, 200), (x + width / 2, 200)
    return Face(index, (x - width / 2, 100, x + width / 2, 300), points, {}, (0, 0, 0))


def test_the_most_prominent_face_is_taken_where_none_is_named() -> None:
    photo = Photo(np.zeros((400, 1000, 3), np.uint8), "")
    faces = [_face(0, 100, 116), _face(1, 700, 300), _face(2, 500, 290)]
    assert [face.index for face in chosen_of(faces[:2], photo, PROMINENT)] == [1]
    assert [face.index for face in chosen_of(faces, photo, PROMINENT)] == [2], "of two alike the one in the middle"
    assert len(chosen_of(faces, photo, ALL)) == 3
    assert [face.index for face in chosen_of(faces, photo, "1")] == [0]


def test_a_folder_is_its_photos_in_order_and_one_without_any_is_a_sentence(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.heic", "x/c.png", ".hidden/d.png", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [one.name for one in photos_of([tmp_path, tmp_path / "b.JPG"])] == ["a.heic", "b.JPG", "c.png"]
    with pytest.raises(BadSetting, match="no photo is in the folder"):
        photos_of([(tmp_path / "empty").mkdir() or tmp_path / "empty"])  # type: ignore[func-returns-value]


def test_what_comes_with_the_pictures_lies_beside_what_is_there(tmp_path: Path) -> None:
    folder = Folder(tmp_path, force=False)
    assert [folder.put("a.npz", content).name for content in (b"1", b"1", b"2")] == ["a.npz", "a.npz", "a-2.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"1"


def test_an_unknown_kind_is_a_sentence(run: Run, astronaut_path: Path) -> None:
    result = run(astronaut_path, "--format", "bmp")
    assert isinstance(result.exception, EgaoError)
    assert "none of own, png, jpeg, webp, avif, heic" in str(result.exception)


@pytest.mark.parametrize(
    ("given", "said"), [("sad=much", "'much' is no strength"), ("sad=9", "strengths go from -5 to 5"), ("grin=1", "called grin")]
)
def test_a_strength_after_the_expressions_name_is_read_or_refused(run: Run, astronaut_path: Path, given: str, said: str) -> None:
    result = run(astronaut_path, "--expression", given)
    assert isinstance(result.exception, EgaoError)
    assert said in str(result.exception)
