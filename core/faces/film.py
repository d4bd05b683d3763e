"""Decodes all frames of an animated picture, as `core.faces.photo` decodes a still one. Its limits are told before it decodes."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from core.errors import FilmTooLong, FilmTooSlow
from core.faces import colours
from core.faces.container import Container
from core.faces.decode import decoded_frames, image_of
from core.faces.guard import room
from core.faces.photo import Photo, check_header, guarded, parsed
from core.pictures import Manner
from core.settings import Settings

FRAMES: Final = 240  # of an animation: each takes seconds of work
PIXELS: Final = 60_000_000  # of all frames together: they and their edits are held at once
SECONDS: Final = 120  # that it plays


@dataclass(frozen=True, eq=False)
class Film:
    """The frames of an animated picture, as a viewer shows them one after the other."""

    frames: list[Photo]  # all of one size; the same object for frames of equal pixels
    durations: list[float]  # milliseconds of each, as the file says; 0 is left to the viewer
    loops: int | None  # how often it plays, 0 for ever; of a GIF: how often again, None for not again
    apart: bool  # whether the first frame is a still picture for viewers that animate nothing, and no part of the animation

    @property
    def manner(self) -> Manner:
        """How the file holds its frames."""
        return self.frames[0].manner


def load_film(data: bytes, settings: Settings) -> Film | None:
    """Decode every frame of an animated GIF, WebP, PNG or AVIF; None if the file is a still picture.

    Raises as `load_photo` does, FilmTooLong for more than FRAMES frames or PIXELS pixels, and FilmTooSlow for one that plays for
    more than SECONDS.
    """
    container = parsed(data, whole=True)
    if container.kind in ("jpeg", "heic"):
        return None
    with guarded(settings), room() as make, closing(image_of(container)) as image:
        count = container.frames or int(getattr(image, "n_frames", 1))
        if count < 2:
            return None
        width, height = image.size
        if count > FRAMES or count * width * height > PIXELS:
            raise FilmTooLong(frames=count, width=width, height=height, most=FRAMES, limit=PIXELS / 1e6)
        check_header(image, container, settings)
        make(image)
        return _decoded(image, container, count, data)


def _decoded(image: Any, container: Container, count: int, data: bytes) -> Film:
    digest = hashlib.sha256(data).hexdigest()
    known: dict[bytes, Photo] = {}
    frames, durations = [], []
    for pixels, profile, manner in decoded_frames(image, container, count):
        key = hashlib.sha256(pixels.tobytes()).digest() + bytes(pixels.shape[2:])
        if key not in known:
            layered = pixels if pixels.shape[2] == 4 else None
            seen = pixels if layered is None else colours.laid_on_white(layered)
            name = hashlib.sha256(f"{digest} {len(known)}".encode()).hexdigest()  # each is checked and remembered by itself
            known[key] = Photo(seen, name, Manner.of(manner, profile, len(data)), layered)
        frames.append(known[key])
        durations.append(float(image.info.get("duration", 0)))
        if sum(durations) > SECONDS * 1000:
            raise FilmTooSlow(seconds=sum(durations) / 1000, limit=SECONDS)
    loops = image.info.get("loop")
    return Film(frames, durations, 0 if container.kind == "avif" else loops, bool(image.info.get("default_image")))
