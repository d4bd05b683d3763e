"""A member's request as a job's row contains it: ids, numbers and flags; never a photo or a name.

The store encrypts the row and wipes it once the member has the answer. So it may contain the signed link of a photo that came
with a command, which can't be read from a message after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, NamedTuple, Self, get_args

from bot.text.speaker import Speaker
from bot.transport.photo_source import PhotoRef
from core.expressions import Strength

# "edit": another strength of a kept face; "group": all faces of one or more photos; "regroup": other strengths of these
Kind = Literal["photo", "edit", "animate", "download", "group", "regroup"]


class Words(NamedTuple):
    """Keys of the catalogues: the name of a kind of request, and what is being done for it."""

    name: str
    doing: str


WORDS: Final[Mapping[str, Words]] = {
    "photo": Words("kind.photo", "work.projecting"),
    "edit": Words("kind.edit", "work.drawing"),
    "animate": Words("kind.animate", "work.drawing"),
    "download": Words("kind.download", "work.drawing"),
    "group": Words("kind.group", "work.projecting"),
    "regroup": Words("kind.edit", "work.drawing"),
}
assert WORDS.keys() == set(get_args(Kind)), "each kind of request has its words"
USUAL: Final = 1.0  # a natural amount: four fifths of the expression that a face has left
_RENAMED: Final = {"smile": "edit"}  # as requests of earlier versions have it


@dataclass(frozen=True)
class Ask:
    """One request, about a new photo (`photo`), a kept face (`face_id`), or kept faces that are shown together (`group`)."""

    kind: Kind
    language: str  # by its name in core.languages
    limit: int  # largest file that may be posted where the answer goes, in bytes
    private: bool = False  # only the member sees the answer
    photo: PhotoRef | None = None
    face: int | None = None  # number in the photo from 0; None: the only one, or ask
    face_id: int | None = None
    strength: Strength | None = None  # None with a photo: both neutral and USUAL
    expression: str = ""  # by its name; "" for the default one
    keep: bool = False  # the answer changes a result and keeps its original and neutral pictures
    more: tuple[PhotoRef, ...] = ()  # of a "group": the photos of the same message after the first
    faces: tuple[int, ...] = ()  # of a "group": numbers in the photo from 0; (): all that are found
    group: int | None = None  # of a "regroup", or a copy of its answer: see core.store.groups
    strengths: tuple[tuple[int, Strength], ...] = ()  # of such: each face, by its number in the store, and its strength
    away: bool = False  # asked where egao is a guest: see `is_away`
    aim: int = 0  # of such: the face that the controls under it are for; 0: all of them

    @property
    def say(self) -> Speaker:
        return Speaker(self.language)

    @property
    def photos(self) -> tuple[PhotoRef, ...]:
        """All photos that it is about; () where it is about kept faces."""
        return () if self.photo is None else (self.photo, *self.more)

    def dump(self) -> bytes:
        """Encode as JSON for a job's row."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Decode the result of `dump`, of this version or an earlier one.

        Raises ValueError, TypeError or KeyError for other data.
        """
        raw: dict[str, Any] = json.loads(data)
        raw.pop("pictures", None)  # how many the message had: earlier versions took the first alone
        raw["photo"] = PhotoRef(**raw["photo"]) if raw.get("photo") else None
        raw["more"] = tuple(PhotoRef(**one) for one in raw.get("more", ()))
        raw["faces"] = tuple(raw.get("faces", ()))
        raw["strengths"] = tuple((face_id, strength) for face_id, strength in raw.get("strengths", ()))
        kind = raw.pop("kind")
        return cls(_RENAMED.get(kind, kind), **raw)

    def for_faces(self, faces: Sequence[int]) -> Ask:
        """Return the same request for these faces of the photo, counted from 0: one alone, or several together."""
        if len(faces) == 1:
            return replace(self, face=faces[0])
        return replace(self, kind="group", faces=tuple(faces))


def ask_about(photos: Sequence[PhotoRef], language: str, limit: int, private: bool = False, **about: Any) -> Ask:
    """Ask for what is done with the photos of one message: of several, all faces of all of them, in one answer."""
    kind: Kind = "photo" if len(photos) == 1 else "group"
    return Ask(kind, language, limit, private, photo=photos[0], more=tuple(photos[1:]), **about)
