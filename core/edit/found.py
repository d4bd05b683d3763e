"""Where a face was found. It is kept with the face, so that a later edit in the same photo need not look for it again."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_POINTS = 478


@dataclass(frozen=True, eq=False)
class Found:
    """A face's landmarks in its photo and in its reconstruction, and which checks the photo passed."""

    landmarks: NDArray[np.float32]  # [478, 2], pixels of the upright photo
    drawn: NDArray[np.float32] | None  # [478, 2], pixels of the reconstruction; None before there is one
    checked: str  # the checks that the photo passed (`Editor.checks`); "" if there were none

    def dump(self) -> str:
        """Write it as a JSON text."""
        points = {"photo": self.landmarks, "drawn": self.drawn}
        packed = {name: None if one is None else base64.b64encode(one.tobytes()).decode() for name, one in points.items()}
        return json.dumps({**packed, "checked": self.checked}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Self | None:
        """Read the text of `dump`; None for any other text."""
        try:
            data = json.loads(text)
            drawn = None if data["drawn"] is None else _points(data["drawn"])
            return cls(_points(data["photo"]), drawn, str(data["checked"]))
        except (ValueError, KeyError, TypeError):
            return None


def _points(packed: str) -> NDArray[np.float32]:
    points = np.frombuffer(base64.b64decode(packed, validate=True), dtype=np.float32).reshape(_POINTS, 2)
    if not np.isfinite(points).all():
        raise ValueError
    return points
