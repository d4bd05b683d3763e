"""What a page is told that asks for something it can't have: no error of the photo's, which `core.errors` has."""

from __future__ import annotations

from typing import Final


class Refusal(Exception):
    """An answer of another status than 200, with one sentence for whoever looks at the page."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence


def not_the_page() -> Refusal:
    """Refuse whoever does not come from the page that was opened."""
    return Refusal(403, "Forbidden", _FORBIDDEN)


def no_such_page() -> Refusal:
    """Say that nothing is at this address."""
    return Refusal(404, "NoSuchPage", "There is nothing at this address.")


def malformed() -> Refusal:
    """Refuse what the page never sends."""
    return Refusal(400, "Malformed", "egao does not understand this request. Reload the page.")


def not_held() -> Refusal:
    """Say that the page's photo was deleted, pushed out by others, or never given."""
    return Refusal(404, "NotHeld", "This photo is in memory no more. Give it once again.")


def not_learned() -> Refusal:
    """Refuse to draw a face that was not projected."""
    return Refusal(409, "NotLearned", "This face was not learned yet. Choose it first.")


def too_busy() -> Refusal:
    """Refuse what is more at once than one person's pages ask."""
    return Refusal(503, "TooBusy", "Too much is asked for at once. Close other pages of egao, or try again in a moment.")


_FORBIDDEN: Final = "This address is not complete, or another page asked. Open the address that egao play shows in the terminal."
