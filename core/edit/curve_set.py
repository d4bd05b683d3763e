"""Draws faces and tries each at many steps along an expression: what `core.edit.curves` foretells from.

No photograph of anyone is among them: a face follows from its number, and stands for its own photo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.device import one_thread
from core.edit.curves import STEPS, Curves
from core.edit.editor import Editor
from core.edit.trials import Trials
from core.errors import FaceLost, GeneratorLacks
from core.expressions import Expression
from core.generator import seed_w

FACES: Final = 150
FIRST_SEED: Final = 13_000_000  # far from the seeds of every other set
TRUNCATION: Final = (0.6, 1.0)  # below, faces hardly differ; above, they fall apart
_CHUNK = 10  # faces a file


@dataclass(frozen=True)
class CurveSet:
    """A folder of curves; the files that are there already are not made again."""

    folder: Path
    editor: Editor
    expression: Expression
    faces: int = FACES

    def fill(self) -> Iterator[int]:
        """Draw and try the faces that are missing; yields the number of faces done after each; what is kept are whole files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for first in range(0, self.faces, _CHUNK):
            file, numbers = self._file(first), range(first, min(first + _CHUNK, self.faces))
            if not file.exists():
                curves: list[NDArray[np.float32]] = []
                for number in numbers:
                    if curves:
                        yield number
                    curves.append(self._curve(number))
                part = file.with_suffix(".part")
                with part.open("wb") as opened:
                    np.save(opened, np.stack(curves), allow_pickle=False)
                part.replace(file)
            yield numbers.stop

    def all(self) -> Curves:
        """Read all curves, without those of faces that were lost at some step. Raises GeneratorLacks if none is left."""
        files = [np.load(self._file(first), allow_pickle=False) for first in range(0, self.faces, _CHUNK)]
        scores = np.concatenate(files).astype(np.float64)
        seen = ~np.isnan(scores).any(axis=1)
        if not seen.any():
            name = self.editor.models.generator.name
            raise GeneratorLacks(name=name, what="faces in its pictures")
        return Curves(self.editor.models.generator.digest, self._moved_by, scores[seen])

    @property
    def _moved_by(self) -> str:
        return self.editor.models.mover(self.expression).digest

    def _file(self, first: int) -> Path:
        return self.folder / f"{self.editor.models.generator.digest[:12]}-{self._moved_by}-{first}-{self.faces}.npy"

    def _curve(self, number: int) -> NDArray[np.float32]:
        """Try one face: its scores [len(STEPS)]; nan where no face was seen."""
        generator = self.editor.models.generator
        truncation = float(np.random.RandomState(0).uniform(*TRUNCATION, size=self.faces)[number])
        ws = generator.broadcast(seed_w(generator, [FIRST_SEED + number], truncation)).cpu().numpy()
        with one_thread():
            trials = Trials(self.editor, ws, self.expression, self.editor.reconstructed(ws))
            try:
                scores = [trials.now if step == 0 else trials.at(step) for step in STEPS]
            except FaceLost:  # in the preview head's picture of the face as it is
                scores = [None] * len(STEPS)
        return np.array([np.nan if one is None else self.expression.of(one) for one in scores], dtype=np.float32)
