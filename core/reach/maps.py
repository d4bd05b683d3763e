"""What moves each of the landmarker's scores, and which scores are common: learned of drawn faces, one small file.

    maps = Maps.load(file, generator)
    pull = maps.pull({"browDownLeft": -0.4, ...})     # wanted changes of scores -> one number for each score
    ws = ws + maps.offset(pull)

With A [K, w_dim] what a step of w adds to the scores, S the covariance of w, D the tolerances and P the prices of scores,
the change d of w that reaches the changes t of the scores is the one that minimises

    |P (A d - t) / D|^2 + PRIOR d' S^-1 d        which is  d = S A' c  with  c = (A S A' + PRIOR (D / P)^2)^-1 t

the smallest that does, as the drawn faces themselves differ (Mahalanobis). It is K numbers c, a `pull`, which can be kept
with a face; S A' is in the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from core.errors import WeightsUnfit
from core.untrusted import read_as_data

PRIOR: Final = 0.6  # price of a change's length: with a tenth of it faces break up, with ten times that nothing moves
_TOLERANCE, _TOLERANCE_ANGLE = 0.12, 5.0  # change of a score that is not to change, and of an angle in degrees, that costs 1
_STEADY_PRICE = 2.0  # of gaze and pose, where others that are not to change cost 1
_WANTED_PRICE = 1.5  # of a score that is to change
STEADY: Final = ("eyeLook", "eyeBlink", "yaw", "pitch")  # how names begin that no expression moves: gaze, blinking, pose

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Maps:
    """K scores of one generator's faces."""

    generator: str  # digest of the weights
    names: tuple[str, ...]  # the landmarker's 52 scores, and the pose
    moves: Values  # [K, w_dim], S A': where in w each score pulls
    gram: Values  # [K, K], A S A'
    styles: Values  # [num_ws], 1 for the styles that a change moves
    faces: Values  # [N, K], the drawn faces' scores
    calm: NDArray[np.bool_]  # [N], which of them the classifier of emotions calls neutral

    @cached_property
    def digest(self) -> str:
        """Hash of what they do to faces."""
        return hashlib.sha256(b"".join(one.tobytes() for one in (self.moves, self.gram, self.faces, self.calm))).hexdigest()[:16]

    def pull(self, wanted: Mapping[str, float]) -> Values:
        """Solve for [K]: what changes scores by as much as is wanted. Those of STEADY stay; others not named may go along."""
        steady = [name.startswith(STEADY) for name in self.names]
        free = np.array([held or name in wanted for held, name in zip(steady, self.names, strict=True)])
        change = np.array([wanted.get(name, 0.0) for name in self.names])
        tolerance = np.array([_TOLERANCE_ANGLE if name in ("yaw", "pitch") else _TOLERANCE for name in self.names])
        width = tolerance / np.where(change != 0, _WANTED_PRICE, np.where(steady, _STEADY_PRICE, 1.0))
        system = self.gram[np.ix_(free, free)] + PRIOR * np.diag(width[free] ** 2)
        made = np.zeros(len(self.names), dtype=np.float32)
        made[free] = np.linalg.solve(system, change[free])
        return made

    def values(self, pull: Sequence[float]) -> Values:
        """Take the K numbers of a pull: what stands behind them left out, all of them 0 where there are none."""
        given = np.asarray(pull, dtype=np.float32)[: len(self.names)]
        return given if len(given) else np.zeros(len(self.names), dtype=np.float32)

    def offset(self, pull: Sequence[float]) -> Values:
        """Compute what a pull adds to ws: [num_ws, w_dim]."""
        made: Values = self.styles[:, None] * (self.values(pull) @ self.moves)
        return made

    def length(self, pull: Values) -> float:
        """Measure how far a pull [K] goes, in standard deviations (Mahalanobis); drawn faces lie some twenty from the mean."""
        return float(np.sqrt(max(float(pull @ self.gram @ pull), 0.0)))

    @classmethod
    def load(cls, file: Path, generator: str) -> Maps:
        """Read the file of `save`, for the generator of that digest. Raises WeightsUnfit for another's, ModelUnreadable."""
        with read_as_data(file.name), safe_open(file, framework="numpy") as tensors:
            about = json.loads(tensors.metadata()["maps"])
            values = {name: tensors.get_tensor(name) for name in ("moves", "gram", "styles", "faces", "calm")}
            if about["generator"] != generator:
                raise WeightsUnfit(name=file.stem, found=str(about["generator"])[:12], expected=generator[:12])
            moves, gram, styles, faces = (values[name].astype(np.float32) for name in ("moves", "gram", "styles", "faces"))
            return cls(generator, tuple(map(str, about["names"])), moves, gram, styles, faces, values["calm"].astype(bool))

    def save(self, file: Path, facts: Mapping[str, object]) -> None:
        """Write the file whole, with `facts` (what JSON can hold) on how it was made. The same maps give the same bytes."""
        about = {"generator": self.generator, "names": self.names, **facts}
        half = {"moves": self.moves.astype(np.float16), "faces": self.faces.astype(np.float16)}
        tensors = {**half, "gram": self.gram, "styles": self.styles, "calm": self.calm.astype(np.uint8)}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        save_file({name: np.ascontiguousarray(one) for name, one in tensors.items()}, part, {"maps": json.dumps(about)})
        part.chmod(0o644)  # safetensors writes for the owner alone, but scores of drawn faces are no secret
        part.replace(file)
