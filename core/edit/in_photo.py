"""Edits of one photo asked for one after another: what they share is made once and kept for the next."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from core.composite import Original
from core.edit.editor import Editor, Variant
from core.edit.scale import Scale, Strength

_KEPT = 2  # photos with their faces; each takes some 20 MB


class PhotoEditor:
    """Draws faces in their photos. Holds the last few photos in memory, nowhere else."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._originals: OrderedDict[tuple[str, int, str, int | None], Original] = OrderedDict()

    def original(self, photo: bytes, face: int, ws: np.ndarray, side: int | None = None) -> Original:
        """Face number `face` (from 0) of the photo, a file, and its latent ws. Raises PhotoError, NoSuchFace, FaceLost."""
        key = (hashlib.sha256(photo).hexdigest(), face, hashlib.sha256(ws.tobytes()).hexdigest(), side)
        found = self._originals.pop(key, None)
        if found is None:
            editor = self._editor
            loaded, faces = editor.look(photo)
            one = editor.pick(faces, face + 1)
            found = editor.original(loaded, one, editor.align(loaded, one), ws, side)
        self._originals[key] = found
        while len(self._originals) > _KEPT:
            self._originals.popitem(last=False)
        return found

    def variants(
        self, original: Original | None, ws: np.ndarray, asked: Sequence[Strength], direction: str, scale: Scale
    ) -> list[Variant]:
        """The face at each strength: in its photo, or as drawn where there is none. Smile scores are not taken."""
        if original is None:
            return self._editor.variants(ws, asked, direction, scale, judge=False)
        moved = [one for one in asked if one != 0]
        drawn = iter(self._editor.variants(ws, moved, direction, scale, judge=False) if moved else ())
        untouched = Variant(0.0, 0.0, 0.0, original.photo, float("nan"))
        return [untouched if one == 0 else self._editor.into_photo(original, next(drawn), judge=False) for one in asked]
