"""The edit itself: find the faces, project one, move its latent, draw it. The command line and the workers both use this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.composite import Edit, Original, Rendered
from core.device import one_thread
from core.directions.direction import apply
from core.edit.found import Found
from core.edit.judge import Judge, Measured, verdict
from core.edit.learning import learn
from core.edit.looking import Judged, Looking
from core.edit.models import Models
from core.edit.scale import Pull, Scale
from core.edit.seen import check_mouth
from core.edit.trials import SCORE_SIDE, Trials
from core.edit.variant import Variant
from core.errors import FaceBarred, FaceLost, LooksYoung, NoFaceDrawn, NoSuchFace
from core.expressions import NEUTRAL, Expression, Parts, Strength, default
from core.faces import Aligned, Face, Photo, align, check_size, ffhq_matrix, load_photo
from core.fast.preview import FEATURE_SIDE
from core.gates import ADULT
from core.generator.latent import AnyLatent, Noise, latent_of
from core.generator.protocol import with_features
from core.generator.render import to_pixels
from core.projecting import start_projection
from core.projection import Projecting
from core.reach.ease import lift_of, own_step, reach_of, shut_of, squint_of, with_squint

_LOOKS = "parts, all faces, uncovered"  # how the gates check; a face kept under another method is checked again
_BESIDE = ", beside one refused"  # noted of a face that passed, of a photo that shows another that did not


class Editor:
    """All that can be done with a photo. For one thread at a time; the networks are loaded on first use.

    `strangers` tells that the photos come from other people, as the bot's do: see the setting EGAO_GATES.
    """

    def __init__(self, models: Models, *, strangers: bool = False) -> None:
        self.models, self._strangers = models, strangers
        self._gates = models.gates if models.settings.gates == "all" or (strangers and models.settings.gates == "bot") else None
        self._judged, self._judge = Judged(), Judge()

    def beside(self, name: str) -> Self:
        """Make an editor that draws with another generator, and shares with this one all that depends on none."""
        other = type(self)(self.models.beside(name), strangers=self._strangers)
        other._judged = self._judged
        return other

    @property
    def checks(self) -> str:
        """The thresholds and the method of the gates, as a text that is kept with a face; "" if photos are not checked."""
        settings = self.models.settings
        if self._gates is None:
            return ""
        return f"explicit {settings.gate_explicit:g}, young {settings.gate_young:g}, {_LOOKS}"

    def holds(self, found: Found | None, *, alone: bool) -> bool:
        """Tell whether a face found earlier need not be checked: it passed today's checks, or photos are not checked.

        `alone`: other faces of its photo may have been refused.
        """
        known = None if found is None else found.checked.removesuffix(_BESIDE if alone else "")
        return self._gates is None or known == self.checks

    def load(self, source: bytes | Path) -> Photo:
        """Decode a photo. It looks for no face and checks nothing but the file. Raises UnreadablePhoto, PhotoTooLarge."""
        return load_photo(source, self.models.settings, own=not self._strangers)

    def check_size(self, size: int) -> None:
        """Check the size of a photo's file, in bytes, before it is read. Raises PhotoTooLarge."""
        check_size(size, self.models.settings, own=not self._strangers)

    def look(self, source: bytes | Path, *, alone: bool = False) -> tuple[Photo, list[Face]]:
        """Decode a photo, check it, and find its usable faces: the photo, and the faces from left to right.

        Raises PhotoError: UnreadablePhoto, PhotoTooLarge, NoFace and the like, or PhotoRefused if the gates refuse it. A face
        that the gates refuse bars the whole photo, or with `alone` only itself: its `standing` is then "barred". The gates'
        answers for the last few files are remembered, since they would be the same again.
        """
        looking = self.looking(source, alone=alone)
        for _ in looking.run():
            pass
        return looking.photo, looking.faces

    def looking(self, source: bytes | Path, *, alone: bool = False) -> Looking:
        """Begin to `look`: iterate over its `run()`, then read its `photo` and `faces`. Raises UnreadablePhoto, PhotoTooLarge."""
        return self.looking_at(self.load(source), alone=alone)

    def looking_at(self, photo: Photo, *, alone: bool = False) -> Looking:
        """Begin to `look` at a photo that was decoded already."""
        gates = None if self._gates is None else (self._gates, self.models.things.find)
        return Looking(photo, self.models.finder, gates, self._judged, alone=alone)

    def look_at_drawn(self, ws: AnyLatent, found: Found | None) -> None:
        """Check a kept face whose photo is gone, unless it passed the checks as they are today.

        `ws` [1, num_ws, w_dim] may be a Latent, here and below: its noise is then part of every picture. The gates check the
        reconstruction in place of the photo. Raises PhotoRefused.
        """
        name = latent_of(ws).digest
        if self._gates is None or self.holds(found, alone=True) or self._judged.of(name) is not None:
            return
        picture = self.reconstructed(ws)
        self._gates.check_whole(picture)
        if self._gates.looks_young(picture):
            raise LooksYoung(age=ADULT)
        self._judged.note(name)

    @staticmethod
    def pick(faces: Sequence[Face], number: int) -> Face:
        """Return the face with this number, counted from 1 at the left.

        Raises NoSuchFace, or FaceBarred if the gates refuse it.
        """
        if not 1 <= number <= len(faces):
            raise NoSuchFace(face=number, count=len(faces))
        if faces[number - 1].standing == "barred":
            raise FaceBarred(face=number)
        return faces[number - 1]

    def align(self, photo: Photo, face: Face | Found) -> Aligned:
        """Cut out the face in sRGB as FFHQ aligns it, at the generator's resolution."""
        aligned = align(photo.pixels, face.landmarks, self.models.generator.resolution)
        return replace(aligned, image=photo.in_srgb(aligned.image))

    def projecting(self, aligned: np.ndarray, method: str, steps: int | None = None, start: str = "default") -> Projecting:
        """Begin to project an aligned face uint8 [R, R, 3]: iterate over the result's `run()`, then read its `latent`.

        `method`, `steps` and `start` are as in `core.projecting.start_projection`. Raises BadOption for an unknown one.
        """
        models = self.models
        many = models.many if method == "fast" else None
        models.renderer.look()  # compiled layers are for projections first
        return start_projection(models.generator, models.features, aligned, models.settings, method, steps, start, many)

    def variants(
        self,
        ws: AnyLatent,
        asked: Sequence[Strength],
        expression: Expression | None = None,
        scale: Scale | None = None,
        *,
        judge: bool = True,
    ) -> list[Variant]:
        """Draw the face ws [1, num_ws, w_dim] at each strength in one batch; every picture is an edit of ws itself.

        `expression` is the default one if None. `scale` comes from `scale()`; if None, it is measured now on the face as the
        generator draws it. Without `judge` the pictures are not scored, which saves time: their scores are nan.
        """
        expression = expression or default()
        scale = scale or self.scale(ws, expression)
        strengths = [scale.neutral if one == NEUTRAL else scale.within(float(one)) for one in asked]
        steps = [scale.rest if one == NEUTRAL else scale.step(at) for one, at in zip(asked, strengths, strict=True)]
        pulls = [scale.pull(one) for one in strengths]
        pictures = self.draw(ws, steps, expression, pulls)
        scores = [self.score(picture, expression) if judge else float("nan") for picture in pictures]
        return [
            Variant(expression, one, strength, step, picture, score, pull=pull)
            for one, strength, step, picture, score, pull in zip(asked, strengths, steps, pictures, scores, pulls, strict=True)
        ]

    def scale(self, ws: AnyLatent, expression: Expression, aligned: np.ndarray | None = None) -> Scale:
        """Measure how strongly this face's expression reacts to steps: the scale that gives strengths a meaning.

        That takes three or four pictures where `egao train curves` was run for what moves it, else about ten.

        With `aligned`, the face cut out of its photo (uint8 [R, R, 3]), the pictures are edits in that cutout; without it
        they are the generator's drawings.
        """
        trials = Trials(self, ws, expression, aligned)  # which draws with as many threads as there are now
        with one_thread():
            return learn(trials, expression, self.models.maps, self.models.curves(expression))

    def original(
        self, photo: Photo, found: Found, ws: AnyLatent, shown: Photo | None = None, drawn: Rendered | None = None
    ) -> Original:
        """Prepare all that edits of a face in its photo share; `ws` [1, num_ws, w_dim] is its latent.

        If `shown` is given, the photo made smaller, the edits are made in it instead of in `photo`. `drawn` is the face's
        reconstruction, with its landmarks, at another resolution R than the generator's; the variants' pictures must then
        have that resolution too. Raises FaceLost, MouthHidden, MouthCut, MouthAtEdge.
        """
        aligned = align(photo.pixels, found.landmarks, SCORE_SIDE)
        things = self.things(photo, found, replace(aligned, image=photo.in_srgb(aligned.image)))
        shown, landmarks, drawn = shown or photo, found.landmarks, drawn or self._reconstructed(ws, found)
        matrix = ffhq_matrix(landmarks, len(drawn.pixels))
        if shown is not photo:
            shrink = np.array(shown.pixels.shape[1::-1]) / photo.pixels.shape[1::-1]
            landmarks = (landmarks * shrink).astype(np.float32)
            matrix = np.diag([*shrink, 1.0]) @ matrix
        return Original(shown.pixels, matrix, landmarks, drawn, things, shown.encoded, shown.in_srgb)

    def _reconstructed(self, ws: AnyLatent, found: Found) -> Rendered:
        """Draw the face ws [1, num_ws, w_dim] without an edit, with the landmarks of `found`, or those found now.

        Raises NoFaceDrawn.
        """
        picture = self.reconstructed(ws)
        return self.landmarked(picture, 0.0) if found.drawn is None else Rendered(picture, found.drawn.astype(np.float64))

    def things(self, photo: Photo, face: Face | Found, aligned: Aligned) -> NDArray[np.float32]:
        """Find what lies in front of the face: probabilities [M, M], 0..1, over its `aligned` picture.

        Raises MouthHidden or MouthCut if too little of the mouth can be seen, MouthAtEdge if the head is turned too far.
        """
        found = self.models.things.find(aligned.image)
        check_mouth(photo, face.landmarks, aligned, found)
        return found

    def found(self, face: Face | Found, ws: AnyLatent | None = None) -> Found:
        """Collect the face's landmarks in its photo and, if its latent `ws` [1, num_ws, w_dim] is given, in its reconstruction.

        Raises NoFaceDrawn.
        """
        drawn = None if ws is None else self.landmarked(self.reconstructed(ws), 0.0).landmarks.astype(np.float32)
        if isinstance(face, Found):
            return replace(face, drawn=drawn)
        return Found(face.landmarks, drawn, self.checks + (_BESIDE if face.standing == "beside" else ""))

    def into_photo(self, original: Original, variant: Variant, onto: np.ndarray | None = None, *, judge: bool = True) -> Variant:
        """Put the variant into the photo, and return it with the edited photo as its pixels.

        `onto`: the photo with other faces already edited, uint8 [H, W, 3], to put it into instead; it is not changed. Pixels
        outside the face never change; for an untouched variant no pixel does. The new score is that of the face in the photo, or
        nan without `judge` or if no face is found there. Raises FaceLost.
        """
        if variant.untouched:
            pixels = (original.photo if onto is None else onto).copy()
        else:
            pixels = self.edited(original, variant).laid(onto, lips_anew=variant.lips_anew)
        face = self.models.finder.beside(pixels, original.points, original.in_srgb) if judge else None
        score = float("nan") if face is None else variant.expression.of(face.blendshapes)
        return replace(variant, pixels=pixels, score=score, drawn=variant.own)

    def judged(self, original: Original, variant: Variant, before: float) -> Variant:
        """Put the variant into the photo and measure the result; if that is doubtful, try a second way and keep the better one.

        The second way draws the lips anew (`Variant.lips_anew`). Of a bad result `told` is the ResultError that says why.
        `before`: the score of the face in the photo, 0..1. Raises FaceLost.
        """
        if variant.untouched:
            return self.into_photo(original, variant)
        edit = self.edited(original, variant)
        best, known = self.measured(original, variant, edit)
        if not variant.expression.parts.lips and (known is None or known.doubtful):
            second, measured = self.measured(original, replace(variant, lips_anew=True), edit)
            if measured is not None and (known is None or measured.better_than(known, closing=variant.strength < 0)):
                best, known = second, measured
        return replace(best, told=verdict(known, variant.expression, variant.strength, before))

    def judged_once(self, original: Original, variant: Variant, before: float) -> Variant:
        """Put the variant into the photo in its own way (`Variant.lips_anew`) and judge the result; else as `judged`."""
        if variant.untouched:
            return self.into_photo(original, variant)
        laid, known = self.measured(original, variant, self.edited(original, variant))
        return replace(laid, told=verdict(known, variant.expression, variant.strength, before))

    def measured(
        self, original: Original, variant: Variant, edit: Edit, pixels: np.ndarray | None = None
    ) -> tuple[Variant, Measured | None]:
        """Put the variant into the photo, unless that was done (`pixels`), and measure it: None if no face is found in it.

        `edit` is what `edited` begins.
        """
        pixels = edit.laid(lips_anew=variant.lips_anew) if pixels is None else pixels
        face = self.models.finder.beside(pixels, original.points, original.in_srgb)
        if face is None:
            return replace(variant, pixels=pixels, score=float("nan"), drawn=variant.own), None
        landmarks = edit.meant, face.landmarks.astype(np.float64)
        score = variant.expression.of(face.blendshapes)
        measured = self._judge.measure(self.models.features, original, variant.own, pixels, landmarks, score)
        return replace(variant, pixels=pixels, score=score, drawn=variant.own), measured

    def edited(self, original: Original, variant: Variant) -> Edit:
        """Find the face in the picture that was drawn of a variant, and begin to lay it into the photo. Raises FaceLost."""
        found = self.landmarked(variant.own, variant.strength, original.reconstructed.landmarks)
        return original.begin(found, self.parts(variant.expression, variant.pull, variant.step))

    def landmarked(self, picture: np.ndarray, strength: float, near: np.ndarray | None = None) -> Rendered:
        """Find the face in a picture of the generator, uint8 [R, R, 3].

        `near` are landmarks [478, 2] of another picture of the same face, as large: with them it takes half the time.
        Raises FaceLost, naming the `strength` that it was drawn at, or NoFaceDrawn at 0.
        """
        face = None if near is None else self.models.finder.beside(picture, near)
        found = self.face_in(picture) if face is None else Rendered(picture, face.landmarks.astype(np.float64))
        if found is None:
            raise FaceLost(strength=f"{strength:g}") if strength else NoFaceDrawn
        return found

    def face_in(self, picture: np.ndarray) -> Rendered | None:
        """Find the face in a picture of the generator, uint8 [R, R, 3]; None if the landmarker finds none."""
        face = self.models.finder.aligned(picture)
        return None if face is None else Rendered(picture, face.landmarks.astype(np.float64))

    @staticmethod
    def resized(picture: np.ndarray, side: int) -> np.ndarray:
        """Resize a picture uint8 [R, R, 3] to [side, side, 3]."""
        if picture.shape[0] == side:
            return picture
        return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))

    def score(self, picture: np.ndarray, expression: Expression) -> float:
        """Score how much of the expression an aligned picture, uint8 [R, R, 3], shows, 0..1; nan if no face is found."""
        face = self.models.finder.aligned(self.resized(picture, SCORE_SIDE), precise=False)
        return float("nan") if face is None else expression.of(face.blendshapes)

    def reconstructed(self, ws: AnyLatent) -> np.ndarray:
        """Draw the face ws [1, num_ws, w_dim] without an edit: uint8 [R, R, 3]."""
        latent = latent_of(ws)
        picture: np.ndarray = self.models.renderer.images(latent.ws, latent.noise)[0]
        return picture

    def draw(
        self, ws: AnyLatent, steps: Sequence[float], expression: Expression, pulls: Sequence[Pull] | None = None
    ) -> np.ndarray:
        """Draw the face ws [1, num_ws, w_dim] after each of N steps along the expression's direction: uint8 [N, R, R, 3].

        `pulls`, one for each step or None for none, are added to the steps: see `core.reach.maps`.
        """
        latent = latent_of(ws)
        moved = self._moved(latent.ws, steps, expression, pulls or [()] * len(steps))
        return self.models.renderer.images(moved, latent.noise)

    def sketch(self, ws: AnyLatent, step: float, expression: Expression, pull: Pull) -> np.ndarray:
        """Draw the face after one step and pull as a small picture: uint8 [SCORE_SIDE, SCORE_SIDE, 3].

        If there is a preview head, it draws in two fifths of the time; it knows no noise but the generator's own. Scores
        measured in its pictures differ by 0.01 (0.1 at most, between half a smile and none), landmarks by 0.1 % of the side.
        """
        latent = latent_of(ws)
        return self._sketched(self._moved(latent.ws, [step], expression, [pull]), latent.noise)

    def glimpse(self, ws: AnyLatent) -> np.ndarray:
        """Draw the face ws [1, num_ws, w_dim] without an edit as a small picture, as `sketch` does: for who waits for more."""
        latent = latent_of(ws)
        return self._sketched(torch.from_numpy(latent.ws), latent.noise)

    def _sketched(self, ws: torch.Tensor, noise: Noise) -> np.ndarray:
        models = self.models
        if models.preview is None or noise:
            return self.resized(models.renderer.images(ws, noise)[0], SCORE_SIDE)
        with torch.inference_mode():
            ws = ws.to(models.device)
            features = with_features(models.generator).features(ws, FEATURE_SIDE)
            picture: np.ndarray = to_pixels(models.preview(features, ws))[0]
        return self.resized(picture, SCORE_SIDE)

    def _moved(self, ws: np.ndarray, steps: Sequence[float], expression: Expression, pulls: Sequence[Pull]) -> torch.Tensor:
        """Move the latent by each of N steps and pulls: [N, num_ws, w_dim]."""
        base, maps = torch.from_numpy(ws).expand(len(steps), -1, -1), self.models.maps
        whole = [step + own_step(pull, maps) for step, pull in zip(steps, pulls, strict=True)]
        moved = apply(self.models.mover(expression), base, torch.tensor(whole, dtype=torch.float32))
        return moved if maps is None else moved + torch.from_numpy(np.stack([maps.offset(pull) for pull in pulls]))

    def parts(self, expression: Expression, pull: Pull, step: float) -> Parts:
        """Choose how far parts of the photo's face follow an edit: brows and lids wholly, if its pull moves them."""
        maps, parts = self.models.maps, expression.parts.at(step)
        if maps is None or not any(pull):
            return parts
        upper, lower = reach_of(maps, pull)
        lower = 1.0 if own_step(pull, maps) else lower
        return parts.eased(upper, lower, lift_of(pull, maps), squint_of(pull, maps), shut_of(pull, maps))

    def with_eyes(self, scale: Scale, expression: Expression) -> Scale:
        """Add to the scale what the expression's eyes do; without maps for this generator they do nothing of their own."""
        maps, eyes = self.models.maps, expression.own_eyes
        if maps is None or eyes is None or not eyes.squint:
            return scale
        return replace(scale, full=with_squint(scale.full, maps, eyes.squint))
