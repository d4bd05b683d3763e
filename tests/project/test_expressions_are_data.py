"""No code knows an expression by its name: what is special about one stands in its file in data/expressions alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from core.emotion import EMOTIONS
from core.expressions import names

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "bot", "cogs", "data")
ALLOWED = {  # what has an older name that must go on working, and words for people
    "bot/requests/ask.py",  # requests of earlier versions
    "bot/text/english.py",
    "core/cli/__init__.py",  # what the program says of itself
    "core/cli/edit.py",  # the option --smile
    "core/bench/hostile.py",  # measures the command /smile
    "core/bench/report.py",  # tells of it
    "core/bench/processes.py",  # gives that option
    "core/seeds/table.py",  # a column of earlier versions
    "core/store/migrations.py",
    "core/store/old_extras.py",
}


def words_of_code(tree: ast.AST) -> Iterator[str]:
    """Every name and every string of a module but its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0]) for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)}
    told = {id(child) for node in ast.walk(tree) if id(node) in docstrings for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value
        for field in ("id", "attr", "arg", "name"):
            if isinstance(word := getattr(node, field, None), str):
                yield word


def knows(path: Path) -> set[str]:
    """The expressions that a module names. Names of emotions are words of the classifier too, and found there rightly."""
    words = " ".join(words_of_code(ast.parse(path.read_text("utf-8")))).lower()
    return {name for name in names() if name not in EMOTIONS and name.removesuffix("e") in words}  # smile, smiles, smiling


def test_no_code_knows_an_expression_by_its_name() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "setup" not in path.parts]
    found = {str(path.relative_to(ROOT)) for path in files if knows(path)}
    assert found <= ALLOWED, "it belongs into data/expressions"
    assert found == ALLOWED, "what no longer names one is no exception either"


def test_the_search_sees_names_strings_and_attributes(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    for told in ("def smile(): ...", "x.smiles = 1", "f(smiling=1)", "x = f'the {a} smile'", "from a import smile_score"):
        file.write_text(told)
        assert knows(file), told
    file.write_text('"""A smile."""\nx = 1  # a smile\n')
    assert not knows(file)
