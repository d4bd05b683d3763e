"""No code knows an expression by its name: what is special about one stands in its file in data/expressions alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.emotion import EMOTIONS
from core.expressions import names
from core.expressions.blendshapes import BLENDSHAPES

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "bot", "cogs", "data")
ALLOWED = {  # what has an older name that must go on working, and words for people
    "bot/requests/ask.py",  # requests of earlier versions
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


def words_in(text: str) -> set[str]:
    """The words of an identifier or a sentence, in small letters: "mouthSmileLeft" has three."""
    return {one.lower() for one in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}


def forms(name: str) -> set[str]:
    """The words that name an expression: smile, smiles, smiled, smiling; of "wide-eyed" each part counts."""
    parts = [one for one in name.split("-") if one]
    return {
        stem + end for one in parts for stem in (one, one.removesuffix("e")) for end in ("", "s", "es", "d", "ed", "ing", "y")
    }


def knows(path: Path, known: Sequence[str] = names()) -> set[str]:
    """The expressions that a module names, as whole words.

    Names of emotions are words of the classifier too, and those of blendshapes the landmarker's: both are found there rightly.
    """
    told = [one for one in words_of_code(ast.parse(path.read_text("utf-8"))) if one not in BLENDSHAPES]
    found = set().union(*map(words_in, told))
    return {name for name in known if name not in EMOTIONS and forms(name) & found}


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
    for other in ("def step_output(): ...", "x = 'mouthFrownLeft'", "x = ['browDownLeft']", "spouting = 1"):
        file.write_text(other)
        assert not knows(file, ("pout", "frown", "brow")), other
    file.write_text("x = frowning_most")
    assert knows(file, ("pout", "frown")) == {"frown"}
    file.write_text('"""A smile."""\nx = 1  # a smile\n')
    assert not knows(file)
