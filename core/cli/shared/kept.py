"""The faces that the command line keeps: projected once, then read from the store."""

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
    """A face with its number in the store."""

    id: int
    face: KnownFace
    seconds: Mapping[str, float]  # that "project" and "scale" took, as far as they were not kept before


class KeptFaces:
    """The faces kept by the command line. It projects a face unless a projection by the same method is in the store."""

    def __init__(self, editor: PhotoEditor, store: Callable[[], Store], method: str, steps: int | None = None) -> None:
        """Prepare, without opening the store.

        `store` opens it when a face is first needed, so that a refused photo leaves nothing behind.
        """
        self._editor, self._store, self._method, self._steps = editor, store, method, steps
        self._generator = editor.editor.models.generator

    def face(
        self, photo: Photo, face: Face, label: str, checkpoint: Path | None = None, *, bars: Progress | None = None
    ) -> KeptFace:
        """Return a face of the photo from the store, or project and keep it. Raises as `PhotoEditor.begin` does.

        `label` is shown beside the progress of the projection, which continues from the file `checkpoint` if that fits.
        """
        key, faces = method_key(self._method, self._steps), self._store().faces
        known = faces.find(OWNER, photo.sha256, face.index, generator=self._generator.digest, method=key)
        if known is not None:
            faces.touch(OWNER, known.id)
            return KeptFace(known.id, KnownFace.of(from_npz(faces.latent(OWNER, known.id), self._generator), known.learned), {})
        began = time.perf_counter()
        begun = self._editor.begin(photo, self._editor.editor.found(face), self._method, self._steps)
        project_with_progress(begun.projecting, label, checkpoint, bars=bars)
        latent, seconds = begun.projecting.latent, time.perf_counter() - began
        thumbnail = encode(self._editor.editor.reconstructed(latent)[::4, ::4].copy(), "webp")
        known = faces.add(
            OWNER, photo_sha256=photo.sha256, face=face.index, box=face.box, quad=begun.aligned.quad.tolist(),
            latent=to_npz(latent), thumbnail=thumbnail, generator=self._generator.digest, method=key,
        )  # fmt: skip
        return KeptFace(known.id, KnownFace.of(latent), {"project": seconds})

    def learn(self, kept: KeptFace, expression: Expression, aligned: np.ndarray) -> KeptFace:
        """Return the face with its scale for the expression; a scale measured now is kept."""
        began = time.perf_counter()
        face = self._editor.learn(kept.face, expression, aligned)
        if face.learned == kept.face.learned:
            return kept
        self._store().faces.note(OWNER, kept.id, face.learned)
        return replace(kept, face=face, seconds={**kept.seconds, "scale": time.perf_counter() - began})
