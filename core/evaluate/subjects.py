"""Generated faces to try directions on: their latents are known exactly, and their pictures serve as photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.edit import Editor
from core.evaluate.trial import Subject
from core.faces import Aligned, Photo
from core.generator import seed_w
from core.occlusion.things import paint

_WHOLLY = 0.999  # share of a pixel that a thing covers


def generated(
    editor: Editor,
    seeds: Sequence[int],
    truncation: float,
    *,
    things: bool = False,
    groups: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[Subject | tuple[str, str]]:
    """Yield a subject for each seed or, for a seed in whose picture no face is found, its name and what is told of it.

    With `things`, one to three are painted in front of each face, others for each seed. `groups` are those of `read_groups`.
    """
    generator = editor.models.generator
    for seed in seeds:
        name = f"seed-{seed}"
        ws = generator.broadcast(seed_w(generator, [seed], truncation)).cpu().numpy()
        pixels, thing = editor.reconstructed(ws), None
        if things:
            pixels, thing = _behind_things(pixels, seed)
        faces = editor.models.finder.find(pixels)
        if not faces:
            yield name, "no face is found in its picture"
            continue
        side = len(pixels)
        corners = np.array([[0, 0], [0, side], [side, side], [side, 0]], dtype=np.float64)
        photo = Photo(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())
        face = max(faces, key=lambda one: one.width)
        yield Subject(name, photo, face, Aligned(pixels, corners, np.eye(3)), ws, thing, groups.get(name, {}))


def _behind_things(face: NDArray[np.uint8], seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Paint things in front of a face uint8 [R, R, 3]: the picture, and where nothing but a thing is to be seen, bool [R, R]."""
    painted, covered = paint(face, face[:, ::-1], np.random.RandomState(seed))
    share = covered[..., None]
    return (face + share * (painted.astype(np.float32) - face)).round().astype(np.uint8), covered >= _WHOLLY
