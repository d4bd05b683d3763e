"""What a worker process does: the executor's requests answered with the editor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import numpy as np

from core.edit import Editor, Models
from core.errors import EgaoError, LatentUnreadable
from core.executor.requests import (
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
from core.latents import from_npz, to_npz
from core.pictures import Source, animate, encode
from core.projection import DEFAULT_METHOD
from core.settings import Settings

THUMBNAIL = 256  # pixels
PREVIEW_SECONDS = 2.5  # a message is edited no more often than this, so an earlier preview would be thrown away


def create(settings: Settings) -> Workbench:
    """The factory that the executor names. Loads the generator now, so that missing weights show at start."""
    models = Models(settings)
    _ = models.renderer, models.finder, models.direction("smile")
    return EditorWorkbench(Editor(models))


class EditorWorkbench:
    """The Workbench over an Editor; see core.executor.requests for what each method promises."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.models = editor.models

    def find_faces(self, request: FindFaces) -> FoundFaces:
        photo, faces = self.editor.look(request.photo)
        crops = [self.editor.align(photo, face).image for face in faces]
        pairs = zip(faces, crops, strict=True)
        return FoundFaces(tuple(FoundFace(face.index, face.box, _small(crop, "photo")) for face, crop in pairs))

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        began = time.perf_counter()
        photo, faces = self.editor.look(request.photo)
        aligned = self.editor.align(photo, self.editor.pick(faces, request.face + 1)).image
        method = DEFAULT_METHOD if request.method == "default" else request.method
        projecting = self.editor.projecting(aligned, method, request.steps)
        if request.resume is not None:
            with contextlib.suppress(LatentUnreadable):  # of an earlier version or other options: from the start
                projecting.resume(request.resume)
        seconds = {"align": time.perf_counter() - began}
        yield Progress(projecting.done, projecting.steps, preview=_small(aligned, "photo"))
        shown = began = time.perf_counter()
        for step in projecting.run():
            preview = checkpoint = None
            if (now := time.perf_counter()) - shown > PREVIEW_SECONDS:
                shown, preview, checkpoint = now, self._preview(projecting.ws), projecting.checkpoint()
            yield Progress(step.step, step.steps, step.eta, preview, checkpoint=checkpoint)
        seconds["project"] = time.perf_counter() - began
        yield Projected(to_npz(projecting.ws), self._preview(projecting.ws), seconds, encode(aligned, "jpeg", source="photo"))

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
        variants = self.editor.variants(ws, request.strengths, request.direction)
        pictures = [encode(Editor.resized(v.pixels, request.size), request.kind, max_bytes=request.max_bytes) for v in variants]
        return Rendered(
            tuple(pictures), tuple(v.smile for v in variants), tuple(_kind(p) for p in pictures),
            tuple(v.strength for v in variants),
        )  # fmt: skip

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        ws = from_npz(request.latent, self.models.generator)
        frames = []
        strengths = np.linspace(request.start, request.stop, request.frames)
        for index, strength in enumerate(strengths):
            frames.append(Editor.resized(self.editor.draw(ws, [float(strength)], request.direction)[0], request.size))
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
