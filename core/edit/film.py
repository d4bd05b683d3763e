"""Edits faces in every frame of an animation, so that an expression stays with its face and does not flicker.

    edit = FilmEdit(photos, film, choose, strengths, expression, project)
    for done, all_of_it in edit.run(): ...
    edit.takes                                               # of each strength the frames, or why there are none

A face is found in every frame and followed (`core.edit.following`). It is projected in the first frame of a shot. From there its
latent is carried on by as much as the encoder's guess differs from that of the first frame, smoothed over time: a guess is not
the face, but the difference of two is how the face has changed. What a strength means is measured where the face shows least and
most of the expression, and lies between for the other frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.composite import Original
from core.edit.following import Track, follow, smoothed
from core.edit.found import Found
from core.edit.photo_editor import KnownFace, PhotoEditor
from core.edit.scale import Pull, Scale
from core.edit.variant import Variant
from core.errors import (
    EgaoError,
    FaceLost,
    FaceTooSmall,
    FaceTurnedAway,
    MouthAtEdge,
    MouthCut,
    MouthHidden,
    NoFace,
    NotWhole,
    PhotoError,
)
from core.expressions import NEUTRAL, Expression, Strength
from core.faces import Face, Film, Photo
from core.fast import encoded

Choose = Callable[[Sequence[Face], Photo], list[Face]]
Project = Callable[[Photo, Face], KnownFace]
FEW: Final = 0.2  # share of a face's frames that may be left as they are; of more the edit is no good
_NO_FACE: Final = (NoFace, FaceTooSmall, FaceTurnedAway)
_OF_A_FRAME: Final = (FaceLost, MouthAtEdge, MouthCut, MouthHidden)  # for these the other frames are edited all the same
_RAMP: Final = 3  # frames over which an edit comes and goes beside one that is left as it is
_CHANGES: Final = 0.12  # by which a face's expression changes within a shot so that a strength is measured twice


@dataclass(eq=False)
class Take:
    """The animation at one strength."""

    asked: Strength
    frames: list[NDArray[np.uint8]]  # [H, W, 3], one for each of the film's frames, in its own encoding
    strengths: list[float] = field(default_factory=list)  # of each face, as a number, where it was first edited
    left: list[list[int]] = field(default_factory=list)  # of each face, the frames (from 0) in which it stays as it is
    told: list[EgaoError | None] = field(default_factory=list)  # of each face, why it was left alone in all frames
    before: list[float] = field(default_factory=list)  # mean score of the expression in the frames, 0..1
    after: list[float] = field(default_factory=list)  # and in the result

    def note(self, strength: float, left: Sequence[int], after: float, told: EgaoError | None = None) -> None:
        """Note the outcome of one face."""
        self.strengths.append(strength)
        self.left.append(list(left))
        self.after.append(after)
        self.told.append(told)


@dataclass(frozen=True, eq=False)
class _Aim:
    """What a strength asks of a face in one frame."""

    strength: float
    step: float
    pull: Pull

    def times(self, share: float) -> _Aim:
        return _Aim(self.strength, self.step * share, tuple(one * share for one in self.pull))


class FilmEdit:
    """One edit of an animation: iterate `run`, then read the `takes` and the `faces`."""

    def __init__(
        self, photos: PhotoEditor, film: Film, choose: Choose, strengths: Sequence[Strength], expression: Expression,
        project: Project,
    ) -> None:  # fmt: skip
        """Prepare. `choose` picks faces of the first frame that shows any, `project` makes their latents."""
        self._photos, self._film, self._choose, self._expression = photos, film, choose, expression
        self._project = project
        self._shown = list(dict.fromkeys(film.frames))  # frames of equal pixels are edited once
        self.takes = [Take(one, [photo.pixels for photo in self._shown]) for one in strengths]
        self.faces: list[Face] = []
        self.found = 0  # faces in the frame that they were chosen in

    def run(self) -> Iterator[tuple[int, int]]:
        """Find the faces and edit them, yielding how much of all the work is done.

        Raises PhotoError if a frame is refused, or if no frame shows a face that can be edited; what `choose` and `project`
        raise. An edit that comes out badly is told in its take.
        """
        count = len(self._shown)
        found: list[list[Face]] = []
        first: PhotoError | None = None
        for frame in self._shown:
            try:
                found.append(self._look(frame))
            except _NO_FACE as error:
                first = first or error
                found.append([])
            yield len(found), 10 * count
        start = next((at for at, faces in enumerate(found) if faces), None)
        if start is None:
            raise first or NoFace()
        self.found = len(found[start])
        self.faces = self._choose(found[start], self._shown[start])
        for number, face in enumerate(self.faces):
            track = follow(self._shown, found, face, start)
            moving = _Moving(self._photos, self._shown, track, self._expression, self._project)
            share = 9 / len(self.faces)
            for done in moving.run(self.takes):
                yield round(count * (1 + share * (number + done))), 10 * count
        for take in self.takes:
            made = dict(zip(self._shown, take.frames, strict=True))
            take.frames = [made[frame] for frame in self._film.frames]
            take.left = [self._numbers(one) for one in take.left]

    def _numbers(self, shown: Sequence[int]) -> list[int]:
        left = {self._shown[at] for at in shown}
        return [at for at, frame in enumerate(self._film.frames) if frame in left]

    def _look(self, frame: Photo) -> list[Face]:
        looking = self._photos.editor.looking_at(frame)
        for _ in looking.run():
            pass
        return looking.faces


class _Moving:
    """One face through all frames."""

    def __init__(
        self, photos: PhotoEditor, frames: Sequence[Photo], track: Track, expression: Expression, project: Project
    ) -> None:
        self._photos, self._editor, self._frames, self._track = photos, photos.editor, frames, track
        self._expression, self._project = expression, project
        self._why: dict[int, EgaoError] = {}  # frames in which the face can't be edited
        self._latents: dict[int, KnownFace] = {}
        self._aims: dict[tuple[int, int], _Aim] = {}  # by strength's place and frame
        self._keys: list[tuple[int, ...]] = []  # of each shot, the frames in which a strength was measured
        self._scores = [0.0 if face is None else expression.of(face.blendshapes) for face in track.faces]

    def run(self, takes: Sequence[Take]) -> Iterator[float]:
        """Edit the face in all takes, yielding which share is done. Raises PhotoError if no frame can be edited."""
        for at, face in enumerate(self._track.faces):
            if face is not None:
                try:
                    self._editor.things(self._frames[at], face, self._editor.align(self._frames[at], face))
                except _OF_A_FRAME as error:
                    self._why[at] = error
        usable = [at for at, face in enumerate(self._track.faces) if face is not None and at not in self._why]
        if not usable:
            raise next(iter(self._why.values()), NoFace())
        for done, _ in enumerate(self._carried(usable), 1):
            yield 0.5 * done / len(usable)
        for done, _ in enumerate(self._edits(takes, usable), 1):
            yield 0.5 + 0.5 * done / len(usable)

    def _carried(self, usable: Sequence[int]) -> Iterator[None]:
        """Project the first usable frame of each shot and carry its latent on to the others; then choose where to measure."""
        for shot in self._track.shots:
            here = [at for at in usable if at in shot]
            rows: list[NDArray[np.float64]] = []
            first: KnownFace | None = None
            for at in here:
                first = first or self._project(self._frames[at], self._face(at))
                guess = self._guess(at)
                rows.append(np.zeros(first.ws.shape) if guess is None else guess.astype(np.float64))
                yield
            if first is not None:
                moved = smoothed(np.stack(rows))
                self._latents |= {
                    at: replace(first, ws=(first.ws + one - moved[0]).astype(np.float32))
                    for at, one in zip(here, moved, strict=True)
                }
            self._keys.append(self._extremes(here))

    def _face(self, at: int) -> Face:
        face = self._track.faces[at]
        assert face is not None
        return face

    def _guess(self, at: int) -> NDArray[np.float32] | None:
        """Let the encoder guess the latent of the face in a frame: ws [1, num_ws, w_dim]; None without an encoder."""
        models, aligned = self._editor.models, self._editor.align(self._frames[at], self._face(at))
        return encoded(models.generator, aligned.image, models.settings)

    def _extremes(self, here: Sequence[int]) -> tuple[int, ...]:
        """Choose the frames of a shot in which a strength is measured: the first, or those with the least and the most."""
        if not here:
            return ()
        low, high = (pick(here, key=lambda at: self._scores[at]) for pick in (min, max))
        return (low, high) if self._scores[high] - self._scores[low] > _CHANGES else (here[0],)

    def _aimed(self, asked: Strength, usable: Sequence[int]) -> dict[int, _Aim]:
        """Tell what a strength asks for in each usable frame."""
        expression, aims = self._expression.at(asked), dict[int, _Aim]()
        for shot, keys in zip(self._track.shots, self._keys, strict=True):
            here = [at for at in usable if at in shot]
            known = [self._aim(at, asked, expression) for at in keys]
            if len(known) == 1:
                aims |= dict.fromkeys(here, known[0])
            elif known:
                low, high = (self._scores[one] for one in keys)
                shares = (smoothed(np.array([self._scores[at] for at in here])) - low) / (high - low)
                aims |= {
                    at: _between(known[0], known[1], float(share)) for at, share in zip(here, shares.clip(0, 1), strict=True)
                }
        return aims

    def _aim(self, at: int, asked: Strength, expression: Expression) -> _Aim:
        aligned = self._editor.align(self._frames[at], self._face(at)).image
        face = self._photos.learn(self._latents[at], self._expression, aligned)
        scale: Scale = self._photos.scale(face, expression)
        strength = scale.neutral if asked == NEUTRAL else scale.within(float(asked))
        step = scale.rest if asked == NEUTRAL else scale.step(strength)
        return _Aim(strength, step, scale.pull(strength))

    def _edits(self, takes: Sequence[Take], usable: Sequence[int]) -> Iterator[None]:
        """Edit the face in all takes, yielding after each frame."""
        aims = [self._aimed(take.asked, usable) for take in takes]
        anew = [self._anew(by_frame, take.asked) for by_frame, take in zip(aims, takes, strict=True)]
        shares = self._shares(usable)
        results: list[dict[int, Variant]] = [{} for _ in takes]
        for at in usable:
            original = self._original(at)
            for place, take in enumerate(takes):
                aim = aims[place][at].times(shares[at])
                results[place][at] = self._laid(original, at, aim, take.asked, anew=anew[place])
            yield
        for place, take in enumerate(takes):
            self._put(take, results[place], aims[place], shares, anew=anew[place])

    def _put(
        self, take: Take, results: dict[int, Variant], aims: dict[int, _Aim], shares: dict[int, float], *, anew: bool
    ) -> None:
        """Put the face's good frames into a take, or note why there are too few; frames beside a bad one get less of the edit."""
        bad = {at: one.told for at, one in results.items() if one.told is not None}
        take.before.append(float(np.mean([self._scores[at] for at in results])))
        if len(bad) > FEW * len(results):
            take.note(aims[min(bad)].strength, range(len(self._frames)), float("nan"), bad[min(bad)])
            return
        good = [at for at in results if at not in bad]
        again = self._shares(good)
        for at in good:
            aim, base = aims[at].times(again[at]), self._frames[at].pixels
            alone = take.frames[at] is base
            if alone and again[at] == shares[at]:
                take.frames[at] = results[at].pixels
            else:
                drawn = self._drawn(at, aim, take.asked, anew=anew)
                take.frames[at] = self._editor.into_photo(self._original(at), drawn, take.frames[at], judge=False).pixels
        left = [at for at in range(len(self._frames)) if at not in good]
        take.note(aims[good[0]].strength, left, float(np.nanmean([results[at].score for at in good])))

    def _anew(self, aims: dict[int, _Aim], asked: Strength) -> bool:
        """Choose, for the whole film, whether the lips are drawn anew: as most of the measured frames want it."""
        keys = [at for keys in self._keys for at in keys]
        wants = [
            self._editor.judged(self._original(at), self._drawn(at, aims[at], asked), self._scores[at]).lips_anew for at in keys
        ]
        return sum(wants) * 2 > len(wants)

    def _shares(self, good: Sequence[int]) -> dict[int, float]:
        """Tell how much of the edit each good frame gets, 0..1: less beside frames of its shot that stay as they are."""
        shares: dict[int, float] = {}
        for shot in self._track.shots:
            off = [at for at in shot if at not in good]
            for at in (one for one in shot if one in good):
                shares[at] = min(1.0, min((abs(at - other) for other in off), default=_RAMP) / _RAMP)
        return shares

    def _original(self, at: int) -> Original:
        frame, face, latent = self._frames[at], self._face(at), self._latents[at].latent
        return self._editor.original(frame, Found(face.landmarks, None, ""), latent)

    def _drawn(self, at: int, aim: _Aim, asked: Strength, *, anew: bool = False) -> Variant:
        # Not by `PhotoEditor.pictures`, which takes the step from a strength's place in a scale: here steps lie between those of
        # two frames, and come and go beside a frame that is left.
        expression = self._expression.at(asked)
        picture = self._editor.draw(self._latents[at].latent, [aim.step], expression, [aim.pull])[0]
        return Variant(expression, asked, aim.strength, aim.step, picture, float("nan"), lips_anew=anew, pull=aim.pull)

    def _laid(self, original: Original, at: int, aim: _Aim, asked: Strength, *, anew: bool) -> Variant:
        """Edit the face in one frame; `told` of the result says why it is no good."""
        drawn = self._drawn(at, aim, asked, anew=anew)
        try:
            return self._editor.judged_once(original, drawn, self._scores[at])
        except FaceLost:  # the generator drew none: no better than lips that nobody finds
            return replace(drawn, told=NotWhole(strength=f"{aim.strength:+g}"))


def _between(one: _Aim, other: _Aim, share: float) -> _Aim:
    width = max(len(one.pull), len(other.pull))
    pulls = [np.pad(np.array(aim.pull, dtype=np.float64), (0, width - len(aim.pull))) for aim in (one, other)]
    step = one.step + (other.step - one.step) * share
    strength = one.strength + (other.strength - one.strength) * share
    return _Aim(strength, step, tuple((pulls[0] + (pulls[1] - pulls[0]) * share).tolist()))
