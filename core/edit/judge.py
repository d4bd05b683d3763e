"""Measures a result before it is sent: did the expression get there, did lips, teeth and eyes stay whole?

The landmarker tells whether a mouth is whole. It finds torn, doubled or misplaced lips elsewhere than the edit put them: off
by 1.0 to 2.2 % of the face's size, against 0.1 to 0.9 % for whole lips. Between these, and of lips that close, features tell:
a mouth that is much less like its drawing than the photo's was like its reconstruction is smeared, doubled or nobody's.

Eyes that are shut in the photo can't be opened: there is nothing but lids to stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.composite import Original
from core.composite.mesh import EYES, LIPS_OUTLINE, LIPS_OUTSIDE, Points
from core.composite.motion import lips_width, mouth_gap
from core.composite.units import lids_apart
from core.errors import EyesShut, NotReached, NotWhole, ResultError
from core.expressions import Expression
from core.faces.sampling import cut, through
from core.projection.features import SIDE, Features

Picture = NDArray[np.uint8]
_LIPS: Final = list(LIPS_OUTLINE)
_WIDER: Final = 1.25  # times the lips: the edge round them is where they tear
_TAPS: Final = 3  # of the features: fine enough to see a lip
_DOUBTFUL_SLIP: Final = 0.009  # in face sizes: below this every inspected result was whole
_WORST_SLIP: Final = 0.012  # from here on none was
_WORST_SLIP_AT_REST: Final = 0.02  # the same of lips that close: in a beard their line is only guessed
_ESTRANGED: Final = 0.25  # strangeness beyond the photo's own, from which a mouth whose lips also strayed is not whole
_STRAYED: Final = 0.0095  # in face sizes: the slip from which they did
_STRANGER: Final = 0.015  # in face sizes: lips of a shape so far from the photo's are others, or hide a tongue
_PIXEL: Final = 0.15  # pixels by which lips are misplaced in any photo; it weighs in small faces
_DOUBTFUL_STRANGENESS: Final = 0.5
_CLEARER: Final = 0.05  # a second way must be so much less strange to be taken for that alone
_SQUEEZED: Final = 0.85  # width of a mouth over that in the photo, below which its own lips are squeezed out of shape
_STRETCHED: Final = 1.35  # and above which they are stretched
_AGAPE: Final = 0.05  # in face sizes: a mouth may be so much further open than it was meant to be
_SHUT: Final = 0.025  # in face sizes: an eye in the photo whose lids are no further apart shows no more than lashes
_PRISED: Final = 0.02  # in face sizes: a shut eye may open by so much; by 0.023 its lashes are stripes
_ASKED: Final = 0.75  # strength from which the expression has to be seen


@dataclass(frozen=True)
class Measured:
    """The measurements of one result in its photo."""

    strange: float  # distance of features at the mouth, 0..1, from the generator's whole drawing of the same face
    slip: float  # mean distance of the lips from where they were put, in face sizes
    gap: float  # by how much the mouth is further open than it was meant to be, in face sizes
    pixels: float  # the face's size
    misfit: float  # mean distance between the photo's and the reconstruction's lips, centred on each other, in face sizes
    score: float  # of the expression, 0..1
    wider: float = 1.0  # the mouth's width as it was meant to be, over that in the photo
    prised: float = 0.0  # by how much an eye opens that is shut in the photo, in face sizes; 0 if none is
    usual: float = 0.0  # what `strange` is of the photo, unedited, and the face's reconstruction; asked for once lips strayed

    @property
    def reshaped(self) -> bool:
        """Whether the mouth changes so much in width that the photo's lips are too thick, too thin or too bright in it."""
        return not _SQUEEZED < self.wider < _STRETCHED

    @property
    def doubtful(self) -> bool:
        """Whether the result is so close to a bound that putting it into the photo in the second way might be better."""
        strayed = self.slip > _DOUBTFUL_SLIP or self.gap > _AGAPE
        return strayed or self.strange > _DOUBTFUL_STRANGENESS or self.reshaped

    def whole(self, *, closing: bool) -> bool:
        """Tell whether lips and teeth are whole. An edit that is `closing` the mouth gets a wider bound."""
        worst = (_WORST_SLIP_AT_REST if closing else _WORST_SLIP) + _PIXEL / self.pixels
        if self.strange - self.usual > _ESTRANGED and self.slip > _STRAYED + _PIXEL / self.pixels:
            return False
        return self.slip < worst and self.gap < _AGAPE and self.misfit < _STRANGER

    def better_than(self, other: Measured, *, closing: bool) -> bool:
        """Tell whether this result, made in the second way, should replace the `other`."""
        if self.whole(closing=closing) != other.whole(closing=closing):
            return self.whole(closing=closing)
        if self.wider < _SQUEEZED and self.strange < other.strange and self.slip < _DOUBTFUL_SLIP:
            return True
        return self.strange < other.strange - _CLEARER or (self.strange < other.strange and self.slip < other.slip)


