"""A walled worker that signs: it answers each request with a picture of the kind that the `photo` names, as the bot's do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np

from core.executor import FindFaces, FoundFace, FoundFaces
from core.pictures import PictureKind, animate, credentials, encode
from core.settings import Settings


class Bench:
    """Signs as the bot's workbench does: what signs is made at the start, its key when the first picture is."""

    def __init__(self, settings: Settings) -> None:
        self._credentials = credentials(settings.c2pa)

    def find_faces(self, request: FindFaces) -> Iterator[FoundFaces]:
        pixels, kind = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3), request.photo.decode()
        if kind in ("gif", "webp-moving"):
            data = animate([pixels, pixels[::-1]], "gif" if kind == "gif" else "webp", credentials=self._credentials)
        else:
            data = encode(pixels, cast(PictureKind, kind), credentials=self._credentials)
        yield FoundFaces((FoundFace(0, (0, 0, 1, 1), data),))


create = Bench
