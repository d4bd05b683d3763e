"""Opens the editor to kinds of work: what `core.executor.door.Door` declares, done with a PhotoEditor."""

from __future__ import annotations

from collections.abc import Mapping

from core.edit.editor import Editor
from core.edit.found import Found
from core.edit.photo_editor import KnownFace, PhotoEditor
from core.edit.trials import SCORE_SIDE
from core.emotion import EMOTIONS
from core.errors import FaceRefused, NoFace, PhotoRefused
from core.executor.door import FileKind, Pixels
from core.expressions import Expression, Strength, named
from core.latents import from_npz
from core.learned import NOTHING, Learned
from core.pictures import encode


class EditorDoor:
    """The Door of a worker that has an editor."""

    def __init__(self, photos: PhotoEditor) -> None:
        self._photos, self._editor, self._models = photos, photos.editor, photos.editor.models

    def face_in_photo(self, photo: bytes, face: int = 0, learned: Learned = NOTHING, *, alone: bool = False) -> Pixels:
        loaded, found = self._photos.look(photo, face, learned.found, alone=alone)
        return self._editor.align(loaded, found).image

    def kept_face(self, latent: bytes, learned: Learned = NOTHING, strength: Strength = 0.0, expression: str = "") -> Pixels:
        moved = named(expression)
        face = self.checked(KnownFace.of(from_npz(latent, self._models.generator), learned), moved)
        (drawn,) = self._photos.pictures(face, [strength], moved)
        return drawn.pixels

    def checked(self, face: KnownFace, expression: Expression) -> KnownFace:
        """Return a kept face without its photo, with its scale for the expression. Raises FaceRefused if the checks refuse it."""
        try:
            self._editor.look_at_drawn(face.latent, Found.load(face.learned.found))
        except PhotoRefused:  # which was kept when other checks held, so it isn't true that nothing was
            raise FaceRefused from None
        return self._photos.learn(face, expression)

    def blendshapes(self, picture: Pixels) -> Mapping[str, float]:
        face = self._models.finder.aligned(Editor.resized(picture, SCORE_SIDE), precise=False)
        if face is None:
            raise NoFace
        return dict(face.blendshapes)

    def emotions(self, picture: Pixels) -> Mapping[str, float]:
        shares = self._models.emotion.probabilities(picture[None])[0]
        return dict(zip(EMOTIONS, map(float, shares), strict=True))

    def file(self, picture: Pixels, kind: FileKind = "png", max_bytes: int | None = None) -> bytes:
        return encode(picture, kind, max_bytes=max_bytes, source="edited")
