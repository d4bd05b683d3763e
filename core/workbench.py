"""The work of a worker process: the executor's requests, done with the editor."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from core.edit import Editor, EditorDoor, InPhoto, KnownFace, Laid, Models, Moving, OneFace, PhotoEditor, Variant, movement
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
    MovedTogether,
    MoveTogether,
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
from core.latents import from_npz, to_npz
from core.learned import Learned
from core.pictures import Credentials, PictureKind, Source, animate, credentials, encode
from core.projection import Projecting
from core.settings import Settings
from core.weights.installed import with_digest

THUMBNAIL = 256  # pixels
OTHERS = 2  # generators beside the one of the settings: a StyleGAN2 of 1024 pixels takes 120 MB, and half as much in bfloat16
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
        """Keep the editor for the generator that the settings name; requests for others load theirs when they come."""
        self.editor = editor
        self.models = editor.models
        self.photos = PhotoEditor(editor)
        self.door = EditorDoor(self.photos)
        self._others: OrderedDict[str, PhotoEditor] = OrderedDict()  # by digest, the one used last at the end
        self._credentials = credentials(editor.models.settings.c2pa)

    def with_generator(self, digest: str) -> PhotoEditor:
        """Return the editor that draws with the generator of this digest; "" is the one that the settings name.

        Raises NoSuchGenerator, WeightsError.
        """
        if digest in ("", self.models.generator.digest):
            return self.photos
        photos = self._others.pop(digest, None)
        if photos is None:
            photos = PhotoEditor(self.editor.beside(with_digest(self.models.settings, digest).name))
        self._others[digest] = photos
        while len(self._others) > OTHERS:
            self._others.popitem(last=False)
        return photos

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
        photos = self.with_generator(request.generator)
        photo, found = photos.look(request.photo, request.face, request.learned.found, alone=request.alone)
        begun = photos.begin(photo, found, request.method, request.steps)
        projecting, aligned = begun.projecting, begun.aligned.image
        if request.resume is not None:
            with contextlib.suppress(LatentUnreadable):  # of an earlier version or other options: from the start
                projecting.resume(request.resume)
        seconds = {"align": time.perf_counter() - began}
        began = time.perf_counter()
        # at once: the learned start of `fast` is a likeness already, and its first step takes as long as all until here
        yield Progress(projecting.done, projecting.steps, preview=_preview(photos, projecting))
        shown = time.perf_counter()
        for step in projecting.run():
            preview = checkpoint = None
            if (now := time.perf_counter()) - shown > PREVIEW_SECONDS:
                shown, preview, checkpoint = now, _preview(photos, projecting), projecting.checkpoint()
            yield Progress(step.step, step.steps, step.eta, preview, checkpoint=checkpoint)
        seconds["project"] = time.perf_counter() - began
        began, latent = time.perf_counter(), projecting.latent
        face = photos.learn(KnownFace.of(latent), default(), aligned, replace(found, drawn=None))  # what it drew before is old
        seconds["scale"] = time.perf_counter() - began
        thumbnail, original = _preview(photos, projecting), encode(aligned, "jpeg", source="photo")
        yield Projected(to_npz(latent), thumbnail, seconds, original, face.learned)

    def render(self, requests: Sequence[Render]) -> Iterable[Rendered | EgaoError]:
        for request in requests:
            try:
                yield self._render(request)
            except EgaoError as error:  # this one's fault; the others of the batch go on
                yield error

    def _render(self, request: Render) -> Rendered:
        photos = self.with_generator(request.generator)
        face, placed, expression = self._known(photos, request, request.size)
        original = None if placed is None else placed.original
        variants = photos.pictures(face, request.strengths, expression, original)
        pictures = [self._file(one, placed, request) if one.told is None else b"" for one in variants]
        kinds, strengths = tuple(_kind(one) for one in pictures), tuple(one.strength for one in variants)
        told = tuple("" if one.told is None else one.told.code for one in variants)
        return Rendered(tuple(pictures), (), kinds, strengths, face.learned, told if any(told) else ())

    def _file(self, one: Variant, placed: InPhoto | None, request: Render | FullSize) -> bytes:
        """Encode a variant: in its photo with the photo's colours and transparency, or, without a photo, the face alone."""
        if placed is None:
            side = getattr(request, "size", None) or len(one.pixels)
            face = Editor.resized(one.pixels, side)
            return encode(face, request.kind, max_bytes=request.max_bytes, credentials=self._credentials)
        return _whole_photo(placed.photo, one.pixels, request, self._credentials, untouched=one.untouched)

    def full_size(self, request: FullSize) -> Iterator[Progress | Rendered]:
        photos = self.with_generator(request.generator)
        face, placed, expression = self._known(photos, request, None)
        yield Progress(1, 3)
        (one,) = photos.pictures(face, [request.strength], expression, None if placed is None else placed.original)
        if one.told is not None:
            raise one.told
        yield Progress(2, 3)
        picture = self._file(one, placed, request)
        left_out = () if placed is None else placed.photo.left_out
        yield Rendered((picture,), (), (_kind(picture),), (one.strength,), face.learned, left_out=left_out)

    def _known(
        self, photos: PhotoEditor, request: Render | Animate | FullSize, side: int | None
    ) -> tuple[KnownFace, InPhoto | None, Expression]:
        """Return the face with its scale, its place in the request's photo (None without one), and the expression.

        The photo is made smaller to at most `side` pixels; None keeps its size. Raises FaceRefused if the face no
        longer passes the checks.
        """
        expression = named(request.expression)
        face = KnownFace.of(from_npz(request.latent, photos.editor.models.generator), request.learned)
        if not request.photo:
            return EditorDoor(photos).checked(face, expression), None, expression
        try:
            placed, face = photos.place(request.photo, request.face, face, side, alone=request.alone)
        except PhotoRefused:  # which was kept when other checks held, so it isn't true that nothing was
            raise FaceRefused from None
        return photos.learn_in(face, expression, placed.found, lambda: photos.editor.load(request.photo)), placed, expression

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        photos = self.with_generator(request.generator)
        face, placed, expression = self._known(photos, request, request.size)
        original = None if placed is None else placed.original
        frames, strengths = [], np.linspace(request.start, request.stop, request.frames).tolist()
        for index, frame in enumerate(movement(photos, face, strengths, expression, original)):
            in_photo = None if placed is None else placed.photo.in_srgb(frame.pixels)
            frames.append(Editor.resized(frame.pixels, request.size) if in_photo is None else in_photo)
            yield Progress(index + 1, request.frames)
        picture = self._moving(frames, request)
        yield Animated(picture, request.frames)

    def together(self, request: Together) -> Iterator[Progress | DrawnTogether]:
        photos = self.with_generator(request.generator)
        faces, expression = _several(photos, request), named(request.expression)
        steps = len(faces) + 1
        work = EditTogether(photos, request.photo, faces, expression, request.size, alone=request.alone)
        try:
            for step in work.run():
                yield Progress(step, steps)
        except PhotoRefused:  # as in `_known`
            raise FaceRefused from None
        picture = _whole_photo(work.photo, work.pixels, request, self._credentials, untouched=work.untouched)
        yield DrawnTogether(picture, tuple(_became(one) for one in work.laid), work.photo.left_out)

    def move_together(self, request: MoveTogether) -> Iterator[Progress | MovedTogether]:
        photos = self.with_generator(request.generator)
        faces, steps = _several(photos, request), len(request.faces) * request.frames + 1
        work = Moving(
            photos, request.photo, faces, named(request.expression), request.size,
            count=request.frames, low=request.low, still=request.still, alone=request.alone,
        )  # fmt: skip
        try:
            for step in work.run():
                yield Progress(step, steps)
        except PhotoRefused:  # as in `_known`
            raise FaceRefused from None
        picture = self._moving(work.frames, request)
        yield MovedTogether(picture, tuple(_became(one) for one in work.laid))

    def _moving(self, frames: Sequence[np.ndarray], request: Animate | MoveTogether) -> bytes:
        """Encode the frames of an animation as a file."""
        signs = self._credentials
        return animate(frames, request.kind, fps=request.fps, max_bytes=request.max_bytes, credentials=signs)


