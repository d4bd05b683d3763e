"""Declares what a kind of work may ask of the worker that does it, beside the workbench's own methods for egao's kinds.

A kind's file (core/executor/kinds) knows neither editor nor networks: it gets them through this door, in arrays and plain
values. So another kind of work is one file, whatever it looks at or draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.expressions import Strength
from core.learned import NOTHING, Learned

if TYPE_CHECKING:  # the bot's own process makes requests and never an array
    from numpy import uint8
    from numpy.typing import NDArray

    Pixels = NDArray[uint8]
else:
    Pixels = Any

FileKind = Literal["png", "jpeg", "webp"]


class Door(Protocol):
    """Photos, kept faces and what can be measured of them, with the checks that every photo of a stranger passes."""

    def face_in_photo(self, photo: bytes, face: int = 0, learned: Learned = NOTHING, *, alone: bool = False) -> Pixels:
        """Cut a face out of a photo's file: uint8 [R, R, 3] in sRGB, aligned as FFHQ aligns, R as the generator draws.

        `face` counts from 0 at the left; `learned` and `alone` are as in the request `Project`. Raises PhotoError: the file
        can't be read, has no such face, or is refused by the checks.
        """
        ...

    def kept_face(self, latent: bytes, learned: Learned = NOTHING, strength: Strength = 0.0, expression: str = "") -> Pixels:
        """Draw a kept face as the generator does, at a strength of an expression ("": the default one): uint8 [R, R, 3].

        `latent` and `learned` are as in the request `Render`. Raises LatentError (FaceRefused, FaceLost, NoSuchExpression and
        the like).
        """
        ...

    def blendshapes(self, picture: Pixels) -> Mapping[str, float]:
        """Measure how strong each of MediaPipe's blendshapes is in an aligned face uint8 [R, R, 3]: 0..1 by its name.

        Raises NoFace if the landmarker finds none.
        """
        ...

    def emotions(self, picture: Pixels) -> Mapping[str, float]:
        """Classify the emotion of an aligned face uint8 [R, R, 3]: the probability of each of seven by its name, together 1.

        Raises WeightsMissing if the classifier was not downloaded: `egao models pull`.
        """
        ...

    def file(self, picture: Pixels, kind: FileKind = "png", max_bytes: int | None = None) -> bytes:
        """Encode a drawn or edited picture, marked as AI-edited; smaller or as another kind to keep within `max_bytes`."""
        ...
