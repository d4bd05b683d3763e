"""A member's request as a job's row contains it: ids, numbers and flags; never a photo or a name.

The store encrypts the row and wipes it once the member has the answer. So it may contain the signed link of a photo that came
with a command, which can't be read from a message after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, NamedTuple, Self

from bot.text.speaker import Language, Speaker
from bot.transport.photo_source import PhotoRef
from core.expressions import Strength

Kind = Literal["photo", "edit", "animate", "download"]  # "edit": another strength of a kept face


class Words(NamedTuple):
    """Keys of the catalogues: the name of a kind of request, and what is being done for it."""

    name: str
    doing: str


WORDS: Final[Mapping[str, Words]] = {
    "photo": Words("kind.photo", "work.projecting"),
    "edit": Words("kind.edit", "work.drawing"),
    "animate": Words("kind.animate", "work.drawing"),
    "download": Words("kind.download", "work.drawing"),
}
USUAL: Final = 1.0  # a natural amount: four fifths of the expression that a face has left
_RENAMED: Final = {"smile": "edit"}  # as requests of earlier versions have it


@dataclass(frozen=True)
class Ask:
    """One request, either about a new photo (`photo`) or about a kept face (`face_id`)."""

    kind: Kind
    language: Language
    limit: int  # largest file that may be posted where the answer goes, in bytes
    private: bool = False  # only the member sees the answer
    photo: PhotoRef | None = None
    face: int | None = None  # number in the photo from 0; None: the only one, or ask
    face_id: int | None = None
    strength: Strength | None = None  # None with a photo: both neutral and USUAL
    expression: str = ""  # by its name; "" for the default one
    pictures: int = 1  # in the message; the first is used, and the result says so
    keep: bool = False  # the answer changes a result and keeps its original and neutral pictures

    @property
    def say(self) -> Speaker:
        return Speaker(self.language)

    def dump(self) -> bytes:
        """Encode as JSON for a job's row."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Decode the result of `dump`, of this version or an earlier one.

        Raises ValueError, TypeError or KeyError for other data.
        """
        raw: dict[str, Any] = json.loads(data)
        photo = PhotoRef(**raw.pop("photo")) if raw.get("photo") else raw.pop("photo", None)
        kind = raw.pop("kind")
        return cls(_RENAMED.get(kind, kind), photo=photo, **raw)

    def for_face(self, face: int) -> Ask:
        """Return the same request for one face of the photo, counted from 0."""
        return replace(self, face=face)