def _several(photos: PhotoEditor, request: Together | MoveTogether) -> list[OneFace]:
    """Read the faces of a request. Raises LatentError."""
    latents = [from_npz(one.latent, photos.editor.models.generator) for one in request.faces]
    pairs = zip(request.faces, latents, strict=True)
    return [OneFace(one.face, KnownFace.of(latent, one.learned), one.strength) for one, latent in pairs]


def _preview(photos: PhotoEditor, projecting: Projecting) -> bytes:
    picture = projecting.picture  # what the last step saw costs nothing
    return _small(photos.editor.glimpse(projecting.latent) if picture is None else picture, "edited")


def _whole_photo(
    photo: Photo, pixels: np.ndarray, request: Render | FullSize | Together, signs: Credentials | None, *, untouched: bool
) -> bytes:
    """A picture as large as its photo as a file, with the photo's colours and transparency."""
    source: Source = "photo" if untouched else "edited"
    kind: PictureKind = "webp" if photo.layered is not None and request.kind == "jpeg" else request.kind
    whole, most = photo.finished(pixels), request.max_bytes
    return encode(whole, kind, max_bytes=most, source=source, manner=photo.manner, credentials=signs)


def _became(laid: Laid) -> DrawnOne:
    if laid.told is None:
        return DrawnOne(laid.strength, laid.face.learned)
    return DrawnOne(laid.strength, laid.face.learned, laid.told.code, laid.told.facts)


def _small(pixels: np.ndarray, source: Source) -> bytes:
    return encode(Editor.resized(pixels, THUMBNAIL), "webp", source=source)


def _kind(picture: bytes) -> str:
    """Tell the kind of an encoded file from its first bytes: the encoder may have chosen another kind than PNG to fit a size."""
    return {b"\x89P": "png", b"\xff\xd8": "jpeg"}.get(picture[:2], "webp")
