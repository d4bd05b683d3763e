"""A photo in, the same face with another expression out."""

from __future__ import annotations

from core.edit.editor import Editor, Variant
from core.edit.models import Models
from core.edit.strength import NEUTRAL, Strength

__all__ = ["NEUTRAL", "Editor", "Models", "Strength", "Variant"]
