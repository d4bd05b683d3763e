"""A photo in, the same face with another expression out."""

from __future__ import annotations

from core.edit.editor import Editor, Variant
from core.edit.models import Models
from core.edit.scale import NEUTRAL, Scale, Strength

__all__ = ["NEUTRAL", "Editor", "Models", "Scale", "Strength", "Variant"]
