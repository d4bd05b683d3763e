"""Animates several kept faces of one photo in one picture: each from neutral to a strength of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.edit.movement import in_one_way
from core.edit.together import OF_ONE_FACE, Laid, OneFace, Together
from core.expressions import NEUTRAL, Expression

if TYPE_CHECKING:
    from core.edit.photo_editor import PhotoEditor


class Moving(Together):
    """One animation of several faces: iterate `run`, then read the `frames`, and of each face what was `laid`.

    Each face is judged at both ends of its movement. A face that is no good at one of them, like one of strength 0, stays as it
    is in the photo; one that is `still` is edited alike in all frames.
    """

    def __init__(
        self,
        photos: PhotoEditor,
        photo: bytes,
        faces: Sequence[OneFace],
        expression: Expression,
        side: int | None = None,
        *,
        count: int,
        low: float,
        still: Collection[int] = (),
        alone: bool = False,
    ) -> None:
        """Prepare `count` frames, in which no face begins below the strength `low`.

        `still` are places in `faces`, of those that don't move; the others are as in `Together`.
        """
        super().__init__(photos, photo, faces, expression, side, alone=alone)
        self._count, self._low, self._still = count, low, frozenset(still)
        self._frames: list[np.ndarray] = []

    @property
    def frames(self) -> list[np.ndarray]:
        """The frames in sRGB, each uint8 [H, W, 3], from the beginning of the movement to its end."""
        return [self.photo.in_srgb(frame) for frame in self._frames or [self.photo.pixels] * self._count]

    def run(self) -> Iterator[int]:
        """Animate one face after the other, and yield how many frames of faces are done. Raises as `Together.run` does."""
        for place, one in enumerate(self._faces):
            try:
                for frame in self._move(one, still=place in self._still):
                    yield place * self._count + frame
            except OF_ONE_FACE as error:
                self.laid.append(Laid(one.face, 0.0, error))
            yield (place + 1) * self._count
        if self._shown is None:  # no face was found: the photo as it is
            self._shown = self._photos.editor.load(self._file).at_most(self._side)

    def _move(self, one: OneFace, *, still: bool) -> Iterator[int]:
        """Put a face into all frames, and yield how many it is in. Raises OF_ONE_FACE, and then it is in none; PhotoError."""
        found = self._found(one)
        if one.strength == 0:
            self.laid.append(Laid(one.face, 0.0))
            return
        placed, face = self._prepared(one, found)
        photos, original = self._photos, placed.original
        (peak,) = photos.pictures(face, [one.strength], self._expression, original)
        if peak.told is not None:
            self.laid.append(Laid(face, peak.strength, peak.told))
            return
        start = peak.strength if still else min(max(self._low, photos.scale(face, peak.expression).neutral), peak.strength)
        if peak.expression.at(NEUTRAL) is not peak.expression:
            start = max(start, 0.0)  # below, there is nothing of a variation
        (low,) = [peak] if start == peak.strength else photos.pictures(face, [start], peak.expression, original)
        if low.told is not None:
            self.laid.append(Laid(face, peak.strength, low.told))
            return
        before, after = self._frames or [self.photo.pixels] * self._count, []
        strengths = np.linspace(start, peak.strength, self._count).tolist()
        for drawn, frame in zip(in_one_way(photos, face, strengths, peak.expression, (low, peak)), before, strict=True):
            laid = photos.add(original, drawn, frame)
            assert laid is not None, "a frame was given"
            after.append(laid)
            yield len(after)
        self._frames = after
        self.laid.append(Laid(face, peak.strength))
