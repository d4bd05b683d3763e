"""The edit itself: find the faces, project one, move its latent, draw it. The command line and the worker both use this."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.composite import Original, Rendered
from core.device import one_thread
from core.directions.direction import apply
from core.edit.found import Found
from core.edit.judge import Measured, measure_result, verdict
from core.edit.learning import learn
from core.edit.looking import Judged, Looking
from core.edit.models import Models
from core.edit.scale import Pull, Scale
from core.edit.seen import check_mouth
from core.edit.trials import SCORE_SIDE, Trials
from core.errors import FaceBarred, FaceLost, LooksYoung, NoSuchFace, ResultError
from core.expressions import NEUTRAL, Expression, Parts, Strength, default
from core.faces import Aligned, Face, Photo, align, check_size, ffhq_matrix, load_photo
from core.fast.preview import FEATURE_SIDE
from core.gates import ADULT
from core.generator.protocol import with_features
from core.generator.render import to_pixels
from core.projecting import start_projection
from core.projection import Projecting
from core.reach.ease import lift_of, own_step, reach_of

_LOOKS = "parts, all faces, uncovered"  # how the gates look; a face that was kept when they looked otherwise is looked at again
_BESIDE = ", beside one refused"  # noted of a face that passed, of a photo that shows another that did not


@dataclass(frozen=True)
class Variant:
    """One picture of a face at one strength of an expression."""

    expression: Expression
    asked: Strength
    strength: float  # what "neutral" came to, else the same as asked
    step: float  # what was moved for that, in units of what moves the face
    pixels: np.ndarray  # uint8 [R, R, 3]
    score: float  # of the expression in the picture, 0..1; nan where the landmarker sees no face in it
    lips_anew: bool = False  # laid into its photo in the second way: see `Original.edit`
    told: ResultError | None = None  # why the picture must not be shown; None where it is good, or was not judged
    pull: Pull = ()  # what was added to the step; see `core.reach.maps`

    @property
    def untouched(self) -> bool:
        """Whether it is the face as it was."""
        return self.step == 0 and not any(self.pull)

    @property
    def label(self) -> str:
        """For file names and captions: "neutral", "smile +1.5"."""
        return NEUTRAL if self.asked == NEUTRAL else f"{self.expression.name} {self.strength:+g}"


class Editor:
    """All that can be done with a photo. One thread at a time; the networks are loaded on first use.

    `strangers`: the photos come from other people, as the bot's do (see the setting EGAO_GATES).
    """

    def __init__(self, models: Models, *, strangers: bool = False) -> None:
        self.models, self._strangers = models, strangers
        self._gates = models.gates if models.settings.gates == "all" or (strangers and models.settings.gates == "bot") else None
        self._judged = Judged()

    @property
    def checks(self) -> str:
        """What `look` has the gates hold a photo against; "" if they don't look."""
        settings = self.models.settings
        if self._gates is None:
            return ""
        return f"explicit {settings.gate_explicit:g}, young {settings.gate_young:g}, {_LOOKS}"

    def holds(self, found: Found | None, *, alone: bool) -> bool:
        """Tell whether a face need not be shown to the gates any more. `alone`: whatever they say of other faces of its photo."""
        known = None if found is None else found.checked.removesuffix(_BESIDE if alone else "")
        return self._gates is None or known == self.checks

    def load(self, source: bytes | Path) -> Photo:
        """Decode a photo, which nobody looks at yet. Raises UnreadablePhoto, PhotoTooLarge."""
        return load_photo(source, self.models.settings, own=not self._strangers)

    def check_size(self, size: int) -> None:
        """Refuse a photo's file of so many bytes before it is read. Raises PhotoTooLarge."""
        check_size(size, self.models.settings, own=not self._strangers)

    def look(self, source: bytes | Path, *, alone: bool = False) -> tuple[Photo, list[Face]]:
        """Decode a photo and find its usable faces, left to right. Raises PhotoError, also where the gates refuse the photo.

        A face that they refuse bars the whole photo or, if it is to stand `alone`, itself: it is "barred" then.
        The gates say the same of the same file, so one that they have judged a while ago is not shown to them again.
        """
        looking = self.looking(source, alone=alone)
        for _ in looking.run():
            pass
        return looking.photo, looking.faces

    def looking(self, source: bytes | Path, *, alone: bool = False) -> Looking:
        """Begin to `look`: iterate its `run()`, then read its `photo` and `faces`. Raises UnreadablePhoto, PhotoTooLarge."""
        gates = None if self._gates is None else (self._gates, self.models.things.find)
        return Looking(self.load(source), self.models.finder, gates, self._judged, alone=alone)

    def look_at_drawn(self, ws: np.ndarray, found: Found | None) -> None:
        """Check a kept face ws [1, num_ws, w_dim] whose photo is gone, if it passed other checks than today's, or none.

        The gates look at it as it is drawn. Raises PhotoRefused.
        """
        name = hashlib.sha256(ws.tobytes()).hexdigest()
        if self._gates is None or self.holds(found, alone=True) or self._judged.of(name) is not None:
            return
        picture = self.reconstructed(ws)
        self._gates.check_whole(picture)
        if self._gates.looks_young(picture):
            raise LooksYoung(age=ADULT)
        self._judged.note(name)

    @staticmethod
    def pick(faces: Sequence[Face], number: int) -> Face:
        """Face `number`, counted from 1 at the left. Raises NoSuchFace; FaceBarred for one that the gates refuse."""
        if not 1 <= number <= len(faces):
            raise NoSuchFace(face=number, count=len(faces))
        if faces[number - 1].standing == "barred":
            raise FaceBarred(face=number)
        return faces[number - 1]

    def align(self, photo: Photo, face: Face | Found) -> Aligned:
        """Cut out the face as FFHQ aligns, at the generator's resolution."""
        aligned = align(photo.pixels, face.landmarks, self.models.generator.resolution)
        return replace(aligned, image=photo.in_srgb(aligned.image))

    def projecting(self, aligned: np.ndarray, method: str, steps: int | None = None, start: str = "default") -> Projecting:
        """Begin to project an aligned face uint8 [R, R, 3]; iterate its `run()`, then read its `ws`."""
        models = self.models
        return start_projection(models.generator, models.features, aligned, models.settings, method, steps, start)

    def variants(
        self,
        ws: np.ndarray,
        asked: Sequence[Strength],
        expression: Expression | None = None,
        scale: Scale | None = None,
        *,
        judge: bool = True,
    ) -> list[Variant]:
        """Draw the face ws [1, num_ws, w_dim] at each strength, always moved from ws itself, in one batch.

        `expression`: the default one, if none is given. `scale` as `scale()` measures it; without one it is measured now,
        on the face as the generator draws it. Not to `judge` saves the time of the scores, which are nan then.
        """
        expression = expression or default()
        scale = scale or self.scale(ws, expression)
        strengths = [scale.neutral if one == NEUTRAL else float(one) for one in asked]
        steps = [scale.rest if one == NEUTRAL else scale.step(float(one)) for one in asked]
        pulls = [scale.pull(one) for one in strengths]
        pictures = self.draw(ws, steps, expression, pulls)
        return [
            Variant(
                expression,
                one,
                strength,
                step,
                picture,
                self.score(picture, expression) if judge else float("nan"),
                pull=pull,
            )
            for one, strength, step, picture, pull in zip(asked, strengths, steps, pictures, pulls, strict=True)
        ]

    def scale(self, ws: np.ndarray, expression: Expression, aligned: np.ndarray | None = None) -> Scale:
        """Measure with about ten pictures how this face answers to the expression.

        With the face as it was aligned, uint8 [R, R, 3], it is measured as it will look in its photo, else as drawn.
        """
        with one_thread():
            return learn(Trials(self, ws, expression, aligned), expression, self.models.maps)

    def original(
        self, photo: Photo, found: Found, ws: np.ndarray, shown: Photo | None = None, drawn: Rendered | None = None
    ) -> Original:
        """Prepare what all edits of a face in its own photo share; `ws` is its latent. Raises FaceLost.

        They are edits of `shown`, the photo made smaller, where that is given; with pictures of the generator that are as
        large as `drawn`, a reconstruction to take in place of the whole one. Raises as `things` does.
        """
        aligned = align(photo.pixels, found.landmarks, SCORE_SIDE)
        things = self.things(photo, found, replace(aligned, image=photo.in_srgb(aligned.image)))
        shown, landmarks, drawn = shown or photo, found.landmarks, drawn or self._reconstructed(ws, found)
        matrix = ffhq_matrix(landmarks, len(drawn.pixels))
        if shown is not photo:
            shrink = np.array(shown.pixels.shape[1::-1]) / photo.pixels.shape[1::-1]
            landmarks = (landmarks * shrink).astype(np.float32)
            matrix = np.diag([*shrink, 1.0]) @ matrix
        return Original(shown.pixels, matrix, landmarks, drawn, things, shown.encoded)

    def _reconstructed(self, ws: np.ndarray, found: Found) -> Rendered:
        """Draw the face as it was projected, with its landmarks as they were found or, if they were not, are. Raises FaceLost."""
        picture = self.reconstructed(ws)
        return self.landmarked(picture, 0.0) if found.drawn is None else Rendered(picture, found.drawn.astype(np.float64))

    def things(self, photo: Photo, face: Face | Found, aligned: Aligned) -> NDArray[np.float32]:
        """Mark what lies before the face: probabilities [M, M] over its `aligned` picture.

        Raises MouthHidden and MouthCut where so much of the mouth can't be seen that nobody could tell how it looks.
        """
        found = self.models.things.find(aligned.image)
        check_mouth(photo, face.landmarks, aligned, found)
        return found

    def found(self, face: Face | Found, ws: np.ndarray | None = None) -> Found:
        """Find the face's landmarks in its photo and, with its latent ws, in its reconstruction. Raises FaceLost."""
        drawn = None if ws is None else self.landmarked(self.reconstructed(ws), 0.0).landmarks.astype(np.float32)
        if isinstance(face, Found):
            return replace(face, drawn=drawn)
        return Found(face.landmarks, drawn, self.checks + (_BESIDE if face.standing == "beside" else ""))

    def into_photo(self, original: Original, variant: Variant, onto: np.ndarray | None = None, *, judge: bool = True) -> Variant:
        """Lay the variant back into the photo, or into `onto`, the photo with other faces edited. Raises FaceLost.

        Only what the edit changes comes from the generator; beyond the face no pixel changes, and at step 0 none at
        all. The score becomes that of the face in the photo, or nan if it is not to be judged.
        """
        if variant.untouched:
            pixels = (original.photo if onto is None else onto).copy()
        else:
            edited, parts = self.landmarked(variant.pixels, variant.strength), self.parts(variant.expression, variant.pull)
            pixels = original.edit(edited, parts, onto, lips_anew=variant.lips_anew)
        face = self.models.finder.beside(pixels, original.points) if judge else None
        return replace(variant, pixels=pixels, score=float("nan") if face is None else variant.expression.of(face.blendshapes))

    def judged(self, original: Original, variant: Variant, before: float) -> Variant:
        """Lay the variant into the photo and measure it; where that is doubtful, try a second way and take the better one.

        What is no good in either says in `told` why. `before`: the score of the photo. Raises FaceLost.
        """
        if variant.untouched:
            return self.into_photo(original, variant)
        edited = self.landmarked(variant.pixels, variant.strength)
        best, known = self._measured(original, variant, edited)
        if known is None or known.doubtful:
            second, measured = self._measured(original, replace(variant, lips_anew=True), edited)
            if measured is not None and (known is None or measured.better_than(known, closing=variant.strength < 0)):
                best, known = second, measured
        return replace(best, told=verdict(known, variant.expression, variant.strength, before))

    def _measured(self, original: Original, variant: Variant, edited: Rendered) -> tuple[Variant, Measured | None]:
        """Lay the variant into the photo its way, and measure it; None where no face is left."""
        expression, parts = variant.expression, self.parts(variant.expression, variant.pull)
        pixels = original.edit(edited, parts, lips_anew=variant.lips_anew)
        face = self.models.finder.beside(pixels, original.points)
        if face is None:
            return replace(variant, pixels=pixels, score=float("nan")), None
        lips = original.meant(edited, parts), face.landmarks.astype(np.float64)
        score = expression.of(face.blendshapes)
        measured = measure_result(self.models.features, original, variant.pixels, pixels, lips, score)
        return replace(variant, pixels=pixels, score=score), measured

    def landmarked(self, picture: np.ndarray, strength: float) -> Rendered:
        """Find the face in a picture of the generator's. Raises FaceLost, which names the `strength`."""
        face = self.models.finder.aligned(picture)
        if face is None:
            raise FaceLost(strength=f"{strength:g}")
        return Rendered(picture, face.landmarks.astype(np.float64))

    @staticmethod
    def resized(picture: np.ndarray, side: int) -> np.ndarray:
        """Resize a picture: uint8 [R, R, 3] -> [side, side, 3]."""
        if picture.shape[0] == side:
            return picture
        return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))

    def score(self, picture: np.ndarray, expression: Expression) -> float:
        """Score how much of the expression an aligned picture, uint8 [R, R, 3], shows, 0..1; nan if no face is seen."""
        face = self.models.finder.aligned(self.resized(picture, SCORE_SIDE), precise=False)
        return float("nan") if face is None else expression.of(face.blendshapes)

    def reconstructed(self, ws: np.ndarray) -> np.ndarray:
        """Draw the face ws [1, num_ws, w_dim] as it was projected: uint8 [R, R, 3]."""
        picture: np.ndarray = self.models.renderer.images(ws)[0]
        return picture

    def draw(
        self, ws: np.ndarray, steps: Sequence[float], expression: Expression, pulls: Sequence[Pull] | None = None
    ) -> np.ndarray:
        """Draw the face ws [1, num_ws, w_dim] moved by each step, in units of what moves it, and pulled: uint8 [N, R, R, 3]."""
        return self.models.renderer.images(self._moved(ws, steps, expression, pulls or [()] * len(steps)))

    def sketch(self, ws: np.ndarray, step: float, expression: Expression, pull: Pull) -> np.ndarray:
        """Draw it after one step as a small picture: uint8 [SCORE_SIDE, SCORE_SIDE, 3].

        By the preview head where there is one, in two fifths of the time: what is measured in it differs by 0.01 in scores
        (0.1 at most, between half a smile and none) and by 0.1 % of the side in landmarks.
        """
        moved, models = self._moved(ws, [step], expression, [pull]), self.models
        if models.preview is None:
            return self.resized(models.renderer.images(moved)[0], SCORE_SIDE)
        with torch.inference_mode():
            moved = moved.to(models.device)
            features = with_features(models.generator).features(moved, FEATURE_SIDE)
            picture: np.ndarray = to_pixels(models.preview(features, moved))[0]
        return self.resized(picture, SCORE_SIDE)

    def _moved(self, ws: np.ndarray, steps: Sequence[float], expression: Expression, pulls: Sequence[Pull]) -> torch.Tensor:
        """Move the latent by each step and pull: [N, num_ws, w_dim]."""
        base, maps = torch.from_numpy(ws).expand(len(steps), -1, -1), self.models.maps
        whole = [step + own_step(pull, maps) for step, pull in zip(steps, pulls, strict=True)]
        moved = apply(self.models.mover(expression), base, torch.tensor(whole, dtype=torch.float32))
        return moved if maps is None else moved + torch.from_numpy(np.stack([maps.offset(pull) for pull in pulls]))

    def parts(self, expression: Expression, pull: Pull) -> Parts:
        """Choose how far parts of the photo's face follow an edit with this pull: brows and lids wholly where it moves them."""
        maps = self.models.maps
        if maps is None or not any(pull):
            return expression.parts
        upper, lower = reach_of(maps, pull)
        lower = 1.0 if own_step(pull, maps) else lower
        return expression.parts.eased(upper, lower, lift_of(pull, maps))
