"""The edit's change of shade, adapted to the photo. Pictures are float32 [1, 3, H, W] in levels of 0..255, all warped
to the same mesh. `size` is the size of the face in pixels (`mesh.face_size`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.composite.warp import blur, smoothstep

_FINEST = 0.004  # in face sizes: finer than this, edited and reconstructed differ by misplaced edges and noise
_DETAIL = 0.007  # finer than this is skin, hair and grain: always the photo's
_LIGHT = 0.07  # wider than this the photo's own light and complexion are kept
_BROAD = 0.08  # wider than this a change is light or complexion rather than expression
_BROAD_LIMIT = 8.0  # levels to which such a change is held
_TINT = 0.3  # share of a change of tint that is taken: an expression is mostly shade
_TEETH_TINT = 0.25  # power of the light's tint that teeth take
_SHAVED = 0.4  # share of a change of shade that is refused in a beard
_HAIRY = 2.0, 3.5  # times the detail of the smoother third of the skin from which, and at which, it is a beard
_BEARDED = 0.1, 0.25  # share of the skin that is hairy, on a face without and with a beard
_RESHAPED = 3.0, 7.0  # levels of change in folds and edges from which, and at which, they are drawn anew
_RESHAPED_WIDE = 1.0, 3.0  # the same where a whole part of the face becomes another


def change(photo: Tensor, reconstructed: Tensor, edited: Tensor, beard: Tensor, size: float, wide: float) -> Tensor:
    """Compute the change of shade [1, 3, H, W], in levels, that the edit adds to the photo.

    Where `beard` [1, 1, H, W], 0..1, is high less is added: generators shave a face when they make it smile. `wide`,
    0..1, allows stronger broad changes: a cheek that is no longer raised is lit differently.
    """
    made = blur((edited - reconstructed) * light(photo, reconstructed, size), _FINEST * size)
    grey = made.mean(dim=1, keepdim=True)
    made = (1 - _SHAVED * beard) * (grey + _TINT * (1 - beard) * (made - grey))
    whole = broad(made, size)
    limit = _BROAD_LIMIT * (1 + wide)
    return made - whole + limit * torch.tanh(whole / limit)


def broad(made: Tensor, size: float) -> Tensor:
    """Extract the part of a change [1, 3, H, W] that is wider than a fold of skin: a blur of the same shape."""
    return blur(made, _BROAD * size)


def light(photo: Tensor, picture: Tensor, size: float) -> Tensor:
    """Compute the factors [1, 3, H, W] by which `picture` is multiplied to get the photo's light and complexion."""
    return _factor(blur(photo, _LIGHT * size), blur(picture, _LIGHT * size))


def _factor(wanted: Tensor, present: Tensor) -> Tensor:
    """Divide `wanted` by `present`, both [1, 3, H, W] in levels, and keep half of the tint: factors [1, 3, H, W], 0.4..1.6.

    Complexions differ more than light does, lips and teeth less.
    """
    factor = ((wanted + 8) / (present + 8)).clamp(0.4, 1.6)
    grey = (wanted.mean(dim=1, keepdim=True) + 8) / (present.mean(dim=1, keepdim=True) + 8)
    return (factor * grey.clamp(0.4, 1.6)).sqrt()


def reshaped(made: Tensor, size: float, wide: float) -> Tensor:
    """Mark where the change `made` is so strong in folds and edges that the photo's own must be replaced: [1, 1, H, W], 0..1.

    Otherwise a fold that is deeper in the photo than in the reconstruction, or a little beside it, would remain as a ghost.
    The higher `wide` (0..1), the weaker the changes that count and the wider the area around them: where a broad smile is
    removed, the whole cheek changes.
    """
    strength = (made - broad(made, size)).abs().mean(dim=1, keepdim=True)
    low, high = (few + wide * (most - few) for few, most in zip(_RESHAPED, _RESHAPED_WIDE, strict=True))
    core = smoothstep(blur(strength, (0.015 + 0.02 * wide) * size), low, high)
    return (1.5 * blur(core, (0.02 + 0.02 * wide) * size)).clamp(0, 1)


