"""Faces through the frames of an animation: followed, steadied, checked in each, edited without a flicker."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.composite.mesh import face_size
from core.edit import Editor, FilmEdit, KnownFace, Models, PhotoEditor
from core.edit.following import TREMBLE, follow, smoothed
from core.errors import BadSetting, EgaoError, LooksExplicit, NoFace
from core.expressions import default
from core.faces import Face, FaceFinder, Film, Photo, load_film
from core.faces.align import EYE_LEFT, EYE_RIGHT, MOUTH_LEFT, MOUTH_RIGHT
from core.settings import Settings

pytestmark = pytest.mark.usefixtures("_drawn_once")

SIDE = 200


def frames_of(astronaut: NDArray[np.uint8], count: int) -> list[Image.Image]:
    """The sample's head, which leans and comes nearer from frame to frame."""
    whole = Image.fromarray(astronaut)
    frames = []
    for number in range(count):
        turn, scale = np.radians(3 * number), 1.25 - 0.04 * number
        along = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = np.array([225.0, 130.0]) - along @ np.array([SIDE / 2, SIDE / 2])
        matrix = np.column_stack([along, shift]).ravel().tolist()
        frames.append(whole.transform((SIDE, SIDE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))
    return frames


def gif_of(images: Sequence[Image.Image]) -> bytes:
    buffer = io.BytesIO()
    paletted = [image.quantize(128) for image in images]
    paletted[0].save(buffer, "GIF", save_all=True, append_images=paletted[1:], duration=[90, 40, 120][: len(images)], loop=2)
    return buffer.getvalue()


def _face(x: float, *, width: float = 60, index: int = 0, jitter: float = 0.0) -> Face:
    points = np.random.default_rng(1).uniform(-width / 2, width / 2, (478, 2)) + np.array([x, 100.0])
    points[234], points[454], points[10], points[152] = (x - width / 2, 100), (x + width / 2, 100), (x, 60), (x, 140)
    points[list(EYE_LEFT)], points[list(EYE_RIGHT)] = (x - width / 5, 85), (x + width / 5, 85)
    points[MOUTH_LEFT], points[MOUTH_RIGHT] = (x - width / 5, 120), (x + width / 5, 120)
    box = (x - width / 2, 60.0, x + width / 2, 140.0)
    return Face(index, box, (points + jitter).astype(np.float32), {}, (0, 0, 0))


def test_points_that_tremble_are_held_and_those_that_move_are_followed() -> None:
    line = np.arange(12, dtype=np.float64)[:, None] * [3.0, -1.0]
    assert np.allclose(smoothed(line), line), "a face that moves evenly is where it is, at both ends too"
    noise = np.random.default_rng(0).normal(0, 1, (200, 2))
    assert np.diff(smoothed(noise), axis=0).std() < 0.4 * np.diff(noise, axis=0).std()
    for count in (1, 2, 3):
        assert smoothed(line[:count]).shape == (count, 2)
    photos = [Photo(np.zeros((SIDE, SIDE, 3), np.uint8), "") for _ in range(9)]
    found = [[_face(80, jitter=0.1 * (-1) ** number)] for number in range(9)]
    track = follow(photos, found, found[0][0], 0)
    still = np.stack([face.landmarks for face in track.faces if face is not None])
    assert np.abs(np.diff(still, axis=0)).max() < 0.1, "it came with 0.2"
    jumps = [[_face(80.0 + 12 * (number >= 4))] for number in range(9)]
    after = follow(photos, jumps, jumps[0][0], 0)
    most = TREMBLE * face_size(jumps[0][0].landmarks.astype(np.float64))
    for face, (raw,) in zip(after.faces, jumps, strict=True):
        assert face is not None
        assert np.linalg.norm(face.landmarks - raw.landmarks, axis=1).max() < most + 1e-3, (
            "no point is further off than it trembles"
        )


def test_a_face_is_followed_past_others_and_through_frames_in_which_it_is_not_seen() -> None:
    photos = [Photo(np.zeros((SIDE, SIDE, 3), np.uint8), "") for _ in range(5)]
    found = [[_face(60), _face(140, index=1)], [_face(128, index=0), _face(70, index=1)], [], [_face(80)], [_face(80, width=200)]]
    track = follow(photos, found, found[0][0], 0)
    seen = [None if face is None else round(float(face.centre[0])) for face in track.faces]
    assert seen == [60, 70, None, 80, None], "nor is one of another size the same"
    assert track.shots == [range(5)]


def test_a_cut_begins_another_shot(astronaut: NDArray[np.uint8]) -> None:
    one = Photo(np.ascontiguousarray(astronaut[40 : 40 + SIDE, 125 : 125 + SIDE]), "")
    other = Photo(255 - one.pixels, "")
    photos = [one, one, other, other]
    track = follow(photos, [[_face(100)]] * 4, _face(100), 0)
    assert track.shots == [range(2), range(2, 4)]


@pytest.mark.long
def test_each_frame_is_checked_and_an_animation_without_a_face_is_told(settings: Settings, astronaut: NDArray[np.uint8]) -> None:
    film = load_film(gif_of(frames_of(astronaut, 2)), settings)
    assert film is not None

    class Chosen(Exception):
        """Ends the edit once the faces are found."""

    def choose(found: Sequence[Face], photo: Photo) -> NoReturn:
        assert len(found) == 1
        assert photo is film.frames[0]
        raise Chosen

    def project(photo: Photo, face: Face) -> KnownFace:
        raise AssertionError((photo, face))

    def edit(by: Editor, film: Film) -> None:
        for _ in FilmEdit(PhotoEditor(by), film, choose, [1.0], default(), project).run():
            pass

    with FaceFinder(settings) as finder:
        models = Models(settings.model_copy(update={"gates": "all"}))
        models.__dict__.update(finder=finder)
        checked = Editor(models)
        with pytest.raises(Chosen):
            edit(checked, film)
        assert all(checked._judged.of(frame.sha256) is not None for frame in film.frames)
        strict = Models(settings.model_copy(update={"gates": "all", "gate_explicit": 1e-6}))
        strict.__dict__.update(finder=finder)
        with pytest.raises(LooksExplicit):
            edit(Editor(strict), film)
        grey = [Photo(np.full((SIDE, SIDE, 3), 90 + number, np.uint8), str(number)) for number in range(2)]
        unchecked = Models(settings)
        unchecked.__dict__.update(finder=finder)
        with pytest.raises(NoFace):
            edit(Editor(unchecked), Film(grey, [50.0, 50.0], 0, apart=False))


@pytest.mark.slow
def test_an_animation_through_the_command_line(
    settings: Settings, astronaut: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    (tmp_path / "me.gif").write_bytes(gif_of(frames_of(astronaut, 2)))
    call = [
        "edit",
        str(tmp_path / "me.gif"),
        "--every-frame",
        "--smile",
        "-2",
        "--steps",
        "1",
        "-o",
        str(tmp_path / "out"),
        "--json",
    ]
    result = CliRunner().invoke(app, call)
    report = json.loads(result.stdout)
    (variant,) = report["faces"][0]["variants"]
    assert (report["frames"], variant["frames_left"]) == (2, [])
    before, after = (load_film(Path(one).read_bytes(), settings) for one in (tmp_path / "me.gif", variant["file"]))
    assert before is not None
    assert after is not None
    assert (after.durations, after.loops) == (before.durations, before.loops)
    assert b"compositeWithTrainedAlgorithmicMedia" in Path(variant["file"]).read_bytes()
    layers = []
    for old, new in zip(before.frames, after.frames, strict=True):
        changed = np.argwhere((old.pixels != new.pixels).any(axis=2))
        assert len(changed) > 200
        assert (changed.min(axis=0) > 20).all(), "beyond the face every bit is as it was"
        layers.append(len(changed))
    assert max(layers) < 1.5 * min(layers), "each frame is edited alike"
    again = CliRunner().invoke(app, call)
    assert "is there already" in str(again.exception)


@pytest.mark.parametrize(("option", "said"), [("--crop", "keeps each frame whole"), ("--animate", "keeps each frame whole")])
def test_what_does_not_go_with_an_animation_is_told_before_any_work(astronaut_path: Path, option: str, said: str) -> None:
    result = CliRunner().invoke(app, ["edit", str(astronaut_path), "--every-frame", option])
    assert isinstance(result.exception, BadSetting)
    assert said in str(result.exception)


def test_an_animation_can_be_no_jpeg(
    settings: Settings, astronaut: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    (tmp_path / "me.gif").write_bytes(gif_of(frames_of(astronaut, 3)))
    result = CliRunner().invoke(app, ["edit", str(tmp_path / "me.gif"), "--every-frame", "--format", "jpeg"])
    assert isinstance(result.exception, EgaoError)
    assert "no animation can be written as jpeg: own, png, webp or avif" in str(result.exception)
