"""Judges one picture of a face: its expression, by two independent judges, and all that an edit should not change.

Pictures are aligned as FFHQ aligns and judged at 512 pixels, where the landmarker sees as well as at 1024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.emotion import EMOTIONS, EmotionClassifier
from core.evaluate.glasses import glasses_score
from core.evaluate.identity import Identity, extra
from core.expressions import Expression
from core.seeds.measure import MEASURES, landmark_measures
from core.settings import Settings

if TYPE_CHECKING:
    from core.faces.landmarks import FaceFinder

SIDE = 512
# Individual typology angle, in degrees (Chardon et al., 1991), from which skin is called so; the dark ones lie below
_TONES = ((41.0, "light"), (10.0, "medium"))
# Patches of skin that no expression folds: the cheekbones below the eyes, and the middle of the forehead
_SKIN = (117, 346, 151)
_PATCH = 0.035  # half the side of a patch, of the picture's


@dataclass(frozen=True, eq=False)
class Look:
    """The measurements of one picture. All but the emotions are NaN if no face was found in it."""

    score: float  # first judge: blendshapes, 0..1
    emotions: NDArray[np.float64]  # second judge: probabilities [7], order of EMOTIONS
    pose: NDArray[np.float64]  # [3], yaw, pitch, roll in degrees
    eyes: float  # opening of the eyes, in distances between them
    skin: NDArray[np.float64]  # [3], CIE L*a*b* of the skin
    glasses: float  # see `glasses`
    descriptor: NDArray[np.float64]  # [128], of dlib
    box: Any  # of dlib
    emotion: int  # the expression's, an index into EMOTIONS

    @property
    def groups(self) -> dict[str, str]:
        """Tell which group of people the picture alone shows its person to be of: {} if no face was found."""
        return {} if np.isnan(self.skin).any() else {"skin": tone(self.skin)}

    @property
    def showing(self) -> bool:
        """Whether the expression's emotion is the likeliest for the second judge."""
        return int(self.emotions.argmax()) == self.emotion


class Looker:
    """Judges pictures of faces, one at a time."""

    def __init__(self, settings: Settings, finder: FaceFinder, classifier: EmotionClassifier, expression: Expression) -> None:
        """Load dlib; the other judges are passed in. Raises ExtraMissing, WeightsMissing."""
        self._expression, self._emotion = expression, EMOTIONS.index(expression.judged.emotion)
        self._finder, self._classifier, self._identity = finder, classifier, Identity(settings)
        self._lab = extra("skimage.color").rgb2lab

    def look(self, picture: NDArray[np.uint8], box: Any = None) -> Look:
        """Judge a picture uint8 [S, S, 3]. `box` is the `Look.box` of the picture to compare with; None finds a box."""
        small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
        emotions = self._classifier.probabilities(small[None])[0].astype(np.float64)
        face = self._finder.aligned(small)
        if face is None:
            nothing = float("nan")
            unknown = np.full(3, nothing)
            return Look(nothing, emotions, unknown, nothing, unknown, nothing, np.full(128, nothing), box, self._emotion)
        box = box or self._identity.box(small, face.landmarks)
        measures = dict(zip(MEASURES, landmark_measures(face.landmarks), strict=True))
        return Look(
            score=self._expression.of(face.blendshapes),
            emotions=emotions,
            pose=np.array(face.pose),
            eyes=float(measures["eye_open"]),
            skin=self._tone(small, face.landmarks),
            glasses=glasses_score(small, face.landmarks),
            descriptor=self._identity.descriptor(small, box),
            box=box,
            emotion=self._emotion,
        )

    def _tone(self, picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """Compute the median colour of three patches of skin, [3] in L*a*b*: a median ignores a freckle or a glint."""
        half = round(_PATCH * len(picture))
        pixels = []
        for x, y in landmarks[list(_SKIN)].round().astype(int).clip(half, len(picture) - half):
            pixels.append(picture[y - half : y + half, x - half : x + half].reshape(-1, 3))
        tone: NDArray[np.float64] = self._lab(np.median(np.concatenate(pixels), axis=0)[None, None] / 255)[0, 0]
        return tone


def tone(lab: NDArray[np.floating]) -> str:
    """Name the tone of a skin whose colour in L*a*b* is `lab` [3], by its individual typology angle atan((L - 50) / b)."""
    angle = np.degrees(np.arctan2(lab[0] - 50, lab[2]))
    return next((name for least, name in _TONES if angle > least), "dark")


def difference(before: Look, after: Look) -> dict[str, float]:
    """Compute the changes between two looks, by name, for JSON; NaN if a face was not found.

    "turned" and the angles are in degrees, "skin" is the distance ΔE, "identity" dlib's distance.
    """
    others = [index for index in range(len(EMOTIONS)) if index != before.emotion]
    turned = after.pose - before.pose
    return {
        "gain": after.score - before.score,
        "identity": float(np.linalg.norm(after.descriptor - before.descriptor)),
        "turned": float(np.linalg.norm(turned)),
        **{axis: float(angle) for axis, angle in zip(("yaw", "pitch", "roll"), turned, strict=True)},
        "eyes": after.eyes - before.eyes,
        "skin": float(np.linalg.norm(after.skin - before.skin)),
        "glasses": after.glasses - before.glasses,
        **{EMOTIONS[index]: float(after.emotions[index] - before.emotions[index]) for index in others},
    }
