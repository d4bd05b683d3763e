"""Reads the photo of a request from Discord, each time it is needed: it is kept nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol, Self

import aiohttp
import discord

from bot.transport.pluralkit import Senders
from bot.transport.retry import will_pass
from core.errors import (
    ExplicitPhoto,
    ForwardedPhoto,
    NoAvatar,
    NoPhoto,
    PhotoError,
    PhotoGone,
    PhotoUnreachable,
    Reason,
)
from core.photo_names import is_photo_name
from core.store import PhotoPlace, StoredFace

AVATAR_SIDE: Final = 1024  # pixels, the largest that Discord hands out is 4096; most are smaller than this
UNKNOWN: Final = "application/octet-stream"  # the kind of a file of which nothing is known (RFC 2046, 4.5.1)
MOST_PHOTOS: Final = 10  # of one message: so many files it may have, and so many pictures its answer
Gone = Callable[[int], Awaitable[None]]  # a message with a photo was deleted


class PhotoRef(PhotoPlace):
    """Where a photo is on Discord."""

    @classmethod
    def of(cls, attachment: discord.Attachment, message: discord.Message | None = None, author_id: int | None = None) -> Self:
        """Refer to a picture attached to a message or a command. Raises NoPhoto for another kind of file, ExplicitPhoto.

        `author_id` is who posted it, if not the author of the message.
        """
        if not is_picture(attachment):
            raise NoPhoto
        if attachment.flags.contains_explicit_media:
            raise ExplicitPhoto
        place: tuple[int | None, int | None, int | None] = (None, None, None)
        if message is not None:
            place = (message.channel.id, message.id, message.author.id if author_id is None else author_id)
        spoiler, alt = attachment.is_spoiler(), attachment.description or ""
        return cls(attachment.url, attachment.size, attachment.id, *place, spoiler=spoiler, alt=alt)


class Photos(Protocol):
    """A source of photos (`Downloader`)."""

    async def photo(self, url: str, declared: int | None = None) -> bytes: ...


class PhotoReader:
    """Reads photos by their references."""

    def __init__(self, bot: discord.Client, photos: Photos, gone: Gone) -> None:
        self._bot, self._photos, self._gone = bot, photos, gone

    async def of_face(self, stored: StoredFace, *, wait: bool = False) -> bytes | None:
        """Fetch the photo of a kept face; None if it is gone or has changed.

        With `wait`, PhotoUnreachable is raised while Discord fails, since the photo may be had later; else that is None too.
        """
        if stored.source is None:
            return None
        try:
            data = await self.fetch(stored.source)
        except PhotoError as error:
            if wait and isinstance(error, PhotoUnreachable):
                raise
            return None
        return data if await asyncio.to_thread(digest, data) == stored.photo_sha256 else None

    async def fetch(self, ref: PhotoPlace) -> bytes:
        try:
            return await self._photos.photo(ref.url, ref.size)
        except PhotoGone:  # a signed link runs out; the message, if there is one, has a new link
            if ref.message_id is None or ref.channel_id is None:
                raise
        fresh = await self._again(ref.channel_id, ref.message_id, ref.attachment_id)
        return await self._photos.photo(fresh.url, fresh.size)

    async def _again(self, channel_id: int, message_id: int, attachment_id: int) -> discord.Attachment:
        """Read an attachment from its message again, with a fresh link. Raises PhotoGone, PhotoUnreachable."""
        message = await message_with_photo(self._bot, channel_id, message_id, self._gone)
        found = next((one for one in _attached(message) if one.id == attachment_id), None)
        if found is None:  # removed from its message while the bot was off
            await self._gone(message_id)
            raise PhotoGone
        return found


async def message_with_photo(bot: discord.Client, channel_id: int, message_id: int, gone: Gone) -> discord.Message:
    """Read a message. Raises PhotoGone, or PhotoUnreachable while Discord fails. For a deleted message, calls `gone`."""
    try:
        message: discord.Message = await bot.get_partial_messageable(channel_id).fetch_message(message_id)
    except discord.NotFound:  # deleted while the bot was off: its faces are erased too
        await gone(message_id)
        raise PhotoGone from None
    except discord.Forbidden:
        raise PhotoGone from None
    except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
        if not will_pass(error):
            raise
        raise PhotoUnreachable(reason=Reason.DISCORD) from None
    return message


def digest(photo: bytes) -> str:
    """Compute the sha256 of a photo's bytes, in hex."""
    return hashlib.sha256(photo).hexdigest()


