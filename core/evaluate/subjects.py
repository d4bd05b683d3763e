"""Generated faces to try directions on: their latents are known exactly, and their pictures serve as photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from core.edit import Editor
from core.evaluate.trial import Subject
from core.faces import Aligned, Photo
from core.generator import seed_w


def generated(editor: Editor, seeds: Sequence[int], truncation: float) -> Iterator[Subject | tuple[str, str]]:
    """Yield a subject for each seed or, for a seed in whose picture no face is found, its name and what is told of it."""
    generator = editor.models.generator
    for seed in seeds:
        ws = generator.broadcast(seed_w(generator, [seed], truncation)).cpu().numpy()
        pixels = editor.reconstructed(ws)
        faces = editor.models.finder.find(pixels)
        if not faces:
            yield f"seed-{seed}", "no face is found in its picture"
            continue
        side = len(pixels)
        corners = np.array([[0, 0], [0, side], [side, side], [side, 0]], dtype=np.float64)
        photo = Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())
        face = max(faces, key=lambda one: one.width)
        yield Subject(f"seed-{seed}", photo, face, Aligned(pixels, corners, np.eye(3)), ws)
