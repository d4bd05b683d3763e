"""Measures a result before it goes out: did the expression get there, did lips and teeth stay whole?

The landmarker is a judge of whole mouths: where lips are torn, doubled or drawn beside the face, it finds them elsewhere than
they were put: by 0.1 to 0.9 % of the size of the face on whole ones, by 1.0 to 2.2 % on broken ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.composite import Original
from core.composite.mesh import LIPS_OUTLINE, Points
from core.composite.motion import mouth_gap
from core.errors import NotReached, NotWhole, ResultError
from core.expressions import Expression
from core.faces.sampling import cut, through
from core.projection.features import SIDE, Features

Picture = NDArray[np.uint8]
_LIPS: Final = list(LIPS_OUTLINE)
_WIDER: Final = 1.25  # times the lips: the edge round them is where they tear
_TAPS: Final = 3  # of the features: fine enough to see a lip
_DOUBTFUL_SLIP: Final = 0.009  # in face sizes: up to here every result that was looked at was whole
_WORST_SLIP: Final = 0.012  # from here on none was
_WORST_SLIP_AT_REST: Final = 0.02  # the same of lips that close: in a beard their line is only guessed
_STRANGER: Final = 0.015  # in face sizes: lips of a shape so far from the photo's are others, or hide a tongue
_PIXEL: Final = 0.15  # pixels by which lips are misplaced in any photo; it weighs in small faces
_DOUBTFUL_STRANGENESS: Final = 0.5
_CLEARER: Final = 0.05  # a second way must be so much less strange to be taken for that alone
_AGAPE: Final = 0.05  # in face sizes: a mouth may be so much further open than it was meant to be
_ASKED: Final = 0.75  # strength from which the expression has to be seen


@dataclass(frozen=True)
class Measured:
    """What is measured of one result in its photo."""

    strange: float  # distance of features at the mouth, 0..1, from the generator's whole drawing of the same face
    slip: float  # mean distance of the lips from where they were put, in face sizes
    gap: float  # by how much the mouth is further open than it was meant to be, in face sizes
    pixels: float  # the face's size
    misfit: float  # mean distance of the photo's lips from those of its reconstruction laid upon them, in face sizes
    score: float  # of the expression, 0..1

    @property
    def doubtful(self) -> bool:
        """Whether the result is so near a bound that laying it in another way might be better."""
        return self.slip > _DOUBTFUL_SLIP or self.strange > _DOUBTFUL_STRANGENESS or self.gap > _AGAPE

    def whole(self, *, closing: bool) -> bool:
        """Tell whether lips and teeth came out whole, after an edit that opens or is `closing` the mouth."""
        worst = (_WORST_SLIP_AT_REST if closing else _WORST_SLIP) + _PIXEL / self.pixels
        return self.slip < worst and self.gap < _AGAPE and self.misfit < _STRANGER

    def better_than(self, other: Measured, *, closing: bool) -> bool:
        """Tell whether this result, made in a second way, is to be taken in the place of the other."""
        if self.whole(closing=closing) != other.whole(closing=closing):
            return self.whole(closing=closing)
        return self.strange < other.strange - _CLEARER or (self.strange < other.strange and self.slip < other.slip)


def measure_result(
    features: Features, original: Original, drawn: Picture, result: Picture, lips: tuple[Points, Points], score: float
) -> Measured:
    """Measure the `result` [H, W, 3] of an edit that the generator has `drawn` [R, R, 3].

    `lips`: the face's landmarks [N, 2] in photo pixels, where they were meant to come and where they were found.
    """
    meant, found = lips
    to_crop = original.matrix @ np.diag([len(drawn) / SIDE, len(drawn) / SIDE, 1.0])
    whole = np.asarray(Image.fromarray(drawn).resize((SIDE, SIDE), Image.Resampling.BOX))
    batch = torch.tensor(np.stack([cut(result, to_crop, SIDE), whole])).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        taps = features(batch.to(next(features.parameters()).device, memory_format=torch.channels_last))
    mouth = through(np.linalg.inv(to_crop).astype(np.float64), meant[_LIPS])
    slip = np.linalg.norm(found[_LIPS] - meant[_LIPS], axis=1).mean() / original.size
    gap = (mouth_gap(found) - mouth_gap(meant)) / original.size
    of_photo, rebuilt = (
        points[_LIPS] - points[_LIPS].mean(axis=0) for points in (original.points, original.reconstructed_points)
    )
    misfit = np.linalg.norm(of_photo - rebuilt, axis=1).mean() / original.size
    return Measured(_apart(taps[:_TAPS], _around(mouth)), float(slip), gap, original.size, float(misfit), score)


def _around(lips: NDArray[np.float64]) -> Image.Image:
    """Cut the mouth and a little around it, by an outline in pixels of a picture of SIDE."""
    mask = Image.new("L", (SIDE, SIDE))
    wide = lips.mean(axis=0) + _WIDER * (lips - lips.mean(axis=0))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in wide.tolist()], fill=255, outline=255)
    return mask


def _apart(taps: list[torch.Tensor], where: Image.Image) -> float:
    """Mean over taps of one minus the cosine of the features of two pictures, where the mask is."""
    parts = []
    for tap in taps:
        side = tap.shape[-1]
        weight = torch.tensor(np.asarray(where.resize((side, side), Image.Resampling.BOX)), device=tap.device).float()
        apart = 1 - (tap[0] * tap[1]).sum(dim=0)
        parts.append(float((apart * weight).sum() / weight.sum().clamp(min=1)))
    return float(np.mean(parts))


def verdict(measured: Measured | None, expression: Expression, strength: float, before: float) -> ResultError | None:
    """Say what is wrong with a result, or None. `before`: the photo's score; `measured`: None where no face is left."""
    said = f"{round(strength, 2):+g}"
    if measured is None or not measured.whole(closing=strength < 0):
        return NotWhole(strength=said)
    seen = (expression.judged.shown + expression.judged.rests) / 2
    if strength >= _ASKED and measured.score < min(seen, before + seen / 2):
        return NotReached(strength=said)
    return None
