"""Refusals that are no error of core: a sentence of the catalogues, raised to be told to whoever asked."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Base of a refusal: the `key` of its sentence in bot/text/english.py, and the facts that the sentence names.

    The log has the key alone: the facts may be somebody's own words.
    """

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(key)
        self.key, self.facts = key, facts