def redrawn(photo: Tensor, edited: Tensor, beside: Tensor, skin: Tensor, size: float) -> Tensor:
    """Compute what to add to the photo [1, 3, H, W], in levels, so that it looks like the edited picture at medium scale.

    Medium means detail between `_DETAIL` and `_LIGHT` wide. Finer detail (pores, hairs) stays the photo's, light that varies
    more broadly too. Creases are the exception: fine lines that are stronger than the usual detail around them are removed.
    Where `beside` [1, 1, H, W] (beside the corners of the mouth) is 1, all the surroundings are a crease, so there "usual" is
    the detail of the rest of the `skin` [1, 1, H, W].
    """
    smooth = blur(photo, _DETAIL * size)
    detail = photo - smooth
    limit = 2.5 * blur(detail.abs(), 0.04 * size) + 1
    usual = detail.abs().mean(dim=1, keepdim=True)[skin > 0.5]
    limit = torch.lerp(limit, limit.clamp(max=float(usual.median()) + 0.5 if usual.numel() else 1.0), beside)
    crease = detail - limit * torch.tanh(detail / limit)
    return blur(edited, _DETAIL * size) * light(photo, edited, size) - smooth - crease


def hairy(photo: Tensor, skin: Tensor, size: float) -> Tensor:
    """Mark a beard: where the photo has much more fine detail than the smoother part of the `skin`. [1, 1, H, W], 0..1."""
    # contrast, not levels: a dark beard is a beard too; where a warped photo overshoots below black there is no logarithm
    grey = (photo.mean(dim=1, keepdim=True).clamp(min=0) + 16).log() * 100
    detail = blur((grey - blur(grey, _DETAIL * size)).abs(), 0.025 * size)
    usual = detail[skin > 0.5]
    if not usual.numel():
        return torch.zeros_like(skin)
    return smoothstep(detail / (usual.quantile(0.3) + 0.5), *_HAIRY)


def bearded(beard: Tensor, skin: Tensor, lips: Tensor, size: float) -> float:
    """Judge whether the skin around the lips has a beard: 0 (no) to 1.

    `beard`, `skin` and `lips` are masks [1, 1, H, W]. The edges of the lips are left out, since they are fine detail
    too.
    """
    where = skin * (blur(lips, 0.04 * size) < 0.02) * blur(lips, 0.15 * size)
    return float(smoothstep((beard * where).sum() / where.sum().clamp(min=1e-6), *_BEARDED))


def unshaven(made: Tensor, beard: Tensor, size: float) -> Tensor:
    """Return the change `made` [1, 3, H, W] without what lightens a `beard` [1, 1, H, W], 0..1: the generator shaves it."""
    grey = blur(made.mean(dim=1, keepdim=True), 0.02 * size)
    return made - spread(beard, 1.0, size) * grey.clamp(min=0)


def spread(beard: Tensor, dense: float, size: float) -> Tensor:
    """Widen the mask of a beard [1, 1, H, W], 0..1, over the skin between its hairs, the more the denser it is, 0..1."""
    return torch.maximum(beard, dense * (2.5 * blur(beard, 0.03 * size)).clamp(0, 1)) if dense else beard


def mouth_light(photo: Tensor, edited: Tensor, skin: Tensor, lips: Tensor, size: float) -> Tensor:
    """Compute the factors [1, 3, H, W] that give the inside of the `edited` mouth the photo's light.

    The light is measured on the `skin` and on the `lips` (masks [1, 1, H, W]) near the mouth, and the brighter of the
    two counts: a beard is darker than the skin around it, and so is lipstick. It brightens by a tenth at most, for
    teeth are the lightest part of a face and would lose their shape, and tints little, for eyes see teeth as white in
    any light.
    """

    factors = []
    for where in (skin, lips):
        near = blur(where, 0.06 * size) + 1e-2
        wanted, present = ((blur(image * where, 0.06 * size) + 1) / near for image in (photo, edited))
        grey = (wanted.mean(dim=1, keepdim=True) + 8) / (present.mean(dim=1, keepdim=True) + 8)
        tint = ((wanted + 8) / (present + 8) / grey).clamp(0.8, 1.25) ** _TEETH_TINT
        factors.append(grey.clamp(0.4, 1.1) * tint)
    return torch.maximum(*factors)


def lips_light(photo: Tensor, edited: Tensor, skin: Tensor, lips: Tensor, where: Tensor, size: float) -> Tensor:
    """Compute the factors [1, 3, H, W] that give lips of the `edited` picture, and the skin round them, the photo's colours.

    Lips are compared with lips (mask `lips`) and skin with skin (mask `skin`), both [1, 1, H, W]; `where` tells which of the
    two a place is, 1 for lips.
    """

    def factors(seen: Tensor, width: float) -> Tensor:
        near = blur(seen, width * size) + 1e-2
        wanted, present = ((blur(image * seen, width * size) + 1) / near for image in (photo, edited))
        return ((wanted + 8) / (present + 8)).clamp(0.4, 1.6)

    return torch.lerp(factors(skin, 0.03), factors(lips, 0.06), where)
