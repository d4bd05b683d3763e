"""The answers to a page that asks for something it can't have. (Errors of photos are in `core.errors`.)"""

from __future__ import annotations

from typing import Final


class Refusal(Exception):
    """An error with an HTTP status and one sentence for the person at the page."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence


def not_the_page() -> Refusal:
    """Make the refusal of a request that does not come from the opened page."""
    return Refusal(403, "Forbidden", _FORBIDDEN)


def no_such_page() -> Refusal:
    """Make the refusal for an unknown address."""
    return Refusal(404, "NoSuchPage", "There is nothing at this address.")


def malformed() -> Refusal:
    """Make the refusal of a request that the page never sends."""
    return Refusal(400, "Malformed", "egao does not understand this request. Reload the page.")


def not_held() -> Refusal:
    """Make the refusal for a page without a photo: it was deleted, replaced by others', or never given."""
    return Refusal(404, "NotHeld", "This photo is no longer in memory. Give it once again.")


def not_learned() -> Refusal:
    """Make the refusal to edit a face that was not projected yet."""
    return Refusal(409, "NotLearned", "This face has not been learned yet. Choose it first.")


def too_busy() -> Refusal:
    """Make the refusal of more requests or pages at once than one person needs."""
    return Refusal(503, "TooBusy", "Too much is asked for at once. Close other pages of egao, or try again in a moment.")


_FORBIDDEN: Final = "This address is not complete, or another page asked. Open the address that egao play shows in the terminal."
