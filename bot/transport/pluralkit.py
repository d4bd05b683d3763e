"""Asks PluralKit for whom its webhook posted a message, if the operator lets it: see the setting EGAO_PLURALKIT.

PluralKit's public API answers `GET /messages/ID` with, among others, `id`, `channel` and `sender`: the member who wrote what
the webhook posted. Only the number of the message is sent there, and only of messages that PluralKit's own webhooks posted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import discord
from yarl import URL

from bot.transport.download import is_loopback
from bot.ui.components import whole
from core.errors import BadSetting, WebhookPhoto
from core.settings import Settings

log = logging.getLogger(__name__)

APPLICATION: Final = 466378653216014359  # PluralKit's own, which stands in each message of its webhooks
SECONDS: Final = 1.5  # for one answer: a press or menu must be answered within three
LARGEST: Final = 2**16  # bytes of an answer; some kilobytes are usual
PAUSES: Final = (0.5, 1.5, 3.0)  # seconds between tries: PluralKit notes a message a moment after Discord tells of it
AGENT: Final = "egao (a self-hosted Discord bot that looks up whose a photo is)"  # PluralKit asks each program to name itself


@dataclass(frozen=True)
class _Said:
    """An answer of PluralKit's: the sender; None with `later` if the message is not noted there, or not yet."""

    sender: int | None = None
    later: bool = False


class Senders:
    """Tells who sent what a webhook posted. Without the setting it asks nobody, and knows nobody."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadSetting for an address that is neither https nor on this machine."""
        self._address = _address(settings.pluralkit)
        self._quiet_until = 0.0  # time.monotonic() until which PluralKit wants to be left alone

    async def of(self, message: discord.Message, *, patient: bool = False) -> int:
        """Find the id of the member for whom a webhook posted a message. Raises WebhookPhoto if that can't be known.

        `patient`: the message is seconds old and nobody waits for an answer, so a message that is not noted yet is asked for
        again.
        """
        if self._address is None or message.application_id != APPLICATION:
            raise WebhookPhoto
        for pause in (0.0, *(PAUSES if patient else ())):
            await asyncio.sleep(pause)
            said = await self._ask(message)
            if said.sender is not None:
                return said.sender
            if not said.later:
                break
        raise WebhookPhoto

    async def _ask(self, message: discord.Message) -> _Said:
        if time.monotonic() < self._quiet_until:
            return _Said()
        assert self._address is not None
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=timeout, headers={"User-Agent": AGENT}, cookie_jar=aiohttp.DummyCookieJar()
                ) as asking,
                asking.get(self._address / "messages" / str(message.id), allow_redirects=False) as response,
            ):
                if response.status == 429:
                    self._quiet_until = time.monotonic() + _wait(response)
                if response.status != 200:
                    if response.status != 404:
                        log.warning("PluralKit answers %d for message %d", response.status, message.id)
                    return _Said(later=response.status == 404)
                return _Said(_sender(await response.content.read(LARGEST), message))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("PluralKit can't be asked for message %d: %s", message.id, type(error).__name__)
            return _Said()


def _address(text: str) -> URL | None:
    """Read the setting. Raises BadSetting."""
    if not text:
        return None
    try:
        address = URL(text.rstrip("/"))
    except ValueError as error:
        raise BadSetting(name="EGAO_PLURALKIT", reason=str(error)) from None
    if address.scheme == "https" or (address.scheme == "http" and is_loopback(address.host or "")):
        return address
    raise BadSetting(name="EGAO_PLURALKIT", reason="it has to begin with https://, as https://api.pluralkit.me/v2 does")


def _wait(response: aiohttp.ClientResponse) -> float:
    """Read for how many seconds PluralKit wants to be left alone: its own number, from 1 to 60."""
    try:
        return min(max(float(response.headers.get("Retry-After", "")), 1.0), 60.0)
    except ValueError:
        return 1.0


def _sender(body: bytes, message: discord.Message) -> int | None:
    """Read the sender from an answer, which must be about this very message; None if it is not, or is none at all."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or (said.get("id"), said.get("channel")) != (str(message.id), str(message.channel.id)):
        return None
    sender = said.get("sender")
    return whole(sender) if isinstance(sender, str) else None
