"""The steps from a photo to its edits, one way for all who ask: the command line, the page of `egao play`, and workers.

    editor = PhotoEditor(Editor(models))
    photo, found = editor.look(file, face=0)
    begun = editor.begin(photo, found)                       # then run begun.projecting to its end
    face = editor.learn(KnownFace.of(begun.projecting.latent), expression, begun.aligned.image, found)
    place, face = editor.place(file, 0, face)
    pictures = editor.pictures(face, [NEUTRAL, 1.0], expression, place.original)
    whole = editor.add(place.original, pictures[1], whole)   # with the faces that were edited before

All that a `KnownFace` holds beside its latent is plain data: whoever stores faces stores it too and passes it in again, so
that nothing is measured or looked for twice. What the edits of one photo share is kept for the next call.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import groupby
from typing import Self

import numpy as np

from core.composite import Original, Rendered
from core.device import two_at_once
from core.edit.editor import Editor
from core.edit.found import Found
from core.edit.scale import Scale
from core.edit.variant import Variant
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

        With a variation's it gets the main expression's; other eyes share the scale of `plain` ones. Nothing known already is
        measured again. The scale is measured in the `aligned` face, uint8 [R, R, 3], cut out of the photo, or without it on
        the face as the generator draws it.
        """
        expression = expression.plain
        if (main := expression.at(NEUTRAL)) is not expression:
            face = self.learn(face, main, aligned)  # which takes off what a variation puts on
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

    def learn_in(self, face: KnownFace, expression: Expression, found: Found, photo: Callable[[], Photo]) -> KnownFace:
        """Return the face with its scale for the expression, measured in its photo, as `begin` and `learn` would.

        The whole `photo`, in which it was `found`, is asked for only if there is something to measure.
        """
        both = (expression.plain, expression.plain.at(NEUTRAL))
        measured = all(face.learned.scale(one.name, self._moved_by(one)) is not None for one in both)
        return self.learn(face, expression, None if measured else self.editor.align(photo(), found).image)

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

    def placed(
        self, photo: Photo, found: Found, face: KnownFace, shown: Photo | None = None, drawn: Rendered | None = None
    ) -> InPhoto:
        """Prepare the edits of a face that was found in `photo`, for pictures as large as `shown`, or as the photo if it is None.

        `drawn` is the face's reconstruction where it is known: see `Editor.original`. Raises as that does.
        """
        original = self.editor.original(photo, found, face.latent, shown, drawn)
        points = original.reconstructed.landmarks.astype(np.float32)
        return InPhoto(original, Found(found.landmarks, points, found.checked), shown or photo)

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
        scale: Scale | None = None,
    ) -> list[Variant]:
        """Draw the face at each strength, in its photo if there is an `original`, else as the generator draws it.

        In the photo the results are judged (see `Editor.judged`) unless `judge` is False, which saves time; strength 0 is the
        photo itself. Of a variation (smile-closed) what takes the expression off is its main expression. `scale` gives strengths
        another meaning than what was, or else is now, measured of the face. Without a judge scores are nan. Raises FaceLost.
        """
        made = self.making(face, asked, expression, original, judge=judge, scale=scale)
        return [one for one in made if one is not None]

    def making(
        self,
        face: KnownFace,
        asked: Sequence[Strength],
        expression: Expression,
        original: Original | None = None,
        *,
        judge: bool = True,
        scale: Scale | None = None,
    ) -> Iterator[Variant | None]:
        """Make `pictures` in parts: yield each when it is done, and None after a part of the work without one."""
        for shown, some in groupby(asked, expression.at):
            measured, strengths = scale or self.scale(face, shown), list(some)
            moved = strengths if original is None else [one for one in strengths if one != 0]
            drawn = self.editor.variants(face.latent, moved, shown, measured, judge=False) if moved else []
            if original is None:
                yield from drawn
                continue
            yield None
            before = measured.score(0.0)
            put = partial(self.editor.judged, original, before=before) if judge else partial(self._laid, original)
            rest = two_at_once(put, drawn)
            for one in strengths:
                yield next(rest) if one != 0 else Variant(shown, 0.0, 0.0, 0.0, original.photo, before)

    def _laid(self, original: Original, variant: Variant) -> Variant:
        return self.editor.into_photo(original, variant, judge=False)

    def add(self, original: Original, picture: Variant, onto: np.ndarray | None) -> np.ndarray | None:
        """Lay a picture of `pictures` into its photo with other faces edited already: uint8 [H, W, 3].

        `onto` is the photo with these, or None for the photo as it is; it is not changed. One that must not be shown, or is no
        edit, is not laid: then `onto` itself is returned. Raises FaceLost.
        """
        if picture.told is not None or picture.untouched:
            return onto
        if onto is None and picture.drawn is not None:
            return picture.pixels  # it lies there already
        return self.editor.into_photo(original, picture, onto, judge=False).pixels

    def scale(self, face: KnownFace, expression: Expression) -> Scale:
        """Return the scale that `learn` has measured, or measure it now."""
        known = face.learned.scale(expression.plain.name, self._moved_by(expression))
        if known is None:
            return self.scale(self.learn(face, expression), expression)
        return self.editor.with_eyes(Scale.by(known, expression), expression)

    def _moved_by(self, expression: Expression) -> str:
        return self.editor.models.moved_by(expression)
