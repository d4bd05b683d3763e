"""Small trial edits of a face: the landmarker's scores after a step and a pull, in its photo or as the generator draws it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from core.composite import Original, Rendered
from core.composite.mesh import Points, face_size
from core.composite.motion import mouth_gap
from core.device import threads
from core.edit.models import Models
from core.edit.scale import NEAR, Pull
from core.errors import FaceLost
from core.expressions import Expression, Parts
from core.generator.latent import AnyLatent

SCORE_SIDE = 256  # pixels: the landmarker itself looks at no more
_PARTED = 0.015  # in face sizes: lips further apart than before show teeth or a dark line

Scores = Mapping[str, float]  # the landmarker's 52, 0..1


Picture = NDArray[np.uint8]


class Drawing(Protocol):
    """The methods of an editor that a trial needs; `core.edit.editor.Editor` documents them."""

    @property
    def models(self) -> Models: ...

    def reconstructed(self, ws: AnyLatent) -> Picture: ...

    def sketch(self, ws: AnyLatent, step: float, expression: Expression, pull: Pull) -> Picture: ...

    def landmarked(self, picture: Picture, strength: float, near: Points | None = None) -> Rendered: ...

    def parts(self, expression: Expression, pull: Pull, step: float) -> Parts: ...

    def resized(self, picture: Picture, side: int) -> Picture: ...


class Trials:
    """Trial edits of one face: ws [1, num_ws, w_dim] or a Latent.

    They are drawn with the threads that torch had when this was made; what is small beside that, with what it has by then.
    """

    def __init__(self, editor: Drawing, ws: AnyLatent, expression: Expression, aligned: NDArray[np.uint8] | None) -> None:
        """Keep the face. With `aligned`, uint8 [R, R, 3] cut out of its photo, edits are tried in that cutout, else as drawn."""
        self._editor, self._ws, self._expression = editor, ws, expression
        self._threads = torch.get_num_threads()
        self._known: dict[Pull, dict[float, Scores | None]] = {}  # what `at` found, by pull and step
        self._small = None if aligned is None else editor.resized(aligned, SCORE_SIDE)
        self._face = None if self._small is None else editor.models.finder.aligned(self._small)

    @cached_property
    def now(self) -> Scores | None:
        """The scores of the face before any edit; None if no face is seen."""
        if self._face is not None:
            return self._face.blendshapes
        return self._scores(self._editor.resized(self._editor.reconstructed(self._ws), SCORE_SIDE))  # whole: all hangs on it

    def at(self, step: float, pull: Pull = (), *, parting: bool = True) -> Scores | None:
        """Draw and score the face after a step and a pull; None if no face is seen.

        Without `parting` also None if the lips part further than they do before the edit.
        """
        scores = self._try(step, pull, parting=parting)
        if parting:
            self._known.setdefault(pull, {})[step] = scores
        return scores

    def near(self, step: float, pull: Pull = ()) -> Scores | None:
        """Return what `at` would, roughly: of an earlier trial with this pull at most NEAR steps away, if there was one."""
        known = self._known.get(pull, {}) if any(pull) else {0.0: self.now, **self._known.get(pull, {})}
        nearest = min(known, key=lambda one: abs(one - step), default=None)
        return self.at(step, pull) if nearest is None or abs(nearest - step) > NEAR else known[nearest]

    def _try(self, step: float, pull: Pull, *, parting: bool) -> Scores | None:
        drawn = self._drawn(step, pull)
        if self._face is None:
            return self._scores(drawn)
        try:
            edited = self._editor.landmarked(drawn, step, self._original.reconstructed.landmarks)
        except FaceLost:
            return None
        before = self._original.reconstructed_points
        if not parting and mouth_gap(edited.landmarks) - mouth_gap(before) > _PARTED * face_size(before):
            return None
        return self._scores(self._original.edit(edited, self._editor.parts(self._expression, pull, step)))

    @cached_property
    def _original(self) -> Original:
        assert self._small is not None
        assert self._face is not None
        drawn = self._editor.landmarked(self._drawn(0.0), 0.0)
        return Original(self._small, np.eye(3), self._face.landmarks, drawn, self._editor.models.things.find(self._small))

    def _drawn(self, step: float, pull: Pull = ()) -> Picture:
        with threads(self._threads):
            return self._editor.sketch(self._ws, step, self._expression, pull)

    def _scores(self, picture: Picture) -> Scores | None:
        face = self._editor.models.finder.aligned(picture, precise=False)
        return None if face is None else face.blendshapes
