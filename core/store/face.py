"""The data of a kept face, as the store returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from core.learned import Learned
from core.store.owner import Owner


@dataclass(frozen=True)
class PhotoPlace:
    """Where a photo on Discord is: read from `url` while that is fresh, later from its message."""

    url: str
    size: int
    attachment_id: int
    channel_id: int | None = None
    message_id: int | None = None
    author_id: int | None = None  # who posted that message; None where a photo came with a command, from its member
    spoiler: bool = False  # its sender covered it: so is every answer
    alt: str = ""  # its description by the sender


@dataclass(frozen=True)
class StoredFace:
    """All about a kept face but its latent and picture."""

    id: int
    owner: Owner
    face: int  # numbered from the left in its photo, from 0
    box: tuple[float, ...]  # x0, y0, x1, y1 in pixels of the photo
    quad: tuple[tuple[float, float], ...]  # the four corners of the aligned crop in the photo, from the upper left
    generator: str  # digest of the generator that the latent belongs to
    method: str
    name: str | None  # given by the owner
    channel_id: int | None  # where its result is shown
    message_id: int | None
    created: float  # when the photo was last given
    last_used: float
    expires: float | None
    photo_sha256: str  # of the photo's bytes
    source: PhotoPlace | None  # where its photo can be read again
    learned: Learned  # all else that is known of it


class FaceAndLatent(NamedTuple):
    """A face and its latent, as the bytes of an .npz file."""

    face: StoredFace
    latent: bytes


class FaceCount(NamedTuple):
    """The number of kept faces, and of the members they belong to."""

    faces: int
    members: int
