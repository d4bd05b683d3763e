"""One picture of a face at one strength of an expression: as the generator draws it, and then as it lies in its photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.edit.scale import Pull
from core.errors import ResultError
from core.expressions import NEUTRAL, Expression, Strength


@dataclass(frozen=True)
class Variant:
    """One picture of a face at one strength of an expression."""

    expression: Expression
    asked: Strength
    strength: float  # a number in place of "neutral", and no lower one where nothing is beyond rest; else as asked
    step: float  # the step along the expression's direction, in its own length
    pixels: np.ndarray  # uint8 [R, R, 3]; once it lies in its photo, that photo [H, W, 3]
    score: float  # of the expression in the picture, 0..1; nan where the landmarker sees no face in it, or was not asked
    lips_anew: bool = False  # laid into its photo in the second way: see `Original.edit`
    told: ResultError | None = None  # why the picture must not be shown; None if it is good, or was not judged
    pull: Pull = ()  # added to the step; see `core.reach.maps`
    drawn: np.ndarray | None = None  # of one in its photo: what the generator drew, uint8 [R, R, 3]; None if it did not draw

    @property
    def own(self) -> np.ndarray:
        """The generator's picture: uint8 [R, R, 3]."""
        return self.pixels if self.drawn is None else self.drawn

    @property
    def untouched(self) -> bool:
        """Whether this is the face without any edit."""
        return self.step == 0 and not any(self.pull)

    @property
    def label(self) -> str:
        """A short name of what was asked for, for files and captions: "neutral" or, for example, "smile +1.5"."""
        return NEUTRAL if isinstance(self.asked, str) else f"{self.expression.name} {self.asked:+g}"
