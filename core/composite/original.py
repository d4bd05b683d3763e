"""An edited face put back into its photo: only what the edit changes, at the photo's own resolution.

Three pictures are warped onto the mesh that the photo's face has after the edit: the photo itself, the reconstruction
and the edited picture. The warped photo already has the new shape, so skin keeps its pores and a beard its hairs. The
remaining difference between edited picture and reconstruction is a change of shading (folds, cheeks, lips). It is
added, as in an expression ratio image (Liu, Shan and Zhang 2001). Only the inside of a mouth that the photo does not
show is drawn by the generator. Beyond the mesh no bit of the photo changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.composite import colour, mask, mouth
from core.composite.before import still
from core.composite.mesh import COUNT, EYES, Points, face_size, folded, with_rim
from core.composite.motion import LIDS_EDGE, below_eyes, broadly, heights, relaxing, target_points
from core.composite.units import Muscles
from core.composite.warp import Raster, blur, box_round, column, grid, polygon, resize, sample, shrunk, span, tensor_of
from core.expressions import Parts

Picture = NDArray[np.uint8]
_WORKING = 320  # pixels of face size at which masks, shades and fields are computed; they have nothing finer to say
_AT_REST = 0.99  # from here on a pixel stays as it is to the bit
_WIDE = 0.4  # share of skin redrawn when a broad smile is removed: redrawing all would lose pores and stubble
_FOLD, _FOLDED = 0.025, 4.0  # in face sizes, how far round a fold of the mesh two pictures show different places; and how surely
_EDGE, _SHADED = 0.02, 0.09  # in face sizes, below eyes that stay still: where the edit begins, and where its shade is whole
_LASHES, _CHEEKS = 0.04, 0.2  # in face sizes, below the eyes: between them hard edges are no lashes, but rims of glasses
_SMALLEST = 8  # pixels; less of a face than this in the photo is not worth an edit


@dataclass(frozen=True, eq=False)
class Rendered:
    """A picture drawn by the generator, aligned as the photo's crop is, with the landmarks that were found in it."""

    pixels: Picture  # [R, R, 3]
    landmarks: Points  # [478, 2] in its own pixels


class Original:
    """A face in its photo with its reconstruction: all that is shared by every edit of this face."""

    def __init__(
        self,
        photo: Picture,
        matrix: NDArray[np.float64],
        landmarks: NDArray[np.floating[Any]],
        reconstructed: Rendered,
        things: NDArray[np.float32] | None = None,
        encoded: Callable[[Picture], Picture] = lambda pixels: pixels,
        in_srgb: Callable[[Picture], Picture] = lambda pixels: pixels,
    ) -> None:
        """Keep what every edit needs.

        `photo` is uint8 [H, W, 3], `landmarks` [478, 2] are the face's in it. `matrix` [3, 3] maps pixels of the
        aligned crop to pixels of the photo. `reconstructed` is drawn from the face's latent. `things` [M, M], 0..1, are
        the probabilities over the crop that something is in front of the face; such places stay unchanged. `encoded`
        converts sRGB pixels of the generator to the photo's own colours, `in_srgb` the photo's to sRGB, for those who look.
        """
        assert photo.dtype == np.uint8
        assert photo.ndim == 3
        self.photo, self.matrix, self.things, self._encoded, self.in_srgb = photo, matrix, things, encoded, in_srgb
        self.reconstructed = replace(reconstructed, pixels=encoded(reconstructed.pixels))
        self.points: Points = np.asarray(landmarks, dtype=np.float64)
        self.size = face_size(self.points)
        self.mesh = with_rim(self.points)
        self.reconstructed_points = self.to_photo(reconstructed.landmarks)
        self._shrunk: Tensor | None = None  # see `reconstructed_at`

    @cached_property
    def reconstructed_mesh(self) -> Points:
        """The reconstruction's mesh with its rim, [504, 2] in photo pixels."""
        return with_rim(self.reconstructed_points)

    @cached_property
    def muscles(self) -> Muscles:
        """What moves the photo's own face, whatever was drawn."""
        return Muscles(self.points[:COUNT])

    def reconstructed_at(self, side: int) -> Tensor:
        """Return the reconstruction as float32 [1, 3, side, side]. The latest is remembered: all edits of a face use the same."""
        if self._shrunk is None or self._shrunk.shape[-1] != side:
            self._shrunk = shrunk(self.reconstructed.pixels, side)
        return self._shrunk

    def to_photo(self, points: Points) -> Points:
        """Map points [N, 2] in pixels of the aligned crop to pixels of the photo: [N, 2]."""
        result: Points = np.asarray(points, dtype=np.float64) @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return result

    def begin(self, edited: Rendered, parts: Parts) -> Edit:
        """Begin an edit of this face; `parts` tells how far parts of the face follow it. What both ways share is done once."""
        return Edit(self, replace(edited, pixels=self._encoded(edited.pixels)), parts)

    def edit(self, edited: Rendered, parts: Parts, onto: Picture | None = None, *, lips_anew: bool = False) -> Picture:
        """Edit this face in a copy of the photo and return the copy: see `begin` and `Edit.laid`."""
        return self.begin(edited, parts).laid(onto, lips_anew=lips_anew)


