"""Downloads from servers that lie, drip, redirect or are not Discord's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot.transport.download import Downloader
from core.errors import EgaoError, PhotoGone, PhotoTooLarge, PhotoUnreachable
from core.settings import Settings

LIMIT = 100_000
PHOTO = b"\x89PNG" + bytes(50_000)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
reached: list[str] = []


async def well(request: web.Request) -> web.Response:
    return web.Response(body=PHOTO)


async def gone(request: web.Request) -> web.Response:
    return web.Response(status=404)


async def broken(request: web.Request) -> web.Response:
    return web.Response(status=500)


async def redirect(request: web.Request) -> web.Response:
    raise web.HTTPFound("/secret")


async def secret(request: web.Request) -> web.Response:
    reached.append("secret")
    return web.Response(body=b"secret")


async def honest_but_large(request: web.Request) -> web.Response:
    return web.Response(body=bytes(LIMIT + 1))


async def endless(request: web.Request) -> web.StreamResponse:
    """Declares nothing and never stops."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(bytes(10_000))
        reached.append("chunk")
    return response


async def dripping(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    for _ in range(1000):
        await response.write(b"x")
        await asyncio.sleep(0.05)
    return response


async def short(request: web.Request) -> web.StreamResponse:
    """Promises more than it sends."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"x")
    assert request.transport is not None
    request.transport.close()
    return response


async def bomb(request: web.Request) -> web.Response:
    """A small body that would grow when decoded."""
    return web.Response(body=b"\x1f\x8b" + bytes(100), headers={"Content-Encoding": "gzip"})


@asynccontextmanager
async def serving(**environ: str) -> AsyncIterator[tuple[Downloader, str]]:
    app = web.Application()
    for handler in (well, gone, broken, redirect, secret, honest_but_large, endless, dripping, short, bomb):
        app.router.add_get(f"/{handler.__name__}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    settings = Settings.load(
        {"EGAO_MAX_BYTES": str(LIMIT), "EGAO_DOWNLOAD_SECONDS": "0.5", "EGAO_CDN_HOSTS": f"127.0.0.1:{port}", **environ}
    )
    try:
        async with Downloader(settings) as downloader:
            yield downloader, f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
        reached.clear()


async def test_a_photo_comes_whole() -> None:
    async with serving() as (downloader, base):
        assert await downloader.photo(f"{base}/well", len(PHOTO)) == PHOTO


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("gone", PhotoGone),
        ("broken", PhotoUnreachable),
        ("redirect", PhotoUnreachable),
        ("honest_but_large", PhotoTooLarge),
        ("endless", PhotoTooLarge),
        ("dripping", PhotoUnreachable),
        ("short", PhotoUnreachable),
    ],
)
async def test_a_bad_server_gets_nowhere(path: str, error: type[EgaoError]) -> None:
    async with serving() as (downloader, base):
        with pytest.raises(error):
            await downloader.photo(f"{base}/{path}")
        assert "secret" not in reached
        assert len(reached) < 1000, "an endless answer is cut off early"


async def test_what_is_compressed_on_the_way_is_not_unpacked() -> None:
    async with serving() as (downloader, base):
        assert len(await downloader.photo(f"{base}/bomb")) == 102


async def test_a_declared_size_is_believed_before_anything_is_fetched() -> None:
    async with serving() as (downloader, base):
        with pytest.raises(PhotoTooLarge, match=r"0\.2 MiB; at most 0\.1 MiB"):
            await downloader.photo(f"{base}/secret", 2 * LIMIT)
        assert not reached


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com:8443/a.png",
        "https://cdn.discordapp.com.evil.example/a.png",
        "https://user@cdn.discordapp.com/a.png",
        "https://evil.example/cdn.discordapp.com/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1/a.png",
        "http://localhost/a.png",
        "file:///etc/passwd",
        "ftp://cdn.discordapp.com/a.png",
        "",
    ],
)
async def test_only_discords_hosts_and_only_securely(url: str) -> None:
    async with Downloader(Settings.load({})) as downloader:
        with pytest.raises(PhotoUnreachable, match="not on Discord"):
            await downloader.photo(url)


async def test_a_loopback_host_must_be_named_too() -> None:
    async with serving(EGAO_CDN_HOSTS="cdn.discordapp.com") as (downloader, base):
        with pytest.raises(PhotoUnreachable, match="not on Discord"):
            await downloader.photo(f"{base}/well")
