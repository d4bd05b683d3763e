"""An edit is the same picture wherever it is asked for: on the command line, on the page, and by the bot of a worker."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.edit import Editor, PhotoEditor
from core.executor import DrawnTogether, OneOf, Project, Projected, Render, Rendered, Together
from core.expressions import Strength, names
from core.play import Studio
from core.play.held import Choice
from core.settings import Settings
from core.workbench import EditorWorkbench

CALLERS = ("core/cli/edit.py", "core/cli/shared/editing.py", "core/play/studio.py", "core/workbench.py")
STEPS = re.compile(r"\.(variants|judged|judged_once|measured|into_photo|original)\(")  # of `Editor`, by which it can be done


def shown(picture: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def on_the_page(editor: Editor, photo: bytes, expression: str, asked: list[Strength]) -> list[NDArray[np.uint8]]:
    studio = Studio(PhotoEditor(editor), steps=1)
    *_, held = studio.open(photo, "me.png")
    assert held is not None
    for _ in studio.learn(held, 0, expression):
        pass
    made = []
    for one in asked:
        for _ in studio.picture(held, [Choice(face=0, expression=expression, strength=one)]):
            pass
        made.append(shown(studio.file(held, "png")[0]))
    return made


def by_a_worker(editor: Editor, photo: bytes, expression: str, asked: list[Strength]) -> list[NDArray[np.uint8]]:
    bench = EditorWorkbench(editor)
    *_, face = bench.project(Project(photo, steps=1))
    assert isinstance(face, Projected)
    about = {"photo": photo, "learned": face.learned, "size": None, "expression": expression, "kind": "png"}
    (drawn,) = bench.render([Render(face.latent, tuple(asked), **about)])  # type: ignore[arg-type]
    assert isinstance(drawn, Rendered)
    made = [shown(one) for one in drawn.pictures]
    one = OneOf(face.latent, 0, learned=face.learned, strength=asked[0])
    *_, all_of = bench.together(Together(photo, (one,), expression, size=None, kind="png"))
    assert isinstance(all_of, DrawnTogether)
    assert np.array_equal(shown(all_of.picture), made[0]), "one face of several is that face alone"
    return made


def on_the_command_line(file: Path, expression: str, asked: list[Strength], out: Path) -> list[NDArray[np.uint8]]:
    wanted = ["--neutral" if one == "neutral" else f"--strength={one}" for one in asked]
    call = ["edit", str(file), *wanted, "--expression", expression, "--steps", "1", "--json", "-o", str(out)]
    report = json.loads(CliRunner().invoke(app, call, catch_exceptions=False).stdout)
    files = {one["asked"]: Path(one["file"]) for one in report["faces"][0]["variants"]}
    return [shown(files[one].read_bytes()) for one in asked]


@pytest.mark.long  # the short form: no caller has steps of its own
@pytest.mark.parametrize("expression", ["", names()[-1]])
def test_three_callers_make_the_same_picture(
    settings: Settings,
    editor: Editor,
    astronaut: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expression: str,
) -> None:
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    file = tmp_path / "me.png"
    Image.fromarray(astronaut[:256, 96:352]).save(file)
    asked: list[Strength] = [1.0, "neutral"]
    worker = by_a_worker(editor, file.read_bytes(), expression, asked)
    page = on_the_page(editor, file.read_bytes(), expression, asked)
    line = on_the_command_line(file, expression, asked, tmp_path / "out")
    for one, other, third in zip(worker, page, line, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, third)


@pytest.mark.parametrize("caller", CALLERS)
def test_no_caller_edits_by_steps_of_its_own(caller: str) -> None:
    source = (Path(__file__).parents[3] / caller).read_text(encoding="utf-8")
    assert not (found := STEPS.findall(source)), f"{found}: `PhotoEditor` has one way for all of them"
