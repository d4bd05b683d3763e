"""Draws a face at a few strengths when it is learned, so that a slider need not wait for the generator.

On two cores without a GPU the generator takes longer than somebody who drags a slider is ready to wait. Between two drawn
strengths a face's landmarks move almost along straight lines, so pictures between them are made from those two.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.composite import Original, Rendered, between
from core.edit import Editor, Scale
from core.errors import FaceLost
from core.expressions import Expression
from core.generator.latent import AnyLatent

SIDE = 256  # pixels of a picture, made smaller from the whole: a sketch's shades are not true enough to be seen enlarged
STRENGTHS = (-3.0, -2.0, -1.0, 0.5, 1.0, 2.0, 3.0)  # where most happens they lie close together


@dataclass(eq=False)
class Quick:
    """The small pictures of one face with one expression, by their steps along the direction."""

    original: Original  # the face in the small copy of its photo, with a picture of `SIDE` pixels as it was projected
    scale: Scale
    expression: Expression
    drawn: dict[float, Rendered] = field(default_factory=dict)

    def draw(self, editor: Editor, ws: AnyLatent) -> Iterator[None]:
        """Draw the face at each of STRENGTHS, yielding after each; strengths at which no face is found are left out."""
        self.drawn[0.0] = self.original.reconstructed
        for strength in STRENGTHS:
            step, pull = self.scale.step(strength), self.scale.pull(strength)
            with contextlib.suppress(FaceLost):
                picture = editor.draw(ws, [step], self.expression, [pull])[0]
                self.drawn[step] = editor.landmarked(Editor.resized(picture, SIDE), strength)
            yield

    def at(self, step: float) -> Rendered:
        """Make the picture at a step along the direction, by mixing the two drawn ones beside it.

        Beyond the last drawn step, its picture is returned.
        """
        steps = sorted(self.drawn)
        place = bisect_right(steps, step)
        if place in (0, len(steps)):
            return self.drawn[steps[min(place, len(steps) - 1)]]
        low, high = steps[place - 1], steps[place]
        return between(self.drawn[low], self.drawn[high], (step - low) / (high - low))
