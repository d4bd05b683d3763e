"""Linear maps from scores of a face to changes of its latent, learned from drawn faces and kept in one small file.

    maps = Maps.load(file, digest)
    pull = maps.pull({"browDownLeft": -0.4, ...})     # wanted changes of scores -> one number for each score
    ws = ws + maps.offset(pull)

Let A [K, w_dim] be the change of the scores by a step in w, S the covariance of w, D the tolerances and P the prices of the
scores. The change d of w that reaches the wanted changes t of the scores minimises

    |P (A d - t) / D|^2 + PRIOR d' S^-1 d        so  d = S A' c  with  c = (A S A' + PRIOR (D / P)^2)^-1 t

It is the smallest one, measured as drawn faces differ (Mahalanobis). The K numbers c are called a `pull`, and can be kept
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
    """The maps of K scores for one generator."""

    generator: str  # digest of the weights
    names: tuple[str, ...]  # the landmarker's 52 scores, and the pose
    moves: Values  # [K, w_dim], S A': where in w each score pulls
    gram: Values  # [K, K], A S A'
    styles: Values  # [num_ws], 1 for the styles that a change moves
    faces: Values  # [N, K], the drawn faces' scores
    calm: NDArray[np.bool_]  # [N], which of them the classifier of emotions calls neutral

    @cached_property
    def digest(self) -> str:
        """Hash of the maps and of the drawn faces' scores, 16 hex digits."""
        return hashlib.sha256(b"".join(one.tobytes() for one in (self.moves, self.gram, self.faces, self.calm))).hexdigest()[:16]

    def pull(self, wanted: Mapping[str, float]) -> Values:
        """Compute the pull [K] that changes the scores by the `wanted` amounts, by name.

        Scores of STEADY are held; others that are not named may change too.
        """
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
        """Return a pull's first K numbers, without those for `own_step` and `lift_of`; zeros for ()."""
        given = np.asarray(pull, dtype=np.float32)[: len(self.names)]
        return given if len(given) else np.zeros(len(self.names), dtype=np.float32)

    def offset(self, pull: Sequence[float]) -> Values:
        """Compute what a pull adds to ws: [num_ws, w_dim]."""
        made: Values = self.styles[:, None] * (self.values(pull) @ self.moves)
        return made

    def length(self, pull: Values) -> float:
        """Compute the length of a pull [K] in standard deviations (Mahalanobis). Drawn faces lie about twenty from the mean."""
        return float(np.sqrt(max(float(pull @ self.gram @ pull), 0.0)))

    @classmethod
    def load(cls, file: Path, generator: str) -> Maps:
        """Read a file of `save`. Raises WeightsUnfit if it is not for the generator of this digest, ModelUnreadable."""
        with read_as_data(file.name), safe_open(file, framework="numpy") as tensors:
            about = json.loads(tensors.metadata()["maps"])
            values = {name: tensors.get_tensor(name) for name in ("moves", "gram", "styles", "faces", "calm")}
            if about["generator"] != generator:
                raise WeightsUnfit(name=file.stem, found=str(about["generator"])[:12], expected=generator[:12])
            moves, gram, styles, faces = (values[name].astype(np.float32) for name in ("moves", "gram", "styles", "faces"))
            return cls(generator, tuple(map(str, about["names"])), moves, gram, styles, faces, values["calm"].astype(bool))

    def save(self, file: Path, facts: Mapping[str, object]) -> None:
        """Write the file atomically, with `facts` for JSON about how it was made. The same maps give the same bytes."""
        about = {"generator": self.generator, "names": self.names, **facts}
        half = {"moves": self.moves.astype(np.float16), "faces": self.faces.astype(np.float16)}
        tensors = {**half, "gram": self.gram, "styles": self.styles, "calm": self.calm.astype(np.uint8)}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        save_file({name: np.ascontiguousarray(one) for name, one in tensors.items()}, part, {"maps": json.dumps(about)})
        part.chmod(0o644)  # safetensors writes for the owner alone, but scores of drawn faces are no secret
        part.replace(file)
