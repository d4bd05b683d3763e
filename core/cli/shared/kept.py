"""The faces that the command line keeps: the latent of a photo that was given before, or projected now and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.progress import Progress

from core.cli.shared.projecting import project_with_progress
from core.edit import KnownFace, PhotoEditor
from core.expressions import Expression
from core.faces import Face, Photo
from core.latents import from_npz, to_npz
from core.methods import method_key
from core.pictures import encode
from core.store import Owner, Store

OWNER: Final = Owner.local()


@dataclass(frozen=True, eq=False)
class KeptFace:
    """A face as it is kept."""

    id: int
    face: KnownFace
    seconds: Mapping[str, float]  # that "project" and "scale" took, as far as they were not kept before


class KeptFaces:
    """Projects the faces of photos once: what was done in the same way before is read from the store."""

    def __init__(self, editor: PhotoEditor, store: Callable[[], Store], method: str, steps: int | None = None) -> None:
        """`store` opens it, once there is a face to keep or to look for: a photo that is refused leaves nothing behind."""
        self._editor, self._store, self._method, self._steps = editor, store, method, steps
        self._generator = editor.editor.models.generator

    def face(
        self, photo: Photo, face: Face, label: str, checkpoint: Path | None = None, *, bars: Progress | None = None
    ) -> KeptFace:
        """Project a face of the photo, or take it as it was kept.

        `label` stands beside the progress of its projection, which goes on from `checkpoint`.
        """
        key, faces = method_key(self._method, self._steps), self._store().faces
        known = faces.find(OWNER, photo.sha256, face.index, generator=self._generator.digest, method=key)
        if known is not None:
            faces.touch(OWNER, known.id)
            return KeptFace(known.id, KnownFace(from_npz(faces.latent(OWNER, known.id), self._generator), known.learned), {})
        began = time.perf_counter()
        begun = self._editor.begin(photo, self._editor.editor.found(face), self._method, self._steps)
        project_with_progress(begun.projecting, label, checkpoint, bars=bars)
        ws, seconds = begun.projecting.ws, time.perf_counter() - began
        thumbnail = encode(self._editor.editor.reconstructed(ws)[::4, ::4].copy(), "webp")
        known = faces.add(
            OWNER, photo_sha256=photo.sha256, face=face.index, box=face.box, quad=begun.aligned.quad.tolist(),
            latent=to_npz(ws), thumbnail=thumbnail, generator=self._generator.digest, method=key,
        )  # fmt: skip
        return KeptFace(known.id, KnownFace(ws), {"project": seconds})

    def learn(self, kept: KeptFace, expression: Expression, aligned: np.ndarray) -> KeptFace:
        """Give a face its scale for the expression, measured now and kept if it was not known."""
        began = time.perf_counter()
        face = self._editor.learn(kept.face, expression, aligned)
        if face.learned == kept.face.learned:
            return kept
        self._store().faces.note(OWNER, kept.id, face.learned)
        return replace(kept, face=face, seconds={**kept.seconds, "scale": time.perf_counter() - began})
