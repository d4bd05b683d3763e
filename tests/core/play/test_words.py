"""The page's words: every one of them can be said in another language, and the browser says in which."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from aiohttp.test_utils import make_mocked_request

from core.errors import NoFace
from core.languages import names
from core.play import words
from core.play.refusal import not_held

# Names, numbers, and what is seen only where no script runs.
AS_IT_IS = {"egao", "PNG", "JPEG", "WebP", "−3", "+3", "0", "This page needs JavaScript: its own few files, from this machine."}


class Texts(HTMLParser):
    """All texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_data(self, data: str) -> None:
        self.found.add(" ".join(data.split()))


def test_every_text_of_the_page_can_be_said_in_another_language() -> None:
    page = Texts()
    page.feed((files("core.play") / "page" / "index.html").read_text("utf-8"))
    assert page.found - {""} - AS_IT_IS <= set(words.english())
    assert {"What to show", "Edit the photo", "Drawing in full quality…", not_held().sentence} <= set(words.english())


@pytest.mark.parametrize("language", names())
def test_the_page_gets_all_words_of_a_language(language: str) -> None:
    text = words.script(language).decode()
    said = json.loads(text.removeprefix("export default ").rstrip().removesuffix(";"))
    assert said["language"] == language
    assert said["words"].keys() == set(words.english())
    assert (said["words"]["Download"] == "Download") == (language == "en")


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"), ("fi,ja;q=0.5", "ja"), ("es-MX", "es-419"), ("es-ES,es;q=0.9", "es"),
        ("zh-TW", "zh-TW"), ("en-GB,fr", "en"), ("", "en"), ("xx, *;q=0.1", "en"), ("../../etc/passwd", "en"), ("pt-BR", "pt-BR"),
    ],
)  # fmt: skip
def test_the_browsers_first_language_that_there_is_counts(asked: str, language: str) -> None:
    assert words.language_of(make_mocked_request("GET", "/", headers={"Accept-Language": asked})) == language


def test_errors_are_told_in_that_language() -> None:
    assert words.said_of(NoFace(), "de").startswith("Auf diesem Foto")
    assert words.said_of(not_held(), "de").startswith("Dieses Foto ist nicht mehr")
    assert words.said_of(NoFace(), "en") == NoFace.sentence
