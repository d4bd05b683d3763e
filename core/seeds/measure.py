"""The labels of one generated face: emotions, blendshapes, pose and distances between landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.emotion import EmotionClassifier
from core.expressions import Expression

if TYPE_CHECKING:
    from core.faces.landmarks import Face, FaceFinder

# Distances between landmarks of MediaPipe's face mesh, over the distance between the eyes' centres, so that neither
# the picture's size nor the face's changes them. The numbers are the mesh's vertices.
MEASURES: dict[str, tuple[tuple[int, int], ...]] = {
    "mouth_open": ((13, 14),),  # inner edge of the upper and lower lip
    "mouth_width": ((61, 291),),  # corners
    "eye_open": ((159, 145), (386, 374)),  # lids of the right and left eye, averaged
    "brow_height": ((105, 159), (334, 386)),  # brow to upper lid, averaged
    "face_width": ((234, 454),),
    "face_height": ((10, 152),),  # top of the forehead to the chin
}
_RIGHT_EYE, _LEFT_EYE = (33, 133), (263, 362)  # outer and inner corners

# Probabilities and scores are kept to four decimals: renders in bf16 differ by more between processors, and a label
# that is read back from any of our files is then the same number.
DECIMALS = 4


@dataclass(frozen=True)
class Measured:
    """One labelled face. If the landmarker found no face, all but the probabilities are NaN or empty."""

    seed: int
    probabilities: NDArray[np.float32]  # [7], order of EMOTIONS
    pose: tuple[float, float, float]  # yaw, pitch, roll in degrees
    measures: NDArray[np.float32]  # [len(MEASURES)], in distances between the eyes
    landmarks: NDArray[np.float16] | None  # [478,2], fractions of the picture's side
    blendshapes: dict[str, float]

    def score(self, expression: Expression) -> float:
        """Score how much of the expression the face shows, 0..1; NaN if no face was found."""
        return score_of(self.blendshapes, expression)


def score_of(blendshapes: dict[str, float], expression: Expression) -> float:
    """Compute the expression's score of these blendshapes, 0..1; NaN if there are none."""
    return round(expression.of(blendshapes), DECIMALS) if blendshapes else float("nan")


def measure(seeds: list[int], images: NDArray[np.uint8], classifier: EmotionClassifier, finder: FaceFinder) -> list[Measured]:
    """Label N drawn faces, uint8 [N,S,S,3], one for each seed."""
    assert len(seeds) == len(images), (len(seeds), len(images))
    probabilities = classifier.probabilities(images).round(DECIMALS)
    return [_measured(*row, finder) for row in zip(seeds, images, probabilities, strict=True)]


def _measured(seed: int, image: NDArray[np.uint8], probabilities: NDArray[np.float32], finder: FaceFinder) -> Measured:
    face = _main_face(finder.find(image))
    if face is None:
        nothing = float("nan")
        unknown = np.full(len(MEASURES), np.nan, dtype=np.float32)
        return Measured(seed, probabilities, (nothing, nothing, nothing), unknown, None, {})
    return Measured(
        seed=seed,
        probabilities=probabilities,
        pose=(round(face.pose[0], 2), round(face.pose[1], 2), round(face.pose[2], 2)),
        measures=landmark_measures(face.landmarks),
        landmarks=(face.landmarks / len(image)).astype(np.float16),
        blendshapes={name: round(score, DECIMALS) for name, score in face.blendshapes.items()},
    )


def _main_face(faces: list[Face]) -> Face | None:
    """Pick the widest face, None of none: the generator sometimes draws a bystander beside its face."""
    return max(faces, key=lambda face: face.box[2] - face.box[0], default=None)


def landmark_measures(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Compute the MEASURES of a face, float32 [6], from landmarks [478,2] in any unit."""
    eyes = landmarks[list(_RIGHT_EYE)].mean(axis=0), landmarks[list(_LEFT_EYE)].mean(axis=0)
    scale = np.linalg.norm(eyes[0] - eyes[1])
    distances = [np.mean([np.linalg.norm(landmarks[a] - landmarks[b]) for a, b in pairs]) for pairs in MEASURES.values()]
    return (np.array(distances, dtype=np.float32) / np.float32(scale)).round(DECIMALS)
