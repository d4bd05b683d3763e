"""Back into the photo: what an edit changes, laid into the person's own picture at its own resolution."""

from __future__ import annotations

from core.composite.between import between
from core.composite.original import Original, Rendered

__all__ = ["Original", "Rendered", "between"]
