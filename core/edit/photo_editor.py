"""The steps from a photo to its edits, for the command line and for workers: faces, a latent, its scale, the pictures.

    editor = PhotoEditor(Editor(models))
    photo, found = editor.look(file, face=0)
    begun = editor.begin(photo, found)                       # then run begun.projecting to its end
    face = editor.learn(KnownFace.of(begun.projecting.latent), expression, begun.aligned.image, found)
    place, face = editor.place(file, 0, face)
    pictures = editor.pictures(face, [NEUTRAL, 1.0], expression, place.original)

All that a `KnownFace` holds beside its latent is plain data: whoever stores faces stores it too and passes it in again, so
that nothing is measured or looked for twice. What the edits of one photo share is kept for the next call.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from core.composite import Original
from core.edit.editor import Editor, Variant
from core.edit.found import Found
from core.edit.scale import Scale
from core.errors import FaceLost
from core.expressions import NEUTRAL, Expression, Strength
from core.faces import Aligned, Photo
from core.generator.latent import Latent, Noise
from core.learned import NOTHING, Learned
from core.methods import DEFAULT_METHOD
from core.projection import Projecting

_KEPT = 2  # photos with their faces; each takes some 20 MB


@dataclass(frozen=True, eq=False)
class Begun:
    """A projection that has begun, and the aligned face that it projects."""

    aligned: Aligned
    projecting: Projecting


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A projected face: ws float32 [1, num_ws, w_dim], what was learned about it since, and the noise found with it."""

    ws: np.ndarray
    learned: Learned = NOTHING
    noise: Noise = ()

    @classmethod
    def of(cls, latent: Latent, learned: Learned = NOTHING) -> Self:
        """Make it of a latent."""
        return cls(latent.ws, learned, latent.noise)

    @cached_property
    def latent(self) -> Latent:
        """The ws with its noise: what the face is drawn from."""
        return Latent(self.ws, self.noise)


@dataclass(frozen=True, eq=False)
class InPhoto:
    """A face prepared for edits in its photo."""

    original: Original
    found: Found
    photo: Photo  # as large as the original's


