"""What the page says, in the language that the browser asks for.

The page's own files are its English: what `say("…")` is called with in the scripts, and in index.html the text of elements
marked `data-say` and every `aria-label`. Other languages have the same under "page" in their catalogue (core.languages).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from babel.messages.extract import extract_javascript

from core.errors import EgaoError
from core.languages import ENGLISH, known, told, translation
from core.play import refusal
from core.play.refusal import Refusal

CONTEXT: Final = "page"
MARK: Final = "data-say"
MOST: Final = 10  # languages of a browser that are looked at
SAID_HERE: Final = (
    refusal.not_the_page, refusal.no_such_page, refusal.malformed, refusal.not_held, refusal.not_learned, refusal.too_busy,
)  # fmt: skip


class _Marked(HTMLParser):
    """Collects the texts of a page that are said in other languages too."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if label := given.get("aria-label"):
            self.found.append(label)
        self._within = MARK in given

    def handle_data(self, data: str) -> None:
        if self._within:
            self.found.append(re.sub(r"\s+", " ", data).strip())
        self._within = False


@cache
def english() -> tuple[str, ...]:
    """List all that the page says."""
    found: list[str] = []
    for file in sorted((files("core.play") / "page").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".html"):
            page = _Marked()
            page.feed(file.read_text("utf-8"))
            found += page.found
        elif file.name.endswith(".js"):
            source = io.BytesIO(file.read_bytes())
            calls: Iterable[Any] = extract_javascript(source, {"say": None}, (), {"encoding": "utf-8"})
            found += [said if isinstance(said, str) else said[0] for _, _, said, _ in calls]
    return tuple(dict.fromkeys((*found, *(made().sentence for made in SAID_HERE))))


@cache
def script(language: str) -> bytes:
    """Write the module that the page takes its words from."""
    said = translation(language)
    words = {one: said.get(CONTEXT, one) for one in english()}
    return f"export default {json.dumps({'language': language, 'words': words}, ensure_ascii=False)};\n".encode()


def language_of(request: web.Request) -> str:
    """Choose the first of the browser's languages that there is; English where there is none."""
    wanted = (part.split(";")[0].strip() for part in request.headers.get("Accept-Language", "").split(",")[:MOST])
    return next((found for one in wanted if (found := known(one)) is not None), ENGLISH)


def said_of(error: EgaoError | Refusal, language: str) -> str:
    """Say why there is no other answer."""
    return told(error, language) if isinstance(error, EgaoError) else translation(language).get(CONTEXT, error.sentence)
