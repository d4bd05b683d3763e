"""Downloads photos: only from Discord's own hosts, over https, without redirects, within limits of size and time.

`discord.Attachment.read()` follows redirects and reads whatever a server sends, so it is not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Self

import aiohttp
from yarl import URL

from core.errors import FileTooLarge, PhotoGone, PhotoNotServed, PhotoUnreachable, Reason
from core.settings import Settings

CHUNK = 64 * 1024
AT_ONCE = 8  # downloads held in memory at the same time: 8 x 25 MiB at worst


class Downloader:
    """The downloader of a bot. Use it as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = frozenset(host.strip().lower() for host in settings.cdn_hosts.split(",") if host.strip())
        self._limit = settings.max_bytes
        self._seconds = settings.download_seconds
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,  # a photo is never content-encoded; a decompression bomb could be
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "image/png, image/jpeg, image/webp"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def photo(self, url: str, declared: int | None = None) -> bytes:
        """Download the bytes at `url`. `declared` is the size by Discord, checked before the download.

        Raises PhotoTooLarge, PhotoGone (404, or an expired link) or PhotoUnreachable.
        """
        address = self._allowed(url)
        if declared is not None:
            self._check(declared)
        async with self._slots:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._fetch(address)
            except TimeoutError:
                raise PhotoUnreachable(reason=Reason.SLOW) from None
            except aiohttp.ClientError:
                raise PhotoUnreachable(reason=Reason.CONNECTION) from None

    async def _fetch(self, address: URL) -> bytes:
        """Download a file. Raises PhotoGone, PhotoNotServed for other answers than 200, FileTooLarge."""
        assert self._session is not None, "use the downloader as a context manager"
        async with self._session.get(address, allow_redirects=False) as response:
            if response.status in (403, 404, 410):
                raise PhotoGone
            if response.status != 200:
                raise PhotoNotServed(status=response.status)
            if response.content_length is not None:
                self._check(response.content_length)
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK):
                body += chunk
                self._check(len(body))  # whatever was declared, no more than the limit is ever held
            return bytes(body)

    def _allowed(self, url: str) -> URL:
        """Parse a link of a host that photos may come from. Raises PhotoUnreachable for another."""
        address = URL(url)
        host = (address.host or "").lower()
        named = host in self._hosts or f"{host}:{address.port}" in self._hosts
        secure = address.scheme == "https" and address.port == 443
        if not named or address.user is not None or not (secure or (address.scheme == "http" and is_loopback(host))):
            raise PhotoUnreachable(reason=Reason.ELSEWHERE)
        return address

    def _check(self, size: int) -> None:
        """Check the size of a file, in bytes. Raises FileTooLarge."""
        if size > self._limit:
            raise FileTooLarge(size=size / 2**20, limit=self._limit / 2**20)


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
