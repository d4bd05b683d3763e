"""The work of a worker process: the executor's requests, done with the editor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from core.edit import Editor, EditorDoor, InPhoto, KnownFace, Laid, Models, OneFace, PhotoEditor, Variant
from core.edit import Together as EditTogether
from core.edit.looking import PARTS
from core.errors import EgaoError, FaceRefused, LatentUnreadable, PhotoRefused
from core.executor import (
    Animate,
    Animated,
    DrawnOne,
    DrawnTogether,
    FindFaces,
    FoundFace,
    FoundFaces,
    FullSize,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
    Together,
    Workbench,
)
from core.expressions import Expression, default, named
from core.faces import Face, Photo, align
from core.latents import Latent, from_npz, to_npz
from core.learned import Learned
from core.pictures import PictureKind, Source, animate, encode
from core.settings import Settings

THUMBNAIL = 256  # pixels
PREVIEW_SECONDS = 2.5  # between two previews: a message is edited no more often than this, the others would be thrown away


def create(settings: Settings) -> Workbench:
    """Make the workbench of a worker process; the executor finds this function by its name.

    Loads the generator, the face finder and the default direction now, so that missing weights show at the start.
    """
    models = Models(settings)
    _ = models.renderer, models.finder, models.mover(default())
    return EditorWorkbench(Editor(models, strangers=True))


class EditorWorkbench:
    """The Workbench that uses an Editor; core.executor.worker.workbench says what each method must do."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.models = editor.models
        self.photos = PhotoEditor(editor)
        self.door = EditorDoor(self.photos)

    def find_faces(self, request: FindFaces) -> Iterator[Progress | FoundFaces]:
        looking = self.editor.looking(request.photo, alone=request.alone)
        for part in looking.run():
            yield Progress(part, PARTS + 1)
        shown = []
        for face in looking.faces:
            if face.standing != "barred":
                shown.append(self._found(looking.photo, face))
                yield Progress(PARTS, PARTS + 1)
        yield FoundFaces(tuple(shown), len(looking.faces) - len(shown))

    def _found(self, photo: Photo, face: Face) -> FoundFace:
        crop = photo.in_srgb(align(photo.pixels, face.landmarks, THUMBNAIL).image)  # to choose by: of a crowd each is cut small
        return FoundFace(face.index, face.box, _small(crop, "photo"), Learned(self.editor.found(face).dump()))

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        began = time.perf_counter()
        photo, found = self.photos.look(request.photo, request.face, request.learned.found, alone=request.alone)
        begun = self.photos.begin(photo, found, request.method, request.steps)
        projecting, aligned = begun.projecting, begun.aligned.image
        if request.resume is not None:
            with contextlib.suppress(LatentUnreadable):  # of an earlier version or other options: from the start
                projecting.resume(request.resume)
        seconds = {"align": time.perf_counter() - began}
        began = time.perf_counter()
        shown = began - PREVIEW_SECONDS  # at once: the learned start of `fast` is a likeness already
        for step in projecting.run():
            preview = checkpoint = None
            if (now := time.perf_counter()) - shown > PREVIEW_SECONDS:
                shown, preview, checkpoint = now, self._preview(projecting.latent), projecting.checkpoint()
            yield Progress(step.step, step.steps, step.eta, preview, checkpoint=checkpoint)
        seconds["project"] = time.perf_counter() - began
        began, latent = time.perf_counter(), projecting.latent
        face = self.photos.learn(KnownFace.of(latent), default(), aligned, found)
        seconds["scale"] = time.perf_counter() - began
        yield Projected(to_npz(latent), self._preview(latent), seconds, encode(aligned, "jpeg", source="photo"), face.learned)

    def render(self, requests: Sequence[Render]) -> Iterable[Rendered | EgaoError]:
        for request in requests:
            try:
                yield self._render(request)
            except EgaoError as error:  # this one's fault; the others of the batch go on
                yield error

    def _render(self, request: Render) -> Rendered:
        face, placed, expression = self._known(request, request.size)
        original = None if placed is None else placed.original
        variants = self.photos.pictures(face, request.strengths, expression, original)
        pictures = [self._file(one, placed, request) if one.told is None else b"" for one in variants]
        kinds, strengths = tuple(_kind(one) for one in pictures), tuple(one.strength for one in variants)
        told = tuple("" if one.told is None else one.told.code for one in variants)
        return Rendered(tuple(pictures), (), kinds, strengths, face.learned, told if any(told) else ())

    def _file(self, one: Variant, placed: InPhoto | None, request: Render | FullSize) -> bytes:
        """Encode a variant: in its photo with the photo's colours and transparency, or, without a photo, the face alone."""
        if placed is None:
            side = getattr(request, "size", None) or len(one.pixels)
            return encode(Editor.resized(one.pixels, side), request.kind, max_bytes=request.max_bytes)
        return _whole_photo(placed.photo, one.pixels, request, untouched=one.untouched)

    def full_size(self, request: FullSize) -> Iterator[Progress | Rendered]:
        face, placed, expression = self._known(request, None)
        yield Progress(1, 3)
        (one,) = self.photos.pictures(face, [request.strength], expression, None if placed is None else placed.original)
        if one.told is not None:
            raise one.told
        yield Progress(2, 3)
        picture = self._file(one, placed, request)
        yield Rendered((picture,), (), (_kind(picture),), (one.strength,), face.learned)

    def _known(self, request: Render | Animate | FullSize, side: int | None) -> tuple[KnownFace, InPhoto | None, Expression]:
        """Return the face with its scale, its place in the request's photo (None without one), and the expression.

        The photo is made smaller to at most `side` pixels; None keeps its size. Raises FaceRefused if the face no
        longer passes the checks.
        """
        expression = named(request.expression)
        face = KnownFace.of(from_npz(request.latent, self.models.generator), request.learned)
        if not request.photo:
            return self.door.checked(face, expression), None, expression
        try:
            placed, face = self.photos.place(request.photo, request.face, face, side, alone=request.alone)
        except PhotoRefused:  # which was kept when other checks held, so it isn't true that nothing was
            raise FaceRefused from None
        return self.photos.learn(face, expression), placed, expression

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        face, placed, expression = self._known(request, request.size)
        original = None if placed is None else placed.original
        frames = []
        for index, strength in enumerate(np.linspace(request.start, request.stop, request.frames)):
            (frame,) = self.photos.pictures(face, [float(strength)], expression, original, judge=False)
            in_photo = None if placed is None else placed.photo.in_srgb(frame.pixels)
            frames.append(Editor.resized(frame.pixels, request.size) if in_photo is None else in_photo)
            yield Progress(index + 1, request.frames)
        picture = animate(frames, request.kind, fps=request.fps, max_bytes=request.max_bytes)
        yield Animated(picture, request.frames)

    def together(self, request: Together) -> Iterator[Progress | DrawnTogether]:
        latents = [from_npz(one.latent, self.models.generator) for one in request.faces]
        faces = [OneFace(one.face, KnownFace.of(latent, one.learned), one.strength)
                 for one, latent in zip(request.faces, latents, strict=True)]  # fmt: skip
        expression, steps = named(request.expression), len(faces) + 1
        work = EditTogether(self.photos, request.photo, faces, expression, request.size, alone=request.alone)
        try:
            for step in work.run():
                yield Progress(step, steps)
        except PhotoRefused:  # as in `_known`
            raise FaceRefused from None
        picture = _whole_photo(work.photo, work.pixels, request, untouched=work.untouched)
        yield DrawnTogether(picture, tuple(_became(one) for one in work.laid))

    def _preview(self, latent: Latent) -> bytes:
        return _small(self.editor.reconstructed(latent), "edited")


def _whole_photo(photo: Photo, pixels: np.ndarray, request: Render | FullSize | Together, *, untouched: bool) -> bytes:
    """A picture as large as its photo as a file, with the photo's colours and transparency."""
    source: Source = "photo" if untouched else "edited"
    kind: PictureKind = "webp" if photo.layered is not None and request.kind == "jpeg" else request.kind
    return encode(photo.finished(pixels), kind, max_bytes=request.max_bytes, source=source, manner=photo.manner)


def _became(laid: Laid) -> DrawnOne:
    if laid.told is None:
        return DrawnOne(laid.strength, laid.face.learned)
    return DrawnOne(laid.strength, laid.face.learned, laid.told.code, laid.told.facts)


def _small(pixels: np.ndarray, source: Source) -> bytes:
    return encode(Editor.resized(pixels, THUMBNAIL), "webp", source=source)


def _kind(picture: bytes) -> str:
    """Tell the kind of an encoded file from its first bytes: the encoder may have chosen another kind than PNG to fit a size."""
    return {b"\x89P": "png", b"\xff\xd8": "jpeg"}.get(picture[:2], "webp")