class PhotoEditor:
    """Edits faces in their photos. It keeps the last two photos in memory, and nothing on disk."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self._placed: OrderedDict[tuple[str, int, str, int | None], InPhoto] = OrderedDict()

    def look(
        self, photo: bytes, face: int, found: str = "", *, alone: bool = False, loaded: Photo | None = None
    ) -> tuple[Photo, Found]:
        """Decode a photo's file and find its face number `face`, counted from 0. Raises PhotoError, NoSuchFace.

        `found` is the text of an earlier `Found` for this very photo: if it passed today's checks, the face is not looked for
        again. With `alone` a face that the checks refuse bars only itself, not the whole photo. `loaded` is the photo where
        it was decoded already.
        """
        editor, known = self.editor, Found.load(found)
        if known is not None and editor.holds(known, alone=alone):
            return loaded or editor.load(photo), known
        loaded, faces = editor.look(photo, alone=alone)
        return loaded, editor.found(editor.pick(faces, face + 1))

    def begin(self, photo: Photo, found: Found, method: str = DEFAULT_METHOD, steps: int | None = None) -> Begun:
        """Begin to project a face that `look` found; run the result's `projecting`.

        Raises BadOption for an unknown method; MouthHidden, MouthCut, MouthAtEdge.
        """
        aligned = self.editor.align(photo, found)
        self.editor.things(photo, found, aligned)  # raise now, not after seconds of work
        return Begun(aligned, self.editor.projecting(aligned.image, method, steps))

    def learn(
        self, face: KnownFace, expression: Expression, aligned: np.ndarray | None = None, found: Found | None = None
    ) -> KnownFace:
        """Return the face with its scale for the expression and, if `found` is given, with its landmarks in the reconstruction.

        With a variation's it gets the main expression's. Nothing known already is measured again. The scale is measured in the
        `aligned` face, uint8 [R, R, 3], cut out of the photo, or without it on the face as the generator draws it.
        """
        if expression.variation is not None:
            face = self.learn(face, expression.at(NEUTRAL), aligned)  # which takes off what a variation puts on
        learned, moved_by = face.learned, self._moved_by(expression)
        known = learned.scale(expression.name, moved_by)
        if known is None or known.neutral is None:
            scale = self.editor.scale(face.latent, expression, aligned) if known is None else Scale.by(known, expression)
            learned = learned.with_scale(scale.known(expression, moved_by))
        if found is not None:
            with contextlib.suppress(FaceLost):  # raised when it is drawn
                found = self.editor.found(found, face.latent)
            learned = replace(learned, found=found.dump())
        return replace(face, learned=learned)

    def place(
        self, photo: bytes, number: int, face: KnownFace, side: int | None = None, *, alone: bool = False
    ) -> tuple[InPhoto, KnownFace]:
        """Prepare the face with this number (from 0) for edits in its photo, and return it with its landmarks added.

        The photo is made smaller to at most `side` pixels; None keeps its size. `alone` is as for `look`. Raises as `look`
        and `begin` do, and FaceLost.
        """
        key = (hashlib.sha256(photo).hexdigest(), number, face.latent.digest, side)
        made = self._placed.pop(key, None)
        if made is None or not self.editor.holds(made.found, alone=alone):
            loaded, where = self.look(photo, number, face.learned.found, alone=alone)
            made = self.placed(loaded, where, face, loaded.at_most(side))
        self._placed[key] = made
        while len(self._placed) > _KEPT:
            self._placed.popitem(last=False)
        return made, self.with_place(face, made)

    def placed(self, photo: Photo, found: Found, face: KnownFace, shown: Photo) -> InPhoto:
        """Prepare the edits of a face that was found in `photo`, for pictures as large as `shown`. Raises FaceLost."""
        original = self.editor.original(photo, found, face.latent, shown)
        drawn = original.reconstructed.landmarks.astype(np.float32)
        return InPhoto(original, Found(found.landmarks, drawn, found.checked), shown)

    @staticmethod
    def with_place(face: KnownFace, place: InPhoto) -> KnownFace:
        """Note on a face where it is in its photo."""
        return replace(face, learned=replace(face.learned, found=place.found.dump()))

    def pictures(
        self,
        face: KnownFace,
        asked: Sequence[Strength],
        expression: Expression,
        original: Original | None = None,
        *,
        judge: bool = True,
    ) -> list[Variant]:
        """Draw the face at each strength, in its photo if there is an `original`, else as the generator draws it.

        In the photo the results are judged (see `Editor.judged`) unless `judge` is False, which saves time. Raises FaceLost.
        """
        if expression.variation is None:
            return self._pictures(face, asked, expression, original, judge=judge)
        each = (self._pictures(face, [one], expression.at(one), original, judge=judge) for one in asked)
        return [picture for (picture,) in each]

    def _pictures(
        self, face: KnownFace, asked: Sequence[Strength], expression: Expression, original: Original | None, *, judge: bool
    ) -> list[Variant]:
        """Draw the face at each strength along the expression's own direction; else as `pictures`."""
        scale = self.scale(face, expression)
        if original is None:
            return self.editor.variants(face.latent, asked, expression, scale, judge=False)
        moved = [one for one in asked if one != 0]
        drawn = iter(self.editor.variants(face.latent, moved, expression, scale, judge=False) if moved else ())
        untouched = Variant(expression, 0.0, 0.0, 0.0, original.photo, float("nan"))

        def laid(variant: Variant) -> Variant:
            if judge:
                return self.editor.judged(original, variant, scale.score(0.0))
            return self.editor.into_photo(original, variant, judge=False)

        return [untouched if one == 0 else laid(next(drawn)) for one in asked]

    def scale(self, face: KnownFace, expression: Expression) -> Scale:
        """Return the scale that `learn` has measured, or measure it now."""
        known = face.learned.scale(expression.name, self._moved_by(expression))
        return self.scale(self.learn(face, expression), expression) if known is None else Scale.by(known, expression)

    def _moved_by(self, expression: Expression) -> str:
        return self.editor.models.moved_by(expression)
