"""Edits of one photo asked for one after another: what they share is made once and kept for the next."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.composite import Original
from core.edit.editor import Editor, Variant
from core.edit.found import Found
from core.edit.scale import Scale, Strength
from core.faces import Photo, load_photo

_KEPT = 2  # photos with their faces; each takes some 20 MB


@dataclass(frozen=True, eq=False)
class InPhoto:
    """A face in its photo, and where it was found there."""

    original: Original
    found: Found


class PhotoEditor:
    """Draws faces in their photos. Holds the last few photos in memory, nowhere else."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._kept: OrderedDict[tuple[str, int, str, int | None], InPhoto] = OrderedDict()

    def look(self, photo: bytes, face: int, found: str = "") -> tuple[Photo, Found]:
        """The photo, a file, and face number `face` (from 0) of it. Raises PhotoError, NoSuchFace.

        It is looked for unless what was `found` at an earlier look at this very photo says where it is, and the checks
        that have to be made were made then.
        """
        editor, known = self._editor, Found.load(found)
        if known is not None and editor.checks in (known.checked, ""):
            return load_photo(photo, editor.models.settings), known
        loaded, faces = editor.look(photo)
        return loaded, editor.found(editor.pick(faces, face + 1))

    def face(self, photo: bytes, face: int, ws: np.ndarray, side: int | None = None, found: str = "") -> InPhoto:
        """The face of `look` with its latent ws, in the photo of at most `side` pixels. Raises as `look` does, and FaceLost."""
        key = (hashlib.sha256(photo).hexdigest(), face, hashlib.sha256(ws.tobytes()).hexdigest(), side)
        made = self._kept.pop(key, None)
        if made is None:
            loaded, where = self.look(photo, face, found)
            original = self._editor.original(loaded, where, ws, side)
            drawn = original.reconstructed.landmarks.astype(np.float32)
            made = InPhoto(original, Found(where.landmarks, drawn, where.checked))
        self._kept[key] = made
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made

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
