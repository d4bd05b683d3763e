"""The layers of pyproject.toml (import-linter's contracts): kept as they stand, and broken by each kind of wrong import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
TREES = ("core", "bot", "cogs", "data")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make check` runs, on the tree in `folder`."""
    command = [sys.executable, "-c", LINT, "--no-cache", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout


def test_make_check_asks() -> None:
    done = subprocess.run(["make", "-n", "check"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "lint-imports" in done.stdout


LONG = pytest.mark.long  # another way to break a contract of which one is tried in any case


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("bot/__init__.py", "import cogs.me", "cogs call the bot"),
        pytest.param("core/errors/__init__.py", "def f():\n    import discord.abc", "core knows nothing of Discord", marks=LONG),
        ("core/errors/__init__.py", "from bot import command", "core knows nothing of Discord"),
        ("cogs/me.py", "from numpy import array", "no image or tensor code"),
        pytest.param("bot/command.py", "import torch.nn", "no image or tensor code", marks=LONG),
        ("core/composite/mask.py", "from ..edit import editor", "core's layers"),
        ("core/faces/guard.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import core.gates", "core's layers"),
        ("core/projection/noise.py", "from core.projection.projector import Options", "no circle"),
        ("core/generator/families/progan.py", "from core.generator.families import stylegan", "no family"),
        pytest.param("core/bench/generators.py", "from core.generator.families import progan", "the registry", marks=LONG),
        pytest.param("core/novelty/__init__.py", "", "core's layers", marks=LONG),
    ],
)
def test_a_wrong_import_breaks_its_contract(file: str, line: str, contract: str, tmp_path: Path) -> None:
    for tree in TREES:
        shutil.copytree(ROOT / tree, tmp_path / tree, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    changed = tmp_path / file
    changed.parent.mkdir(exist_ok=True)
    with changed.open("a") as stream:
        stream.write("\n" + line + "\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [told for told in done.stdout.splitlines() if told.endswith("BROKEN")]
    assert any(contract in told for told in broken), done.stdout
