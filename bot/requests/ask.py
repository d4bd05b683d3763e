"""What a member asked for, as a job row holds it: ids, numbers and flags; never a photo, never a name.

The row is sealed by the store and wiped once the member has the answer, so it may hold the signed link of a photo that
came with a command: such a photo has no message that it could be read from again after a restart.
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
    """What a kind of request is called, and what is done for it: keys of the catalogues."""

    name: str
    doing: str


WORDS: Final[Mapping[str, Words]] = {
    "photo": Words("kind.photo", "work.projecting"),
    "edit": Words("kind.edit", "work.drawing"),
    "animate": Words("kind.animate", "work.drawing"),
    "download": Words("kind.download", "work.drawing"),
}
USUAL: Final = 1.0  # four fifths of what a face still has to give of an expression
_RENAMED: Final = {"smile": "edit"}  # as requests of earlier versions have it


@dataclass(frozen=True)
class Ask:
    """One request. Of `photo` and `face_id`, one is set: a new photo, or a kept face."""

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
        """Write it as JSON, which a job row holds."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read what `dump` wrote, of this version or an earlier one."""
        raw: dict[str, Any] = json.loads(data)
        photo = PhotoRef(**raw.pop("photo")) if raw.get("photo") else raw.pop("photo", None)
        kind = raw.pop("kind")
        return cls(_RENAMED.get(kind, kind), photo=photo, **raw)

    def for_face(self, face: int) -> Ask:
        """Narrow it to one face of the photo, counted from 0."""
        return replace(self, face=face)
