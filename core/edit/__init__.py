"""Editing the expression of a face in a photo."""

from __future__ import annotations

from core.edit.door import EditorDoor
from core.edit.editor import Editor
from core.edit.film import FilmEdit, Take
from core.edit.models import Models
from core.edit.movement import movement
from core.edit.moving import Moving
from core.edit.photo_editor import InPhoto, KnownFace, PhotoEditor
from core.edit.scale import Scale
from core.edit.together import Laid, OneFace, Together
from core.edit.variant import Variant
from core.expressions import NEUTRAL, Strength

__all__ = [
    "NEUTRAL",
    "Editor",
    "EditorDoor",
    "FilmEdit",
    "InPhoto",
    "KnownFace",
    "Laid",
    "Models",
    "Moving",
    "OneFace",
    "PhotoEditor",
    "Scale",
    "Strength",
    "Take",
    "Together",
    "Variant",
    "movement",
]
