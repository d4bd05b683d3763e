"""The repository's shape: its top, what imports bring, how long a file may be. Layers: tests/project/test_layers.py."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "bot", "cogs", "data")
TOP = {
    "pyproject.toml", "bot", "core", "cogs", "data", "tests", ".env.example", "README.md", "PRIVACY.md", "Makefile",
    "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Containerfile", "compose.yaml",
    "compose.cluster.yaml", ".dockerignore",
}  # fmt: skip
LONGEST = 400  # lines: beyond that no reader holds a file at once; below, files are split by sense and not by count


def tracked() -> list[Path]:
    """Every file in git that is in the work tree too."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def modules() -> dict[str, Path]:
    """Dotted name -> file, of everything that is installed."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def test_the_top_level_is_what_it_should_be() -> None:
    names = {path.parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= {name for name in TOP if not name.startswith(".")}
    assert names >= TOP


def test_only_measurements_import_what_only_measurements_install() -> None:
    extra = {"dlib", "openvino", "skimage", "matplotlib"}
    for name, path in modules().items():
        at_import = ast.parse(path.read_text("utf-8")).body
        named = {alias.name for node in at_import if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module or "" for node in at_import if isinstance(node, ast.ImportFrom)}
        assert not {target for target in named if target.split(".")[0] in extra}, f"{name} needs an extra at import"


def test_no_docstring_holds_lines_of_code_that_slipped_into_it() -> None:
    slipped = re.compile(r"^ *(from [\w.]+ import \w|import \w+$)", re.MULTILINE)
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assert not slipped.search(ast.get_docstring(node) or ""), f"{name}, {node.name}"


@pytest.mark.parametrize("folder", [*PACKAGES, "tests"])
def test_no_file_is_longer_than_a_reader_holds(folder: str) -> None:
    lengths = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in tracked() if path.suffix == ".py"}
    long = {str(path): lines for path, lines in lengths.items() if path.parts[0] == folder and lines > LONGEST}
    assert not long


def test_every_package_is_installed() -> None:
    """A folder without __init__.py would work in a checkout and be missing from the wheel."""
    folders = {path.parent for path in modules().values()}
    assert not {str(folder) for folder in folders if not (folder / "__init__.py").is_file()}
    rule = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.removesuffix(".*") for name in rule} == set(PACKAGES)


def test_every_module_imports_without_side_effects(tmp_path: Path) -> None:
    """In a process of its own, in an empty folder with an empty home: no file, thread, socket or output appears."""
    script = f"""
import importlib, socket, sys, threading, warnings
warnings.simplefilter("ignore")
def refuse(*_, **__): raise AssertionError("an import opened a connection")
socket.socket.connect = refuse
for name in {sorted(modules())!r}:
    importlib.import_module(name)
ours = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
assert not ours, ours
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
    assert list(home.rglob("*")) == []


def test_a_verb_without_pictures_waits_for_no_network() -> None:
    """`egao keys new` is a matter of a tenth of a second; torch alone takes two."""
    heavy = "{'torch', 'cv2', 'mediapipe', 'sklearn', 'discord', 'openvino'}"
    verbs = ", ".join(f"core.cli.{verb}" for verb in ("keys", "models", "db", "faces", "doctor"))
    script = f"import sys, core.cli, {verbs}, bot.command; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
