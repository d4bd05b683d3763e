"""What a worker process does: the executor's requests answered with the editor."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence

import numpy as np

from core.composite import Original
from core.edit import Editor, Models, Scale
from core.edit.in_photo import PhotoEditor
from core.errors import EgaoError, FaceLost, LatentUnreadable
from core.executor import (
    Animate,
    Animated,
    FindFaces,
    FoundFace,
    FoundFaces,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
    Workbench,
)
from core.faces import Face
from core.latents import from_npz, to_npz
from core.methods import DEFAULT_METHOD
from core.pictures import Source, animate, encode
from core.settings import Settings

THUMBNAIL = 256  # pixels
PREVIEW_SECONDS = 2.5  # between two previews: a message is edited no more often than this, the others would be thrown away


def create(settings: Settings) -> Workbench:
    """The factory that the executor names. Loads the generator now, so that missing weights show at start."""
    models = Models(settings)
    _ = models.renderer, models.finder, models.direction("smile")
    return EditorWorkbench(Editor(models, strangers=True))


class EditorWorkbench:
    """The Workbench over an Editor; see core.executor.workbench for what each method promises."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.models = editor.models
        self.in_photo = PhotoEditor(editor)

    def find_faces(self, request: FindFaces) -> FoundFaces:
        photo, faces = self.editor.look(request.photo)
        crops = [self.editor.align(photo, face).image for face in faces]
        pairs = zip(faces, crops, strict=True)
        return FoundFaces(tuple(self._found(face, crop) for face, crop in pairs))

    def _found(self, face: Face, crop: np.ndarray) -> FoundFace:
        return FoundFace(face.index, face.box, _small(crop, "photo"), self.editor.found(face).dump())

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        began = time.perf_counter()
        photo, found = self.in_photo.look(request.photo, request.face, request.found)
        aligned = self.editor.align(photo, found).image
        method = DEFAULT_METHOD if request.method == "default" else request.method
        projecting = self.editor.projecting(aligned, method, request.steps)
        if request.resume is not None:
            with contextlib.suppress(LatentUnreadable):  # of an earlier version or other options: from the start
                projecting.resume(request.resume)
        seconds = {"align": time.perf_counter() - began}
        began = time.perf_counter()
        shown = began - PREVIEW_SECONDS  # at once: the learned start of `fast` is a likeness already
        for step in projecting.run():
            preview = checkpoint = None
            if (now := time.perf_counter()) - shown > PREVIEW_SECONDS:
                shown, preview, checkpoint = now, self._preview(projecting.ws), projecting.checkpoint()
            yield Progress(step.step, step.steps, step.eta, preview, checkpoint=checkpoint)
        seconds["project"] = time.perf_counter() - began
        began, ws = time.perf_counter(), projecting.ws
        scale = self.editor.scale(ws, aligned=aligned)
        seconds["scale"] = time.perf_counter() - began
        with contextlib.suppress(FaceLost):  # told when it is to be drawn
            found = self.editor.found(found, ws)
        yield Projected(
            to_npz(ws), self._preview(ws), seconds, encode(aligned, "jpeg", source="photo"), self.dump(scale),
            scale.strength(scale.rest), found.dump(),
        )  # fmt: skip

    def render(self, requests: Sequence[Render]) -> list[Rendered | EgaoError]:
        answers: list[Rendered | EgaoError] = []
        for request in requests:
            try:
                answers.append(self._render(request))
            except EgaoError as error:  # this one's fault; the others of the batch go on
                answers.append(error)
        return answers

    def _render(self, request: Render) -> Rendered:
        ws = from_npz(request.latent, self.models.generator)
        found, original = self._in_photo(request, ws)
        scale = self._scale(request, ws)
        variants = self.in_photo.variants(original, ws, request.strengths, request.direction, scale)
        pictures = []
        for one in variants:
            source: Source = "photo" if original is not None and one.step == 0 else "edited"
            pixels = one.pixels if original is not None else Editor.resized(one.pixels, request.size or len(one.pixels))
            pictures.append(encode(pixels, request.kind, max_bytes=request.max_bytes, source=source))
        return Rendered(
            tuple(pictures), tuple(v.smile for v in variants), tuple(_kind(p) for p in pictures),
            tuple(v.strength for v in variants), self.dump(scale, request.direction), found,
        )  # fmt: skip

    def _in_photo(self, request: Render | Animate, ws: np.ndarray) -> tuple[str, Original | None]:
        """Where the face is in the request's photo, and what its edits there share; nothing where there is no photo."""
        if not request.photo:
            return "", None
        made = self.in_photo.face(request.photo, request.face, ws, request.size, request.found)
        return made.found.dump(), made.original

    def dump(self, scale: Scale, direction: str = "smile") -> str:
        """A scale as requests carry it."""
        return json.dumps({"of": self.models.direction(direction).digest, **scale.dump()})

    def _scale(self, request: Render | Animate, ws: np.ndarray) -> Scale:
        """The scale that came with the request if it is of this direction, else measured."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(request.scale or "{}")
            if data["of"] == self.models.direction(request.direction).digest:
                return Scale.load(data)
        return self.editor.scale(ws, request.direction)

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        ws = from_npz(request.latent, self.models.generator)
        _, original = self._in_photo(request, ws)
        scale, frames = self._scale(request, ws), []
        for index, strength in enumerate(np.linspace(request.start, request.stop, request.frames)):
            (frame,) = self.in_photo.variants(original, ws, [float(strength)], request.direction, scale)
            frames.append(frame.pixels if original is not None else Editor.resized(frame.pixels, request.size))
            yield Progress(index + 1, request.frames)
        picture = animate(frames, request.kind, fps=request.fps, max_bytes=request.max_bytes)
        yield Animated(picture, request.frames)

    def _preview(self, ws: np.ndarray) -> bytes:
        return _small(self.models.renderer.images(ws)[0], "edited")


def _small(pixels: np.ndarray, source: Source) -> bytes:
    return encode(Editor.resized(pixels, THUMBNAIL), "webp", source=source)


def _kind(picture: bytes) -> str:
    """The encoder may step down from PNG to fit; the file's own first bytes say what it became."""
    return {b"\x89P": "png", b"\xff\xd8": "jpeg"}.get(picture[:2], "webp")