class Judge:
    """Measures results. It remembers of each face how strange its photo is, as long as the face is edited."""

    def __init__(self) -> None:
        self._usual: WeakKeyDictionary[Original, float] = WeakKeyDictionary()

    def measure(
        self,
        features: Features,
        original: Original,
        drawn: Picture,
        result: Picture,
        face: tuple[Points, Points],
        score: float,
    ) -> Measured:
        """Measure the `result` uint8 [H, W, 3] of an edit whose picture the generator has `drawn`, uint8 [R, R, 3].

        `face` are its landmarks [N, 2], in photo pixels, as the edit meant them and as they were found in the result.
        `score` (0..1) is passed on.
        """
        meant, found = face
        slip = np.linalg.norm(found[_LIPS] - meant[_LIPS], axis=1).mean() / original.size
        if slip > _STRAYED and original not in self._usual:
            rebuilt = original.in_srgb(original.reconstructed.pixels)
            self._usual[original] = _strange(features, original, rebuilt, original.photo, original.points)
        gap = (mouth_gap(found) - mouth_gap(meant)) / original.size
        own, drawn_own = (
            points[_LIPS] - points[_LIPS].mean(axis=0) for points in (original.points, original.reconstructed_points)
        )
        misfit = np.linalg.norm(own - drawn_own, axis=1).mean() / original.size
        wider = lips_width(meant, LIPS_OUTSIDE[0]) / lips_width(original.points, LIPS_OUTSIDE[0])
        strange, usual = _strange(features, original, drawn, result, meant), self._usual.get(original, 0.0)
        prised = _prised(original.points, found, original.size)
        return Measured(strange, float(slip), gap, original.size, float(misfit), score, wider, prised, usual)


def _prised(points: Points, found: Points, size: float) -> float:
    """Compute `Measured.prised` of a face by its landmarks [N, 2] in the photo and in the result, and its size in the photo."""
    eyes = [(lids_apart(points, *eye), lids_apart(found, *eye)) for eye in EYES]
    return max(0.0, *((after - before) / size if before < _SHUT * size else 0.0 for before, after in eyes))


def _strange(features: Features, original: Original, drawn: Picture, result: Picture, lips: Points) -> float:
    """Compute how different a mouth in the photo is from the one `drawn`: see `_apart`. `lips` [N, 2] are in photo pixels."""
    to_crop = original.matrix @ np.diag([len(drawn) / SIDE, len(drawn) / SIDE, 1.0])
    whole = np.asarray(Image.fromarray(drawn).resize((SIDE, SIDE), Image.Resampling.BOX))
    seen = original.in_srgb(cut(result, to_crop, SIDE))
    batch = torch.tensor(np.stack([seen, whole])).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        taps = features(batch.to(next(features.parameters()).device, memory_format=torch.channels_last), _TAPS)
    return _apart(taps, _around(through(np.linalg.inv(to_crop).astype(np.float64), lips[_LIPS])))


def _around(lips: NDArray[np.float64]) -> Image.Image:
    """Mask the mouth and a little around it: an image of SIDE x SIDE pixels, 0 or 255. `lips` [N, 2] is its outline in pixels."""
    mask = Image.new("L", (SIDE, SIDE))
    wide = lips.mean(axis=0) + _WIDER * (lips - lips.mean(axis=0))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in wide.tolist()], fill=255, outline=255)
    return mask


def _apart(taps: list[torch.Tensor], where: Image.Image) -> float:
    """Compute how different two pictures are where the mask `where` is set: 1 minus the cosine of their features, 0 if equal.

    Each of the `taps` holds the features [2, C, S, S] of both pictures, of length 1; the mean is over the taps.
    """
    parts = []
    for tap in taps:
        side = tap.shape[-1]
        weight = torch.tensor(np.asarray(where.resize((side, side), Image.Resampling.BOX)), device=tap.device).float()
        apart = 1 - (tap[0] * tap[1]).sum(dim=0)
        parts.append(float((apart * weight).sum() / weight.sum().clamp(min=1)))
    return float(np.mean(parts))


def verdict(measured: Measured | None, expression: Expression, strength: float, before: float) -> ResultError | None:
    """Return the error that says what is wrong with a result, or None for a good one.

    `measured` is None if no face was found in the result; `before` is the score of the photo.
    """
    said = f"{round(strength, 2):+g}"
    if measured is None or not measured.whole(closing=strength < 0):
        return NotWhole(strength=said)
    if measured.prised > _PRISED:
        return EyesShut(strength=said)
    seen = (expression.judged.shown + expression.judged.rests) / 2
    if strength >= _ASKED and measured.score < min(seen, before + seen / 2):
        return NotReached(strength=said)
    return None
