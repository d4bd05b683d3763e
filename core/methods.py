"""The names of the methods that project a photo; `core.projecting` begins one by its name."""

from __future__ import annotations

from typing import Final

METHODS: Final = ("fast", "w", "w+")
DEFAULT_METHOD: Final = "fast"


def method_key(method: str, steps: int | None) -> str:
    """Make the key under which a latent is kept: the method, and the number of steps unless it is None (the method's own)."""
    return method if steps is None else f"{method}/{steps}"
