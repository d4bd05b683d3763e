"""Several faces of one photo in one picture, on the real weights: each edited or left as it is, and nothing else changed."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.edit import Editor, Models
from core.executor import DrawnTogether, FindFaces, FoundFaces, OneOf, Progress, Project, Projected, Together
from core.generator import Generator, seed_w
from core.rendering import Renderer
from core.settings import Settings
from core.workbench import EditorWorkbench

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


@pytest.mark.slow
def test_what_is_good_is_edited_and_nothing_else_changes(settings: Settings, generator: Generator) -> None:
    bench = EditorWorkbench(Editor(Models(settings)))
    photo = two_people(generator)
    *_, found = bench.find_faces(FindFaces(photo))
    assert isinstance(found, FoundFaces)
    ones = []
    for face in found.faces:
        *_, done = bench.project(Project(photo, face.index, "w+", 1, learned=face.learned))
        assert isinstance(done, Projected)
        ones.append(OneOf(done.latent, face.index, 1.0, done.learned))
    before, (after, answer) = pixels(photo), together(bench, photo, ones)
    assert any(not one.told for one in answer.faces), "at least one is good, so there is something to see"
    changed = (after != before).any(axis=2)
    for n, one in enumerate(answer.faces):
        assert changed[:, SIDE * n : SIDE * (n + 1)].any() == (not one.told), f"face {n}: {one.told or 'edited'}"
    assert (together(bench, photo, [replace(one, strength=0.0) for one in ones])[0] == before).all()