def is_picture(attachment: discord.Attachment) -> bool:
    """Tell whether Discord says that a file is a picture or, where it doesn't know, the file's name does.

    Discord knows fewer kinds than phones and cameras write. Whether a file can be read is decided from its bytes later.
    """
    kind = attachment.content_type or UNKNOWN
    return kind.startswith("image/") or (kind == UNKNOWN and is_photo_name(attachment.filename))


def pictures(message: discord.Message) -> list[discord.Attachment]:
    """List the pictures of a message, and of the message that it forwards."""
    return [attachment for attachment in _attached(message) if is_picture(attachment)]


def _attached(message: discord.Message) -> list[discord.Attachment]:
    forwarded = (one for snapshot in message.message_snapshots for one in snapshot.attachments)
    return [*message.attachments, *forwarded]


def pictured(message: discord.Message) -> discord.Message | None:
    """Return the message with pictures: this one, or the one that it answers; None if neither has any."""
    if pictures(message):
        return message
    answered = message.reference.resolved if message.reference is not None else None
    return answered if isinstance(answered, discord.Message) and pictures(answered) else None


async def photos_in(
    bot: discord.Client, senders: Senders, message: discord.Message, *, away: bool = False, sender: int | None = None
) -> list[PhotoRef]:
    """Refer to the pictures of a message, `MOST_PHOTOS` at most.

    Raises NoPhoto, ExplicitPhoto, and WebhookPhoto or ForwardedPhoto if neither Discord nor `senders` tell whose they are.
    `away`: the message is where egao is a guest and can't read it again, so its place is not noted. `sender`: for whom a
    webhook posted the message, if that is known already.
    """
    found = pictures(message)[:MOST_PHOTOS]
    if not found:
        raise NoPhoto
    if is_webhooks(bot, message) and sender is None:
        sender = await senders.of(message)
    forwarded = [one for one in found if one not in message.attachments]
    author_id = await _first_author(bot, senders, message) if forwarded else None
    photos = [PhotoRef.of(one, message, author_id if one in forwarded else sender) for one in found]
    return [replace(one, channel_id=None, message_id=None) for one in photos] if away else photos


def avatar_of(person: discord.User | discord.Member) -> PhotoRef:
    """Take somebody's own avatar: the one of this server, else the one that they have everywhere. Raises NoAvatar."""
    asset = getattr(person, "guild_avatar", None) or person.avatar
    if asset is None:  # Discord's own drawing
        raise NoAvatar
    still = asset.replace(size=AVATAR_SIDE, static_format="png", format="png")
    return PhotoRef(still.url, 0, 0)


def linked(message: discord.Message) -> bool:
    """Tell whether a message, or the one that it answers, has a link in the place of a photo."""
    answered = message.reference.resolved if message.reference is not None else None
    both = [one for one in (message, answered) if isinstance(one, discord.Message)]
    return any(one.embeds or "https://" in one.content or "http://" in one.content for one in both)


def is_webhooks(bot: discord.Client, message: discord.Message) -> bool:
    """Tell whether a webhook posted a message, as PluralKit's do; the bot's own answers to commands don't count."""
    return message.webhook_id is not None and (bot.user is None or message.author.id != bot.user.id)


async def _first_author(bot: discord.Client, senders: Senders, message: discord.Message) -> int:
    """Return the id of the author of the message that this one forwards. Raises ForwardedPhoto if the bot can't see that.

    Raises WebhookPhoto for a webhook's whose sender is not known.
    """
    first = message.reference
    if first is None or first.message_id is None:
        raise ForwardedPhoto
    try:
        original = await bot.get_partial_messageable(first.channel_id).fetch_message(first.message_id)
    except (discord.HTTPException, OSError, aiohttp.ClientError):
        raise ForwardedPhoto from None
    return await senders.of(original) if is_webhooks(bot, original) else original.author.id
