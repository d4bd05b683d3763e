"""What a member asked for, as a job row holds it: ids, numbers and flags; never a photo, never a name.

The row is sealed by the store and wiped once the member has the answer, so it may hold the signed link of a photo that
came with a command: such a photo has no message that it could be read from again after a restart.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Self

import discord

from bot.locale import Language, Speaker
from core.errors import ExplicitPhoto, NoPhoto

Kind = Literal["photo", "smile", "animate", "download"]
SMILE: Final = 1.0  # four fifths of the smile that a face still has to give
NEUTRAL: Final = "neutral"  # a target: the strength at which this face no longer smiles
Strength = float | Literal["neutral"]


@dataclass(frozen=True)
class PhotoRef:
    """Where a photo is. Read from `url` while that is fresh, later from its message by `attachment_id`."""

    url: str
    size: int
    attachment_id: int
    channel_id: int | None = None
    message_id: int | None = None

    @classmethod
    def of(cls, attachment: discord.Attachment, message: discord.Message | None = None) -> Self:
        """A picture that came with a message or a command. Raises NoPhoto for another file, ExplicitPhoto."""
        if not is_picture(attachment):
            raise NoPhoto
        if attachment.flags.contains_explicit_media:
            raise ExplicitPhoto
        place = (message.channel.id, message.id) if message is not None else (None, None)
        return cls(attachment.url, attachment.size, attachment.id, *place)


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
    strength: Strength | None = None  # None with a photo: both the neutral and the smiling picture
    pictures: int = 1  # in the message; the first is used, and the result says so
    keep: bool = False  # the answer changes a result and keeps its original and neutral pictures

    @property
    def say(self) -> Speaker:
        return Speaker(self.language)

    def dump(self) -> bytes:
        """As a job row holds it."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The inverse of `dump`."""
        raw: dict[str, Any] = json.loads(data)
        photo = PhotoRef(**raw.pop("photo")) if raw.get("photo") else raw.pop("photo", None)
        return cls(photo=photo, **raw)

    def for_face(self, face: int) -> Ask:
        """The same for one face of the photo."""
        return replace(self, face=face)


def is_picture(attachment: discord.Attachment) -> bool:
    """Whether Discord takes it for a picture of any kind. Which kinds can be read is decided from the bytes."""
    return (attachment.content_type or "").startswith("image/")


def pictures(message: discord.Message) -> list[discord.Attachment]:
    """The pictures that were posted with a message; not those of a message forwarded in it, whoever took them."""
    return [attachment for attachment in message.attachments if is_picture(attachment)]


def photo_in(message: discord.Message) -> PhotoRef:
    """The first picture of a message. Raises NoPhoto, ExplicitPhoto."""
    found = pictures(message)
    if not found:
        raise NoPhoto
    return PhotoRef.of(found[0], message)
