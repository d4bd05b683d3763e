"""Who is answered: the page with the token, and nobody else. Over HTTP, with the real server; no network is loaded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from yarl import URL

from core.errors import PhotoTooLarge
from core.faces import load_photo
from core.play import PlayServer
from core.play.held import Held
from core.play.server import MOST_FILES
from core.play.tabs import MOST_TABS
from core.settings import Settings
from tests.core.play.kit import bare, opened, until


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[PlayServer]:
    async with bare(settings) as made:
        yield made


async def status(address: str, method: str = "GET", **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.request(method, URL(address, encoded=True), headers=headers) as answer:
        text = await answer.text()
        assert answer.status == 200 or "sentence" in text
        return answer.status


PATHS = ("", "page/app.js", "tab", "tab/one/photo")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "x", "A" * 43, "page", "%00", "%C3%A9"])
async def test_nothing_is_answered_without_the_token(server: PlayServer, path: str, token: str) -> None:
    root = f"http://127.0.0.1:{server.guard.port}"
    assert await status(f"{root}/{token}/{path}") == 403
    assert await status(f"{root}/{path}") == 403
    assert await status(f"{root}/{server.guard.token[:-1]}/{path}") == 403
    assert await status(f"{root}/{path}?token={server.guard.token}") == 403


async def test_with_the_token_there_is_a_page(server: PlayServer) -> None:
    assert await status(server.address) == 200
    assert await status(f"{server.address}page/app.js") == 200
    assert server.guard.token in server.address
    assert len(server.guard.token) >= 43, "256 bits"


async def test_each_start_has_a_token_of_its_own(settings: Settings) -> None:
    async with bare(settings) as one, bare(settings) as other:
        assert one.guard.token != other.guard.token


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}", "[::1]:{port}", ""]
)
async def test_a_foreign_name_that_leads_here_is_refused(server: PlayServer, host: str) -> None:
    assert await status(server.address, Host=host.format(port=server.guard.port)) == 403
    assert await status(server.address, Host=f"localhost:{server.guard.port}") == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "http://localhost:{port}", ""]
)
async def test_a_foreign_origin_is_refused(server: PlayServer, method: str, origin: str) -> None:
    address = f"{server.address}tab/one/photo"
    assert await status(address, method, Origin=origin.format(port=server.guard.port)) == 403
    assert await status(address, method, Origin=f"http://127.0.0.1:{server.guard.port}") in (404, 405, 422)


async def test_a_foreign_page_opens_no_socket(server: PlayServer) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.address}tab", origin="https://evil.example")
    assert refused.value.status == 403
    assert len(server.tabs) == 0


async def test_what_another_site_embeds_is_refused_and_a_link_is_not(server: PlayServer) -> None:
    for site in ("cross-site", "same-site"):
        assert await status(server.address, **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}) == 403
        assert await status(server.address, **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}) == 200
    assert await status(server.address, **{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}) == 200


WAYS_OUT = (
    "../guard.py", "..%2fguard.py", "%2e%2e/guard.py", "..%5cguard.py", "%2e%2e%2f%2e%2e%2f%2e%2e%2fpyproject.toml",
    "/etc/passwd", "%2fetc%2fpasswd", "app.js%00.html", "app.js/..", "index.html/../../guard.py", ".", "..",
    "%252e%252e%252fguard.py",
)  # fmt: skip


@pytest.mark.parametrize("name", WAYS_OUT)
async def test_no_path_leads_out_of_the_page(server: PlayServer, name: str) -> None:
    assert await status(f"{server.address}page/{name}") in (403, 404)


async def test_every_answer_forbids_what_is_foreign(server: PlayServer) -> None:
    addresses = [
        server.address,
        f"{server.address}page/style.css",
        f"{server.address}none",
        f"http://127.0.0.1:{server.guard.port}/",
    ]
    async with aiohttp.ClientSession() as session:
        for method in ("GET", "PUT"):
            for address in addresses:
                async with session.request(method, address) as answer:
                    policy = answer.headers["Content-Security-Policy"]
                    assert policy.startswith("default-src 'none'")
                    sources = {word for part in policy.split(";") for word in part.split()[1:]}
                    assert sources <= {"'none'", "'self'", "blob:", "'script'"}, "no foreign source, nothing inline"
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Cache-Control"] == "no-store"
                    assert "frame-ancestors 'none'" in policy
                    assert "Set-Cookie" not in answer.headers
                    assert not any(name.startswith("Access-Control-") for name in answer.headers), "nobody else may read it"


def test_the_page_names_no_foreign_address() -> None:
    for file in (files("core.play") / "page").iterdir():
        text = file.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"(?:https?:)?//\w+\.\w", text), file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\bstyle=|\bon\w+=", text), file.name


async def test_it_listens_on_the_loopback_address_alone(server: PlayServer) -> None:
    assert server._runner is not None
    assert [address[0] for address in server._runner.addresses] == ["127.0.0.1"]


async def test_the_token_is_in_no_log(
    server: PlayServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after requests that are refused, malformed or break the server either."""
    caplog.set_level(logging.DEBUG)
    token = server.guard.token

    def breaks(*_: Any) -> Held:
        raise RuntimeError(f"a mistake at {server.address}")

    monkeypatch.setattr(server._studio, "open", breaks)
    async with opened(server) as page:
        code, body = await page.ask("POST", "photo", data=b"x")
        assert (code, body["error"]) == (500, "InternalError")
        assert token not in body["sentence"]
    for raw in (f"GET /{token}/ HTTP/9.9\r\n\r\n", f"/{token}/\r\n\r\n", f"GET /{token}/ HTTP/1.1\r\nHost\x00: {token}\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.guard.port)
        writer.write(raw.encode())
        await reader.read()
        writer.close()
    await status(f"http://127.0.0.1:{server.guard.port}/{token}x/")
    assert "a mistake at" in caplog.text, "that it went wrong is logged"
    assert token not in caplog.text


async def test_a_file_over_the_limit_is_refused_before_it_has_come(settings: Settings) -> None:
    small = settings.model_copy(update={"max_bytes": 4000, "max_pixels": 1000})
    with pytest.raises(PhotoTooLarge) as told:
        load_photo(bytes(6000), small, own=True)

    async with bare(small) as server, opened(server) as page:
        assert await page.ask("POST", "photo", data=bytes(6000)) == (413, {"error": "FileTooLarge", "sentence": str(told.value)})
        head = f"POST {URL(page.address('photo')).raw_path} HTTP/1.1\r\nHost: 127.0.0.1:{server.guard.port}\r\n"
        assert b" 413 " in await begun(server, f"{head}Content-Length: {10**12}\r\n\r\n"), "not a byte of it was waited for"
        parts = [b"3e8\r\n" + bytes(1000) + b"\r\n"] * 6
        assert b" 413 " in await begun(server, f"{head}Transfer-Encoding: chunked\r\n\r\n", *parts), "nor for an end"


async def test_of_many_files_sent_at_once_few_are_held(settings: Settings) -> None:
    """Twelve of 200 MB took 3.5 GB, and for a page that was none."""
    async with bare(settings) as server, opened(server) as page:
        head = f"POST {URL(server.address).raw_path}tab/none/photo HTTP/1.1\r\nHost: 127.0.0.1:{server.guard.port}\r\n"
        assert b" 404 " in await begun(server, f"{head}Content-Length: 1000000\r\n\r\n"), "nothing of it was waited for"
        async with contextlib.AsyncExitStack() as others:
            for _ in range(MOST_FILES):
                await others.enter_async_context(server.reading)
            sent = asyncio.create_task(page.ask("POST", "photo", data=b"no photo"))
            await until(lambda: bool(server.reading._waiters))
            assert not sent.done()
        assert (await sent)[1]["error"] == "UnreadablePhoto"


async def begun(server: PlayServer, head: str, *parts: bytes) -> bytes:
    """The first line that answers a request that never ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.guard.port)
    writer.writelines([head.encode(), *parts])
    async with asyncio.timeout(60):  # whoever waits for the whole of it waits for ever
        line = await reader.readline()
    writer.close()
    return line


NEVER_SENT = (
    b"", b"{", b"[]", b'{"choices": 1}', b'{"face": 0, "x": 1}', b"\xff",
    *(b'{"choices": [{"face": %s, "strength": %s}]}' % one
      for one in ((b"-1", b"1"), (b"0", b"9"), (b"0", b"NaN"), (b"0", b"1e999"), (b"0", b'"most"'), (b"null", b"1"))),
)  # fmt: skip


@pytest.mark.parametrize("body", NEVER_SENT)
async def test_what_the_page_never_sends_is_refused(server: PlayServer, body: bytes) -> None:
    async with opened(server) as page:
        page.server.tabs.put(page.tab, Held.__new__(Held))
        for path in ("learn", "quick", "picture"):
            assert (await page.ask("POST", path, data=body))[0] == 400
        assert (await page.ask("POST", "quick", data=b" " * 100_000))[0] == 413


async def test_pages_are_bounded_and_each_is_forgotten_when_it_closes(server: PlayServer) -> None:
    pages = [opened(server) for _ in range(MOST_TABS)]
    first = [await one.__aenter__() for one in pages]
    assert len({one.tab for one in first}) == MOST_TABS
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.address}tab")
    assert refused.value.status == 503
    for one in pages:
        await one.__aexit__(None, None, None)
    await until(lambda: len(server.tabs) == 0)
