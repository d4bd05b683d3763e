"""Putting an edited face back into its photo: only the changes of the edit are applied, at the photo's own resolution."""

from __future__ import annotations

from core.composite.between import between
from core.composite.original import Edit, Original, Rendered

__all__ = ["Edit", "Original", "Rendered", "between"]
