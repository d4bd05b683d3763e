"""Where a request's photo is read from: Discord, and again from Discord whenever it is needed; it is kept nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Protocol

import aiohttp
import discord

from bot.answers import will_pass
from bot.asks import PhotoRef
from core.errors import PhotoError, PhotoGone, PhotoUnreachable
from core.store import StoredFace

if TYPE_CHECKING:
    from bot.client import EgaoBot


class Photos(Protocol):
    """Where photos come from (`Downloader`)."""

    async def photo(self, url: str, declared: int | None = None) -> bytes: ...


class PhotoReader:
    """Reads photos by their references."""

    def __init__(self, bot: EgaoBot, photos: Photos) -> None:
        self._bot, self._photos = bot, photos

    async def of_face(self, stored: StoredFace) -> bytes | None:
        """The photo that a kept face came from; None where it is not there any more."""
        kept = (stored.extras or {}).get("photo")
        if kept is None:
            return None
        with contextlib.suppress(PhotoError):
            data = await self.fetch(PhotoRef(**kept))
            if await asyncio.to_thread(digest, data) == stored.photo_sha256:
                return data
        return None

    async def fetch(self, ref: PhotoRef) -> bytes:
        try:
            return await self._photos.photo(ref.url, ref.size)
        except PhotoGone:  # a signed link runs out; the message, if there is one, has a new link
            if ref.message_id is None or ref.channel_id is None:
                raise
        fresh = await self._again(ref.channel_id, ref.message_id, ref.attachment_id)
        return await self._photos.photo(fresh.url, fresh.size)

    async def _again(self, channel_id: int, message_id: int, attachment_id: int) -> discord.Attachment:
        message = await message_with_photo(self._bot, channel_id, message_id)
        found = next((one for one in message.attachments if one.id == attachment_id), None)
        if found is None:
            raise PhotoGone
        return found


async def message_with_photo(bot: EgaoBot, channel_id: int, message_id: int) -> discord.Message:
    """A message as it stands. Raises PhotoGone, or PhotoUnreachable while Discord fails. The faces of a deleted one go."""
    try:
        message: discord.Message = await bot.get_partial_messageable(channel_id).fetch_message(message_id)
    except discord.NotFound:  # deleted while nobody listened: what is kept of it goes too
        erased = await bot.store.run(bot.store.forget_source_message, message_id)
        await bot.service.erased(erased.job_ids)
        raise PhotoGone from None
    except discord.Forbidden:
        raise PhotoGone from None
    except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
        if not will_pass(error):
            raise
        raise PhotoUnreachable(reason="Discord does not answer") from None
    return message


def digest(photo: bytes) -> str:
    """What a photo is known again by."""
    return hashlib.sha256(photo).hexdigest()
