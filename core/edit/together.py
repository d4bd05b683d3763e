"""Edits several kept faces of one photo into one picture, each at a strength of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from core.edit.found import Found
from core.errors import EgaoError, FaceBarred, FaceLost, MouthCut, MouthHidden, NoSuchFace
from core.expressions import Expression, Strength
from core.faces import Photo

if TYPE_CHECKING:
    from core.edit.photo_editor import InPhoto, KnownFace, PhotoEditor

OF_ONE_FACE: Final = (FaceBarred, FaceLost, MouthCut, MouthHidden, NoSuchFace)  # for these the others are edited all the same


@dataclass(frozen=True, eq=False)
class OneFace:
    """A face of the photo, and how strong its expression is to be."""

    number: int  # in the photo, from 0
    face: KnownFace
    strength: Strength  # 0: it stays as it is


@dataclass(frozen=True, eq=False)
class Laid:
    """One face after the edit of several: drawn, or left as it is in the photo."""

    face: KnownFace  # completed with the scale and landmarks that were measured for it
    strength: float  # that it was drawn at; 0 for one that was left
    told: EgaoError | None = None  # why it was left; None for one that was drawn, or was to be left


class Together:
    """One edit of several faces: iterate `run`, then read the `photo`, its edited `pixels`, and of each face what was `laid`."""

    def __init__(
        self,
        photos: PhotoEditor,
        photo: bytes,
        faces: Sequence[OneFace],
        expression: Expression,
        side: int | None = None,
        *,
        alone: bool = False,
    ) -> None:
        """Prepare to edit `faces`, at least one, in the `photo`'s file.

        The picture is made smaller to at most `side` pixels; None keeps the photo's size. With `alone` a face that the checks
        refuse bars only itself, not the whole photo.
        """
        assert faces, "a picture of nobody"
        self.laid: list[Laid] = []
        self._photos, self._file, self._faces, self._expression = photos, photo, faces, expression
        self._side, self._alone = side, alone
        self._loaded: Photo | None = None
        self._shown: Photo | None = None
        self._pixels: np.ndarray | None = None

    @property
    def photo(self) -> Photo:
        """The photo, as large as the picture."""
        assert self._shown is not None
        return self._shown

    @property
    def pixels(self) -> np.ndarray:
        """The photo with the faces edited: uint8 [H, W, 3]; itself, where none was."""
        return self.photo.pixels if self._pixels is None else self._pixels

    @property
    def untouched(self) -> bool:
        """Whether no face was edited."""
        return self._pixels is None

    def run(self) -> Iterator[int]:
        """Edit one face after the other, and yield after each how many are done.

        Where one face can't be edited (OF_ONE_FACE), its `Laid` has the error in `told`, and the others go on. Raises
        PhotoError if the photo itself is refused or can't be read.
        """
        for one in self._faces:
            try:
                self.laid.append(self._lay(one))
            except OF_ONE_FACE as error:
                self.laid.append(Laid(one.face, 0.0, error))
            yield len(self.laid)
        if self._shown is None:  # no face was found: the photo as it is
            self._shown = self._photos.editor.load(self._file).at_most(self._side)

    def _lay(self, one: OneFace) -> Laid:
        """Edit one face in the photo and, if that is good, in the picture of all. Raises OF_ONE_FACE, and PhotoError."""
        found = self._found(one)
        if one.strength == 0:
            return Laid(one.face, 0.0)
        placed, face = self._prepared(one, found)
        (laid,) = self._photos.pictures(face, [one.strength], self._expression, placed.original)
        self._pixels = self._photos.add(placed.original, laid, self._pixels)
        return Laid(face, laid.strength, laid.told)

    def _prepared(self, one: OneFace, found: Found) -> tuple[InPhoto, KnownFace]:
        """Prepare the edit of a face: its place in the photo, and the face with all that was learned."""
        photos = self._photos
        placed = photos.placed(self._whole, found, one.face, self.photo)
        return placed, photos.learn_in(photos.with_place(one.face, placed), self._expression, found, lambda: self._whole)

    @property
    def _whole(self) -> Photo:
        assert self._loaded is not None
        return self._loaded

    def _found(self, one: OneFace) -> Found:
        """Find the face in the photo, which is decoded once for all of them."""
        loaded, found = self._photos.look(self._file, one.number, one.face.learned.found, alone=self._alone, loaded=self._loaded)
        if self._loaded is None:
            self._loaded, self._shown = loaded, loaded.at_most(self._side)
        return found
