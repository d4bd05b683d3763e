"""What an edit can't do without, timed where the bot's own work is done: in a worker, warm, in the same code."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.edit import Editor, Models
from core.errors import EgaoError
from core.executor import Render, Rendered, Workbench
from core.pictures import encode
from core.settings import Settings
from core.workbench import EditorWorkbench


def create(settings: Settings) -> Workbench:
    """The factory that the executor names."""
    return Yardstick(Editor(Models(settings), strangers=True))


class Yardstick(EditorWorkbench):
    """Answers a render with the seconds of its one picture in the place of the score."""

    def render(self, requests: Sequence[Render]) -> list[Rendered | EgaoError]:
        return [self._timed(request) for request in requests]

    def _timed(self, request: Render) -> Rendered:
        face, placed, expression = self._known(self.photos, request, request.size)
        scale = self.photos.scale(face, expression)
        began = time.perf_counter()
        (variant,) = self.editor.variants(face.ws, request.strengths, expression, scale, judge=False)
        if placed is not None:
            variant = self.editor.into_photo(placed.original, variant, judge=False)
        picture = encode(variant.pixels, request.kind)
        return Rendered((picture,), (time.perf_counter() - began,))
