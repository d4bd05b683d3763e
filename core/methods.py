"""The names of the ways to project a photo (`core.projecting` knows what they do)."""

from __future__ import annotations

from typing import Final

METHODS: Final = ("fast", "w", "w+")
DEFAULT_METHOD: Final = "fast"


def method_key(method: str, steps: int | None) -> str:
    """Name what a kept latent is found again by: the method, and the steps where they are not its own number."""
    return method if steps is None else f"{method}/{steps}"
