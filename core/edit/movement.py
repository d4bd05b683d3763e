"""Moves a face along an expression in its photo: judged at both ends, with its lips drawn in one way from end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.composite import Original
from core.edit.scale import Scale
from core.edit.variant import Variant
from core.expressions import Expression

if TYPE_CHECKING:
    from core.edit.photo_editor import KnownFace, PhotoEditor


def movement(
    photos: PhotoEditor,
    face: KnownFace,
    strengths: Sequence[float],
    expression: Expression,
    original: Original | None,
    *,
    strict: bool = True,
    scale: Scale | None = None,
) -> Iterator[Variant]:
    """Draw the face at each strength, of which the first and the last are the ends; the others are as `PhotoEditor.pictures`.

    In a photo, if the picture at an end has lips drawn anew (see `Editor.judged`), all have: a change of the way between two
    frames would be a jump. Raises the ResultError of an end that must not be shown, unless not `strict`; and FaceLost.
    """
    if original is None:
        yield from (one for at in strengths for one in photos.pictures(face, [at], expression, scale=scale))
        return
    ends = photos.pictures(face, sorted({strengths[0], strengths[-1]}), expression, original, scale=scale)
    for end in ends if strict else ():
        if end.told is not None:
            raise end.told
    for one in in_one_way(photos, face, strengths, expression, ends, scale=scale):
        there = any(one is end for end in ends)  # it lies in the photo in this way already
        yield one if there else photos.editor.into_photo(original, one, judge=False)


def in_one_way(
    photos: PhotoEditor,
    face: KnownFace,
    strengths: Sequence[float],
    expression: Expression,
    ends: Sequence[Variant],
    *,
    scale: Scale | None = None,
) -> Iterator[Variant]:
    """Draw the face at each strength, to be laid into its photo with the lips in one way: anew, if one of the `ends` has them so.

    The `ends` lie in the photo, judged. One that has its lips in that way is yielded as it is; one that hasn't, as it was drawn.
    """
    anew, done = any(end.lips_anew for end in ends), {end.strength: end for end in ends}
    for at in strengths:
        one = done[at] if at in done else photos.pictures(face, [at], expression, scale=scale)[0]
        yield one if one.untouched or one.lips_anew == anew else replace(one, lips_anew=anew, pixels=one.own, drawn=None)
