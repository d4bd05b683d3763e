"""The edits of a page: the steps of `egao edit`, in parts between which other pages are served, and quick previews.

Everything here runs on one thread. Long work is an iterator, which may be abandoned between two of its parts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.composite import Original
from core.edit import Editor, KnownFace, PhotoEditor, Variant
from core.edit.found import Found
from core.expressions import NEUTRAL, named
from core.faces import Photo, align
from core.generator.latent import Latent
from core.pictures import PictureKind, Source, credentials, encode
from core.play import quick
from core.play.held import Choice, Held, Result, Verdict
from core.play.refusal import not_learned

THUMBNAIL = 192  # pixels of a face to choose by
EVERY = 0.7  # seconds between two pictures of a face that is being learned: often enough to see it come nearer
_PROJECTED, _SCALED = 0.65, 0.75  # shares of the time that learning a face takes
SAMPLE: Final = "astronaut.png"  # NASA's portrait of Eileen Collins, public domain; comes with scikit-image


@dataclass(frozen=True)
class Learning:
    """The progress of learning a face."""

    share: float  # of the work that is done, 0..1, estimated
    eta: float  # seconds that are left of the projection
    picture: bytes | None = None  # JPEG of the face so far, now and then


@dataclass(frozen=True)
class Learned:
    """The result of learning a face: it can be edited now."""

    neutral: float  # the strength at which it shows nothing of the expression
    now: float  # its score in the photo, 0..1


@dataclass(frozen=True)
class Made:
    """A finished result. `verdicts` are in the order of the choices asked for."""

    version: int
    choices: tuple[Choice, ...]
    verdicts: tuple[Verdict, ...]


def sample() -> bytes | None:
    """Read the sample photo; None if scikit-image is not installed."""
    return (files("skimage") / "data" / SAMPLE).read_bytes() if find_spec("skimage") is not None else None


class Studio:
    """The editor of pages' photos."""

    def __init__(self, photos: PhotoEditor, steps: int | None = None) -> None:
        """Keep the editor. `steps` is the most that a projection takes; None stops when steps gain too little."""
        self._photos, self._editor, self._steps = photos, photos.editor, steps
        self._credentials = credentials(photos.editor.models.settings.c2pa)

    @property
    def editor(self) -> Editor:
        """The editor that it uses."""
        return self._editor

    def warm(self) -> None:
        """Load all that every edit needs, so that the first photo does not wait for it. Raises WeightsError."""
        models = self._editor.models
        _ = models.renderer, models.finder, models.features, models.things, models.maps, models.preview, models.mover(named(""))

    def open(self, data: bytes, name: str) -> Iterator[Held | None]:
        """Decode a photo's file and find its faces. Yields None after each part, and the photo last. Raises PhotoError."""
        looking = self._editor.looking(data)
        for _ in looking.run():
            yield None
        yield Held(looking.photo, looking.faces, PurePath(name).stem[:80] or "photo")

    def thumbnail(self, held: Held, number: int) -> bytes:
        """Cut a face, counted from 0, out of the photo: JPEG. Raises NoSuchFace."""
        face = Editor.pick(held.faces, number + 1)
        return encode(held.photo.in_srgb(align(held.photo.pixels, face.landmarks, THUMBNAIL).image), "jpeg", source="photo")

    def shown(self, held: Held) -> bytes:
        """Encode the unedited photo in the size of the page: JPEG."""
        return encode(held.shown.srgb, "jpeg", source="photo")

    def learn(self, held: Held, number: int, expression: str) -> Iterator[Learning | Learned]:
        """Project a face, unless that was done before, and measure its scale for the expression; Learned is yielded last.

        Raises NoSuchFace, NoSuchExpression, MouthHidden, MouthCut, MouthAtEdge, FaceLost and what a projection raises.
        """
        face, wanted = Editor.pick(held.faces, number + 1), named(expression)
        known, found, aligned = held.known.get(number), self._editor.found(face), self._editor.align(held.photo, face).image
        if known is None:
            known = yield from self._project(held, found)
        held.known[number] = known = self._photos.learn(known, wanted, aligned, None if known.learned.found else found)
        scale = self._photos.scale(known, wanted)
        yield Learning(_SCALED, 0.0)
        drawn = self._editor.landmarked(Editor.resized(self._editor.reconstructed(known.latent), quick.SIDE), 0.0)
        place = self._photos.placed(held.photo, self._found(held, number), known, held.small, drawn)
        made = quick.Quick(place.original, scale, wanted)
        for index, _ in enumerate(made.draw(self._editor, known.latent)):
            yield Learning(_SCALED + (1 - _SCALED) * (index + 1) / len(quick.STRENGTHS), 0.0)
        held.quick[number, wanted.name] = made
        yield Learned(scale.neutral, scale.score(0.0))

    def _project(self, held: Held, found: Found) -> Generator[Learning, None, KnownFace]:
        begun = self._photos.begin(held.photo, found, steps=self._steps)
        shown = -EVERY
        for step in begun.projecting.run():
            picture = None
            if step.seconds - shown > EVERY:
                shown, picture = step.seconds, self._drawn_small(begun.projecting.latent)
            yield Learning(_PROJECTED * step.step / step.steps, step.eta, picture)
        yield Learning(_PROJECTED, 0.0, self._drawn_small(begun.projecting.latent))
        return KnownFace.of(begun.projecting.latent)

    def _drawn_small(self, latent: Latent) -> bytes:
        return encode(Editor.resized(self._editor.reconstructed(latent), THUMBNAIL), "jpeg")

    def glance(self, held: Held, choices: Sequence[Choice], number: int) -> bytes:
        """Make a small picture of the photo with these edits, not judged: JPEG. `number` is the face that is being changed.

        Raises NoSuchFace, and Refusal if a face was not learned yet.
        """
        began = tuple(one for one in choices if one.face != number)
        if held.others is None or held.others[0] != began:
            pixels = held.small.pixels
            for one in began:
                pixels = self._laid_quickly(held, one, pixels)
            held.others = began, pixels
        pixels = held.others[1]
        for one in choices:
            pixels = self._laid_quickly(held, one, pixels) if one.face == number else pixels
        return encode(held.small.in_srgb(pixels), "jpeg", source=_source(choices))

    def _laid_quickly(self, held: Held, choice: Choice, onto: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Edit one face in the small copy of the photo, from its quick pictures."""
        _known(held, choice.face)
        face = held.quick.get((choice.face, named(choice.expression).name))
        if face is None:
            raise not_learned()
        strength = face.scale.neutral if choice.asked == NEUTRAL else choice.asked
        step, pull = face.scale.rest if choice.asked == NEUTRAL else face.scale.step(strength), face.scale.pull(strength)
        if step == 0 and not any(pull):
            return onto
        return face.original.edit(face.at(step), self._editor.parts(face.expression, pull, step), onto)

    def picture(self, held: Held, choices: Sequence[Choice]) -> Iterator[Made | None]:
        """Make the photo with these edits in full quality, each judged as `egao edit` judges it. Made is yielded last.

        A face whose edit is not good enough stays as it was. Raises as `glance` does, and FaceLost.
        """
        pixels: NDArray[np.uint8] | None = None
        kept: list[Choice] = []
        verdicts: list[Verdict] = []
        for choice in choices:
            if choice not in held.verdicts or held.verdicts[choice].told is None:
                picture = yield from self._made(held, choice)
                added = self._photos.add(self._original(held, choice.face), picture, pixels)
                yield None
                if added is not pixels:
                    pixels = added
                    kept.append(choice)
            verdicts.append(held.verdicts[choice])
        held.version += 1
        held.result = Result(held.photo.pixels if pixels is None else pixels, tuple(kept))
        yield Made(held.version, tuple(kept), tuple(verdicts))

    def _made(self, held: Held, choice: Choice) -> Generator[None, None, Variant]:
        """Make the picture of one choice and note its verdict; where that is known, only draw it, in the way that was better."""
        face, expression, known = _known(held, choice.face), named(choice.expression), held.verdicts.get(choice)
        if known is not None:
            (drawn,) = self._photos.pictures(face, [choice.asked], expression)
            yield None
            return replace(drawn, lips_anew=known.lips_anew)
        making = self._photos.making(face, [choice.asked], expression, self._original(held, choice.face))
        while (made := next(making)) is None:
            yield None
        before = self._photos.scale(face, made.expression).score(0.0)
        held.verdicts[choice] = Verdict(made.told, made.lips_anew, before, made.score)
        yield None
        return made

    def result_shown(self, held: Held) -> bytes:
        """Encode the result in the size in which a page shows it: JPEG."""
        assert held.result is not None
        small = Photo(held.result.pixels, "", held.photo.manner).at_most(max(held.shown.pixels.shape[:2]))
        return encode(small.srgb, "jpeg", source=_source(held.result.choices))

    def file(self, held: Held, kind: PictureKind | None) -> tuple[bytes, str, PictureKind]:
        """Encode the result in this kind, or (None) in the photo's own: the file, its name without suffix, and its kind."""
        assert held.result is not None
        own, result = kind or held.photo.manner.own, held.result
        source, manner, signs = _source(result.choices), held.photo.manner, self._credentials
        content = encode(held.photo.finished(result.pixels), own, source=source, manner=manner, credentials=signs)
        label = result.choices[0].label if len(result.choices) == 1 else "edited"
        return content, f"{held.name}-{label}", own

    def _original(self, held: Held, number: int) -> Original:
        """Return a face prepared for edits in its photo; it is prepared once."""
        if number not in held.originals:
            held.originals[number] = self._photos.placed(held.photo, self._found(held, number), _known(held, number)).original
        return held.originals[number]

    def _found(self, held: Held, number: int) -> Found:
        """Return the landmarks of a learned face in its photo and, if found there, in its reconstruction."""
        return Found.load(_known(held, number).learned.found) or self._editor.found(Editor.pick(held.faces, number + 1))


def _known(held: Held, number: int) -> KnownFace:
    """Return a learned face. Raises NoSuchFace, and Refusal for one that was not learned yet."""
    Editor.pick(held.faces, number + 1)
    known = held.known.get(number)
    if known is None:
        raise not_learned()
    return known


def _source(choices: Sequence[Choice]) -> Source:
    """Choose what a file says about its origin: "photo" if no face is edited, since then every pixel is the camera's."""
    return "edited" if any(one.strength != 0 for one in choices) else "photo"
