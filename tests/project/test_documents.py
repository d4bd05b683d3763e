"""The documents: short where they promise it, every link leads somewhere, and what they tell people to type exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from core.cli import app
from core.settings import Settings

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
DOCUMENTS = [ROOT / name for name in LISTED.splitlines() if (ROOT / name).exists()] or sorted(ROOT.glob("*.md"))
WORDS = 700  # a newcomer reads that much before trying
LINK = re.compile(r"\]\(([^)\s]+)\)")
TYPED = re.compile(r"(?:^|`|, |; )egao ([a-z]+(?:-[a-z]+)*)(?: ([a-z|\- ]+))?", re.M)
NAMED = re.compile(r"`((?:bot|cogs|core|data|tests)/[\w./-]+)`")


def anchors(text: str) -> set[str]:
    """The names by which the headings of a document are linked to."""
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_the_readme_is_short_and_shows_the_pictures() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= WORDS
    assert len(re.findall(r"!\[[^]]+\]\(data/readme/", text)) >= 2


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_path_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for target in LINK.findall(text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text("utf-8")), target
    for name in NAMED.findall(text):
        assert (ROOT / name.split("<")[0]).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_is_one(document: Path) -> None:
    """`egao models list | pull` names a command and two of its own; other words after a command are what it is given."""
    root = get_command(app)
    for name, rest in TYPED.findall(document.read_text("utf-8")):
        if name == "is":
            continue
        command = root.get_command(typer.Context(root), name)  # type: ignore[attr-defined]
        assert command is not None, name
        inner = getattr(command, "commands", None)
        if inner is not None and rest:
            first = rest.split("#")[0].split("|") if "|" in rest else rest.split()[:1]
            unknown = {word.strip().split(" ")[0] for word in first} - set(inner)
            assert not unknown, f"egao {name} {rest}"


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, pytest.param(3, marks=pytest.mark.long)])
def test_the_python_of_the_readme_runs(
    settings: Settings, astronaut_png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """On the sample photo and the real weights; the pictures have the shape that the README tells, and smile as asked.

    With few steps of the projection, where a reader takes the method's own number: pictures smile after any.
    """
    (block,) = re.findall(r"```python\n(.+?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    (tmp_path / "photo.jpg").write_bytes(astronaut_png)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EGAO_HOME", str(settings.home))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    names: dict[str, Any] = {}
    assert block.count('"fast")') == 1
    exec(compile(block.replace('"fast")', f'"fast", steps={steps})'), "README.md", "exec"), names)
    for variant in (names["neutral"], names["smiling"]):
        assert variant.pixels.shape == (1024, 1024, 3)
    assert names["smiling"].score > names["neutral"].score
