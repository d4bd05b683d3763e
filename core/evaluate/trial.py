"""The edits of one face over the whole range of strengths, drawn and judged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from core.composite import Original
from core.edit import Editor, KnownFace, PhotoEditor, Variant
from core.edit.judge import verdict
from core.errors import FaceLost, NotWhole
from core.evaluate.glasses import changed
from core.evaluate.look import Look, Looker, difference
from core.evaluate.seam import outside, seam
from core.evaluate.spoiled import spoil
from core.expressions import NEUTRAL, Expression, Strength
from core.faces import Aligned, Face, Photo, align
from core.generator.latent import AnyLatent, latent_of

Surface = Literal["crop", "photo"]
CROP: Final = "crop"  # the generator's aligned picture
PHOTO: Final = "photo"  # the edit laid back into the person's photo
_SHOWN = 384  # pixels of the pictures that are kept for sheets

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Subject:
    """One face to try directions on: from a photo, or a generated one whose picture serves as the photo."""

    name: str
    photo: Photo
    face: Face
    aligned: Aligned
    ws: AnyLatent  # [1, num_ws, w_dim], or a Latent where the projection moved the noise
    thing: NDArray[np.bool_] | None = None  # [H, W], where a thing was painted in front of the face
    groups: Mapping[str, str] = field(default_factory=dict)  # what is known of the person, such as {"age": "old"}

    def crop(self, photo: Picture) -> Picture:
        """Cut the square of the face, in sRGB as `aligned` is, out of an edited photo uint8 [H, W, 3]: uint8 [R, R, 3]."""
        if photo.shape == self.aligned.image.shape and np.allclose(self.aligned.matrix, np.eye(3)):
            return photo  # a generated face is its own square
        return self.photo.in_srgb(align(photo, self.face.landmarks, len(self.aligned.image)).image)


@dataclass(frozen=True, eq=False)
class Row:
    """One edit, judged against the photo before it."""

    subject: str
    direction: str
    surface: Surface
    asked: Strength
    strength: float
    step: float  # the step along the direction for that strength on this face
    before: float  # score of the photo
    was_showing: bool  # by the classifier of emotions
    after: float  # score of the edit
    showing: bool
    changes: dict[str, float]  # see `look.difference`
    glasses: int  # +1 put on, -1 taken off
    outside: int  # pixels changed outside the face's region; of a photo alone
    seam: float  # see `seam.seam`; of a photo alone, else NaN
    seconds: float  # measuring the face's scale (its share), drawing and, for a photo, putting it back
    picture: Picture = field(repr=False)  # the aligned face, small
    told: str = ""  # the ResultError by which the product holds the edit back; of a photo alone
    thing: int | None = None  # pixels changed of the thing in front of the face; of a photo alone
    groups: Mapping[str, str] = field(default_factory=dict)  # the subject's, and the tone of the skin
    spoiled: Mapping[str, bool] = field(default_factory=dict)  # by way: whether the judge found the edit, so spoiled, broken

    def as_json(self) -> dict[str, Any]:
        """Return all but the picture as plain data, with NaN as None."""
        made = {key: value for key, value in vars(self).items() if key not in ("picture", "changes")} | self.changes
        return {key: _number(value) for key, value in made.items()}


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 4)
    return value


class Trial:
    """Tries directions on one subject after another."""

    def __init__(
        self, editor: Editor, looker: Looker, strengths: Sequence[float], surfaces: Sequence[Surface], *, spoils: bool = False
    ) -> None:
        """Keep what to try: `strengths` in rising order, with "neutral" added, on each of the surfaces.

        With `spoils`, good edits in photos are spoiled too, and shown to the product's judge.
        """
        self.editor, self.photos, self.looker, self.surfaces, self.spoils = editor, PhotoEditor(editor), looker, surfaces, spoils
        self.asked: tuple[Strength, ...] = (*strengths, NEUTRAL)

    def run(self, subject: Subject, expression: Expression) -> Iterator[Row]:
        """Yield one row for each strength and surface; in the photo, strengths at which the face is lost are left out.

        A variation (smile-closed) is put on alone: strengths at which its main expression would be drawn are left out too.
        """
        asked = [one for one in self.asked if expression.at(one) is expression]
        before = self.looker.look(subject.aligned.image)
        began = time.perf_counter()
        face = self.photos.learn(KnownFace.of(latent_of(subject.ws)), expression, subject.aligned.image)
        variants = self.photos.pictures(face, asked, expression)
        drawing = (time.perf_counter() - began) / len(variants)
        if CROP in self.surfaces:
            for variant in variants:
                yield self._judged(subject, CROP, before, variant, variant.pixels, drawing)
        if PHOTO in self.surfaces:
            score = self.photos.scale(face, expression).score(0.0)
            yield from self._in_photo(subject, before, variants, drawing, score)

    def _in_photo(
        self, subject: Subject, before: Look, variants: Sequence[Variant], drawing: float, score: float
    ) -> Iterator[Row]:
        """Yield the edits as members get them: each is judged, and made in the second way where that is better."""
        original = self.editor.original(subject.photo, self.editor.found(subject.face), subject.ws)
        for variant in variants:
            began = time.perf_counter()
            try:  # as `PhotoEditor.pictures` does with each, which would draw them again, and end where the first face is lost
                placed = self.editor.judged(original, variant, score)
            except FaceLost:
                continue
            seconds = drawing + time.perf_counter() - began
            row = self._judged(subject, PHOTO, before, variant, subject.crop(placed.pixels), seconds, placed.pixels)
            changed_at = (subject.photo.pixels != placed.pixels).any(axis=2)
            thing = None if subject.thing is None else int(changed_at[subject.thing].sum())
            found = self._spoiled(original, variant, placed, score) if self.spoils else {}
            yield replace(row, told="" if placed.told is None else type(placed.told).__name__, thing=thing, spoiled=found)

    def _spoiled(self, original: Original, variant: Variant, placed: Variant, score: float) -> dict[str, bool]:
        """Spoil a good edit in every way, and tell of each whether the judge calls it broken; nothing for no edit or a bad one.

        `variant` is as it was drawn, `placed` as it was laid into the photo.
        """
        if variant.untouched or placed.told is not None:
            return {}
        edit, found = self.editor.edited(original, variant), {}
        for way, pixels in spoil(placed.pixels, edit.meant, original.size):
            _, measured = self.editor.measured(original, variant, edit, pixels)
            found[way] = isinstance(verdict(measured, variant.expression, variant.strength, score), NotWhole)
        return found

    def _judged(
        self, subject: Subject, surface: Surface, before: Look, variant: Variant, crop: Picture,
        seconds: float, whole: Picture | None = None,
    ) -> Row:  # fmt: skip
        after = self.looker.look(crop, before.box)
        photo = subject.photo.pixels
        return Row(
            subject=subject.name, direction=variant.expression.move.direction, surface=surface,
            asked=variant.asked, strength=variant.strength, step=variant.step,
            before=before.score, was_showing=before.showing, after=after.score, showing=after.showing,
            changes=difference(before, after), glasses=changed(before.glasses, after.glasses),
            outside=0 if whole is None else outside(photo, whole, subject.face.landmarks),
            seam=float("nan") if whole is None else seam(photo, whole),
            seconds=seconds, picture=self.editor.resized(crop, _SHOWN),
            groups={**subject.groups, **before.groups},
        )  # fmt: skip
