"""The real way in for a photo, without the generator: decoding, the real face finder, the crops."""

from __future__ import annotations

from core.edit import Editor, Models
from core.settings import Settings
from core.workbench import EditorWorkbench


def create(settings: Settings) -> EditorWorkbench:
    """The factory that the executor names."""
    models = Models(settings)
    _ = models.finder
    return EditorWorkbench(Editor(models))
