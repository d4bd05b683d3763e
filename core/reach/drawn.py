"""Draws faces to learn how the landmarker's scores depend on a latent. No photograph of anyone is among them.

Each face is mixed of two random ones: one gives the styles that an edit may move (`SIDES`), the other all other styles. So
the effect of the movable styles alone can be learned, which is all that an edit can use. A face is determined by its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.emotion import EmotionClassifier
from core.errors import GeneratorLacks
from core.generator import Generator
from core.rendering import Renderer

if TYPE_CHECKING:
    from core.faces import Face, FaceFinder

SIDES: Final = (8, 32)  # pixels, both ends included: coarser styles shape and turn the head, finer ones draw skin and colour
FACES: Final = 2000
POSE: Final = ("yaw", "pitch")
_FIRST_SEED = 12_000_000  # far from the seeds of every other set
_TRUNCATION = (0.7, 1.0)  # below, faces hardly differ; above, they fall apart
_CHUNK = 20  # faces a file
_SIDE = 384  # pixels of a measured picture: the landmarker's own window


@dataclass(frozen=True, eq=False)
class Drawn:
    """N drawn faces with their latents and measurements."""

    rest: NDArray[np.float32]  # [N, w_dim], the w of the styles that no edit moves
    moved: NDArray[np.float32]  # [N, w_dim], the w of the styles that an edit may move
    names: tuple[str, ...]  # the landmarker's 52 scores and POSE
    scores: NDArray[np.float32]  # [N, len(names)]; scores 0..1, the pose in degrees
    emotions: NDArray[np.float32]  # [N, 7], probabilities of core.emotion.EMOTIONS


def movable(generator: Generator) -> NDArray[np.bool_]:
    """Mask the styles [num_ws] that an edit may move."""
    low, high = SIDES
    return np.array([low <= side <= high for side in generator.style_resolutions])


@dataclass(frozen=True)
class MixedSet:
    """A folder of measured faces; faces already in it are not drawn again."""

    folder: Path
    generator: Generator
    renderer: Renderer
    finder: FaceFinder
    classifier: EmotionClassifier
    faces: int = FACES

    def fill(self) -> Iterator[int]:
        """Draw and measure the missing faces, yielding the number of faces done after every file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for first in range(0, self.faces, _CHUNK):
            file, numbers = self._file(first), range(first, min(first + _CHUNK, self.faces))
            if not file.exists():
                part = file.with_suffix(".part")
                with part.open("wb") as opened:
                    np.savez(opened, allow_pickle=False, **self._measured(numbers))
                part.replace(file)
            yield numbers.stop

    def all(self) -> Drawn:
        """Read all faces of the filled set, except those in which the landmarker found no face."""
        files = [np.load(self._file(first), allow_pickle=False) for first in range(0, self.faces, _CHUNK)]
        rest, moved, scores, emotions = (
            np.concatenate([file[key] for file in files]).astype(np.float32) for key in ("rest", "moved", "scores", "emotions")
        )
        seen = ~np.isnan(scores).any(axis=1)
        return Drawn(rest[seen], moved[seen], tuple(files[0]["names"].tolist()), scores[seen], emotions[seen])

    def _file(self, first: int) -> Path:
        return self.folder / f"{self.generator.digest[:12]}-{first}.npz"

    def _measured(self, numbers: range) -> dict[str, NDArray[Any]]:
        both = torch.stack([_two(self.generator, number) for number in numbers])  # [n, 2, w_dim]
        free = torch.from_numpy(movable(self.generator))[None, :, None]
        ws = torch.where(free, self.generator.broadcast(both[:, 1]), self.generator.broadcast(both[:, 0]))
        pictures, faces = [], []
        for (picture,) in self.renderer.batches(ws):
            small = _small(picture)
            pictures.append(small)
            faces.append(self.finder.aligned(small))
        names = tuple(next((face.blendshapes for face in faces if face is not None), ()))
        if not names:
            raise GeneratorLacks(name=self.generator.name, what="faces in its pictures")
        return {
            "rest": both[:, 0].numpy().astype(np.float16),
            "moved": both[:, 1].numpy().astype(np.float16),
            "names": np.array([*names, *POSE]),
            "scores": np.array([_row(face, names) for face in faces], dtype=np.float32),
            "emotions": self.classifier.probabilities(np.stack(pictures)),
        }


def _row(face: Face | None, names: tuple[str, ...]) -> list[float]:
    if face is None:
        return [float("nan")] * (len(names) + len(POSE))
    return [*(face.blendshapes[name] for name in names), *face.pose[: len(POSE)]]


def _two(generator: Generator, number: int) -> Tensor:
    """Compute the two w of the face with this number: [2, w_dim]."""
    random = np.random.RandomState(_FIRST_SEED + number)
    z = torch.from_numpy(random.randn(2, generator.z_dim).astype(np.float32))
    average = generator.w_average()
    with torch.inference_mode():
        w = average + random.uniform(*_TRUNCATION) * (generator.mapping(z) - average)
    return w.clone()


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BOX))