@dataclass(frozen=True, eq=False)
class _Fields:
    """What an edit does to the window, on a grid of at most `_WORKING` pixels of face size: tensors [1, K, h, w]."""

    move: Tensor  # offsets, in photo pixels, to where each pixel comes from in the photo
    to_edited: Tensor  # the same in the edited picture
    added: Tensor  # levels to add
    rest: Tensor | None  # mask of where the photo stays unchanged; None for nowhere
    pictures: tuple[Tensor, Tensor]  # the photo and the edited picture, both in their new place
    masks: tuple[Tensor, Tensor, Tensor]  # what is seen of the skin and of the lips, and the lips
    size: float  # of the face, in pixels of the grid

    @cached_property
    def within(self) -> Tensor:
        """The factors that give the edited picture the photo's light inside the mouth."""
        return colour.mouth_light(*self.pictures, *self.masks[:2], self.size)

    @cached_property
    def around(self) -> Tensor:
        """The same for the lips and the skin round them."""
        photo, edited = self.pictures
        return colour.lips_light(photo + self.added, edited, *self.masks, self.size)


class Edit:
    """One edit of an `Original`: which window of the photo it touches, and its new pixels."""

    def __init__(self, original: Original, edited: Rendered, parts: Parts) -> None:
        self.original, self.edited, self.parts = original, edited, parts
        points = original.to_photo(edited.landmarks)
        self.meant = target_points(original.points, original.reconstructed_points, points, parts, original.muscles)
        self.target = np.concatenate([self.meant, original.mesh[COUNT:]])
        self.edited_mesh = with_rim(points)
        height, width = original.photo.shape[:2]
        both = np.concatenate([self.target, original.mesh])
        x0, y0 = np.maximum(np.floor(both.min(axis=0)) - 2, 0).astype(int)
        x1, y1 = np.minimum(np.ceil(both.max(axis=0)) + 2, [width, height]).astype(int)
        self.window = int(x0), int(y0), int(x1), int(y1)
        self.corner = np.array([x0, y0], dtype=np.float64)
        self._edited_at = cache(lambda side: shrunk(edited.pixels, side))  # for shades and for the mouth often the same

    def laid(self, onto: Picture | None = None, *, lips_anew: bool = False) -> Picture:
        """Lay the edit into a copy of the photo and return the copy, uint8 [H, W, 3].

        `onto` is a version of the photo in which other faces are edited already, to use in place of the photo. With
        `lips_anew` the lips are drawn by the generator too, for when the photo's own would tear in the new shape. If less
        than 8 pixels of the face lie in the photo, nothing is edited.
        """
        result = (self.original.photo if onto is None else onto).copy()
        x0, y0, x1, y1 = self.window
        if min(x1 - x0, y1 - y0) >= _SMALLEST:
            pixels, changed = self._pixels(lips_anew=lips_anew or self.parts.lips)
            np.copyto(result[y0:y1, x0:x1], pixels, where=changed[..., None])
        return result

    def _pixels(self, *, lips_anew: bool) -> tuple[Picture, NDArray[np.bool_]]:
        """Compute the window's pixels uint8 [h, w, 3] and the mask, bool [h, w], of those that the edit may have changed."""
        photo, fields, (moved, changed) = self._photo, self._fields, self._changed
        change = mouth.Mouth.between(self.original.points, self.target, self.original.size)
        if lips_anew or not change.stays_shut:
            moved, changed = moved.clone(), changed.clone()  # there may be a second way
            self._fill_mouth(moved, photo, changed, change, lips_anew=lips_anew)
        if fields.rest is not None:
            rest = resize(fields.rest, *photo.shape[2:])
            moved, changed = torch.lerp(moved, photo, rest), changed & (rest[:, 0] < _AT_REST)
        return moved[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy(), changed[0].numpy()

    @cached_property
    def _photo(self) -> Tensor:
        x0, y0, x1, y1 = self.window
        return tensor_of(self.original.photo[y0:y1, x0:x1])

    @cached_property
    def _changed(self) -> tuple[Tensor, Tensor]:
        """The window [1, 3, h, w] moved and shaded, without the mouth's inside; and the mask of what that changes."""
        height, width = self._photo.shape[2:]
        move, added = resize(self._fields.move, height, width), resize(self._fields.added, height, width)
        changed = (move.abs().amax(dim=1) > 0.01) | (added.abs().amax(dim=1) > 0.25)
        return self._moved(self._photo, move, added, changed), changed

    def _moved(self, photo: Tensor, move: Tensor, added: Tensor, changed: Tensor) -> Tensor:
        """Move the window's pixels by `move` [1, 2, h, w] and add `added` to them: [1, 3, h, w].

        This is done in the box round all that is `changed` and the mouth; beyond it the photo is returned.
        """
        result, (rows, columns) = photo.clone(), box_round(changed[0])
        if (around := self._mouth_box(*photo.shape[2:], lips_anew=True)) is not None:
            rows, columns = span(rows, around[0]), span(columns, around[1])
        if rows.stop > rows.start and columns.stop > columns.start:
            where = (grid(*photo.shape[2:]) + move)[..., rows, columns]
            result[..., rows, columns] = sample(photo, where) + added[..., rows, columns]
        return result

    def _mouth_box(self, height: int, width: int, *, lips_anew: bool) -> tuple[slice, slice] | None:
        """Choose the rows and columns of the window in which `_fill_mouth` draws; None if they are fewer than two pixels."""
        both = np.concatenate([self.target[mouth.LOOP], self.original.mesh[mouth.LOOP]]) - self.corner
        margin = (0.15 if lips_anew else 0.06) * self.original.size
        x0, y0 = np.clip(np.floor(both.min(axis=0) - margin), 0, [width, height]).astype(int)
        x1, y1 = np.clip(np.ceil(both.max(axis=0) + margin), 0, [width, height]).astype(int)
        return None if min(x1 - x0, y1 - y0) < 2 else (slice(int(y0), int(y1)), slice(int(x0), int(x1)))

    @cached_property
    def _fields(self) -> _Fields:
        original, photo = self.original, self._photo
        scale = min(1.0, _WORKING / original.size)
        height, width = (max(_SMALLEST, round(side * scale)) for side in photo.shape[2:])
        per = np.array([width / photo.shape[3], height / photo.shape[2]])  # working pixels per photo pixel
        size = original.size * scale
        target = (self.target - self.corner) * per
        raster = Raster(target, height, width)
        wide = _WIDE * max(self.parts.anew, broadly(original.points, self.target))
        fields = [mesh - self.target for mesh in (original.mesh, original.reconstructed_mesh, self.edited_mesh)]
        weights = mask.point_weights(self.target, self.parts.brows, wide)
        drawn = raster.interpolate(np.concatenate([*fields, weights], axis=1))
        move, to_reconstructed, to_edited, skin, lips, eyes = torch.split(drawn, [2, 2, 2, 1, 1, 1], dim=1)

        folds = raster.covered(folded([target, original.mesh, original.reconstructed_mesh, self.edited_mesh]))
        plain = 1 - (_FOLDED * blur(folds * (1 - lips) * (1 - eyes), _FOLD * size)).clamp(0, 1) if folds.any() else 1.0
        # where a turned face folds over itself, neighbours come from far apart; only the lips need the sharp field
        sharp = lips * (1 - mouth.ends(target, height, width, size))
        move = torch.lerp(blur(move, 0.01 * size), move, sharp) * torch.from_numpy(raster.inside)

        here = self._photo_grid(height, width, per)
        if self.parts.squint:
            move = self._past_lids(move, raster, target, (photo, here), size)
        move, rest = self._round_things(move, here, per, size)
        if self.parts.still:
            upper = 1 - below_eyes(original.points, here, _EDGE)
            rest = upper if rest is None else torch.maximum(rest, upper)
        small = resize(photo, height, width)
        of_photo = sample(small, grid(height, width) + move * column(per))
        reconstructed = self._sample_crop(original.reconstructed_at, here + to_reconstructed, scale)
        edited = self._sample_crop(self._edited_at, here + to_edited, scale)

        skin = skin * blur(skin, 0.02 * size).sqrt()
        kept = blur(mask.disagreement(of_photo, reconstructed, skin * (1 - lips), size), 0.01 * size)
        free = skin * (1 - kept)
        inner = mouth.inside(target, height, width, size)
        beard = colour.hairy(of_photo, skin * (1 - lips) * (1 - eyes), size)
        lowness = heights(self.target, here)
        dense = colour.bearded(beard, skin, lips, size)
        beard = beard * mask.chin(lowness, dense)  # where there is one, brows and lashes are none
        made = colour.change(of_photo, reconstructed, edited, beard, size, wide)
        if dense:
            made = colour.unshaven(made, dense * beard, size)
        made = torch.lerp(made, blur(made, 0.02 * size), inner)  # teeth of two pictures never lie on each other
        added = shaded = made
        if max(relaxing(original.points, self.target), self.parts.anew, self.parts.brows) > 0:  # else nothing is drawn anew
            beside = mouth.corners(target, height, width, size) * (1 - dense)
            bristly = colour.spread(beard * mask.chin(lowness, wide), dense, size)
            masks = skin, lips, eyes, inner, bristly
            fresh, anew = self._anew((of_photo, edited, made), masks, beside, size, wide)
            added, shaded = torch.lerp(made, fresh, anew), torch.lerp(made, fresh, wide * anew)
        weight = free * mask.significance(shaded * free, size) * (1 - 0.75 * eyes)
        weight = weight * (1 - mask.solid(of_photo, lowness, size) * (1 - eyes)) * plain
        if self.parts.still:
            weight = weight * below_eyes(original.points, here, _SHADED)
        seen = free * (1 - inner).square()
        seen_of = seen * (1 - lips), seen * lips, lips
        return _Fields(move * (1 - kept), to_edited, added * weight, rest, (of_photo, edited), seen_of, size)

    def _anew(
        self, pictures: tuple[Tensor, ...], masks: tuple[Tensor, ...], beside: Tensor, size: float, wide: float
    ) -> tuple[Tensor, Tensor]:
        """Compute the levels to add where skin is drawn anew, [1, 3, h, w], and the mask of where that is, [1, 1, h, w].

        `pictures` are the photo, the edited picture and the change of shade; `masks` skin, lips, eyes, the mouth's inside and
        the beard; `beside` masks the skin beside the corners of the mouth.
        """
        (of_photo, edited, made), (skin, lips, eyes, inner, beard) = pictures, masks
        loses = relaxing(self.original.points, self.target)
        skinny = (1 - lips) * (1 - inner)
        anew = colour.reshaped(made * skinny, size, wide) * skinny * (1 - wide * eyes)
        anew = anew * (1 - beard) * max(loses, self.parts.anew, self.parts.brows)
        anew = torch.maximum(anew, beside * loses)
        uncreased = torch.maximum(beside, min(1.0, 2 * wide) * anew)
        return colour.redrawn(of_photo, edited, uncreased, skin * skinny, size) + colour.broad(made, size), anew

    def _past_lids(self, move: Tensor, raster: Raster, target: Points, seen: tuple[Tensor, Tensor], size: float) -> Tensor:
        """Return `move` [1, 2, h, w] without what lids and cheeks that rise would do to eyeballs and to the rims of glasses.

        `target` [504, 2] are the mesh's points in pixels of the `raster`, `size` is the face's in them. `seen` are the window's
        pixels of the photo, and the photo coordinates of the raster's.
        """
        (photo, here), (height, width) = seen, move.shape[2:]
        rise = np.zeros_like(self.target)
        rise[:COUNT] = self.parts.squint * self.original.muscles.rising
        loops = [target[[*above, *below[-2:0:-1]]] for above, below in EYES]
        within = torch.maximum(*(polygon(loop, height, width) for loop in loops))
        held, points = blur(within, 0.004 * size), self.original.points
        hard = mask.solid(resize(photo, height, width), heights(points, here), size)
        below, cheeks = (below_eyes(points, here, reach, LIDS_EDGE) for reach in (_LASHES, _CHEEKS))
        if (rims := still(hard * (below > 0.9) * (cheeks < 0.9), size)) is not None:
            held = torch.maximum(held, rims.motion)
        return move + raster.interpolate(rise) * held

    def _round_things(self, move: Tensor, here: Tensor, per: NDArray[np.float64], size: float) -> tuple[Tensor, Tensor | None]:
        """Remove from `move` [1, 2, h, w] the motion of things in front of the face, and mask where the photo stays unchanged.

        `here` [1, 2, h, w] are the grid's photo coordinates, `per` [2] its pixels per photo pixel. Returns the new motion and
        the mask [1, 1, h, w], or None if nothing is in front.
        """
        things = self.original.things
        if things is None:
            return move, None
        crop = torch.from_numpy(things)[None, None]
        kept = still(self._sample(crop, here, len(things) / len(self.original.reconstructed.pixels)), size)
        if kept is None:
            return move, None
        # nor may a thing be drawn over the face where the face comes from beneath it
        source = sample(kept.pixels, grid(*move.shape[2:]) + move * column(per))
        hold = torch.maximum(kept.motion, (1.5 * blur(source, 0.01 * size)).clamp(0, 1))
        return move * (1 - hold), kept.pixels

    def _fill_mouth(
        self,
        result: Tensor,
        photo: Tensor,
        changed: Tensor,
        change: mouth.Mouth,
        *,
        lips_anew: bool,
    ) -> None:
        """Draw the inside of the mouth into `result` [1, 3, h, w], at the photo's own resolution, and mark it in `changed`.

        Both are changed in place.
        """
        size, height, width = self.original.size, *photo.shape[2:]
        target, before = self.target - self.corner, self.original.mesh - self.corner
        around = self._mouth_box(height, width, lips_anew=lips_anew)
        if around is None:
            return
        (rows, columns), box = around, (..., *around)
        corner, extent = np.array([columns.start, rows.start]), (rows.stop - rows.start, columns.stop - columns.start)
        where = self._photo_grid(height, width, np.ones(2))[box] + resize(self._fields.to_edited, height, width)[box]
        plain = self._sample_crop(self._edited_at, where, 1.0)
        drawn = plain * resize(self._fields.within, height, width)[box]
        inner = mouth.inside(target - corner, *extent, size)
        skin = (1 - blur(inner, 0.02 * size) > 0.98).float()
        drawn = mouth.textured(drawn, result[box], skin)
        drawn = mouth.not_brighter(drawn, photo[box], skin, inner)
        if lips_anew:
            drawn_lips = plain * resize(self._fields.around, height, width)[box]
            content = torch.lerp(mouth.textured(drawn_lips, result[box], skin), drawn, inner)
            inner = mouth.whole(target - corner, *extent, size)
        elif change.opens:
            content = torch.lerp(drawn, result[box], change.own)
        else:
            shown = mouth.shown(before - corner, *extent, size) * change.own
            content = torch.lerp(drawn, mouth.shaded(photo[box], drawn, inner * shown, size), shown)
        result[box] = torch.lerp(result[box], content, inner)
        changed[box] |= inner[:, 0] > 0.002

    def _photo_grid(self, height: int, width: int, per: NDArray[np.float64]) -> Tensor:
        """Compute the photo coordinates, x and y, of the pixels of a grid over the window: [1, 2, height, width].

        `per` [2] is how many pixels of the grid make one pixel of the photo, along x and y.
        """
        return grid(height, width) / column(per) + column(self.corner)

    def _sample_crop(self, picture_at: Callable[[int], Tensor], where: Tensor, scale: float) -> Tensor:
        """Sample a picture of the generator at photo coordinates [1, 2, h, w]: [1, 3, h, w].

        `picture_at` gives it at a side of so many pixels, float32 [1, 3, side, side]. `scale` is how many pixels of the sampling
        grid make one pixel of the photo.
        """
        density = scale * np.sqrt(abs(np.linalg.det(self.original.matrix[:2, :2])))  # grid pixels to a pixel of the picture
        side = whole = len(self.edited.pixels)
        if density < 0.95:  # averaged first, or fine detail would break up
            side = max(_SMALLEST, round(whole * density))
        return self._sample(picture_at(side), where, side / whole)

    def _sample(self, image: Tensor, where: Tensor, share: float) -> Tensor:
        """Sample an aligned picture [1, C, S, S] at photo coordinates [1, 2, h, w]: [1, C, h, w].

        `share` is S divided by the side of the generator's pictures.
        """
        inverse = np.linalg.inv(self.original.matrix)
        inverse[:2] *= share
        turn = torch.tensor(inverse[:2, :2], dtype=torch.float32)
        return sample(image, torch.einsum("ij,njhw->nihw", turn, where) + column(inverse[:2, 2]))
