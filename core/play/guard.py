"""Decides which requests are answered: those of the page that was opened with the token, and no others.
- The token is the first part of every path. It is never logged, and no Referer carries it (Referrer-Policy).
- Host must be this server's own address: another name that leads to 127.0.0.1 (DNS rebinding) is refused.
- Origin, if a browser sends one, must be this server, and Sec-Fetch-Site, which tells where a request comes from, too.
Only following a link to the page is allowed from elsewhere, and still needs the token.
- An answer may load nothing from elsewhere, and nobody may frame it or read it (CSP and related headers).
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from core.errors import EgaoError, InternalError, PhotoTooLarge
from core.play.refusal import Refusal, no_such_page, not_the_page
from core.play.words import language_of, said_of

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
}


class Guard:
    """Checks that requests come from the page: by a secret token in their address, and by their headers."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self.port = 0  # known once the server listens

    @property
    def hosts(self) -> tuple[str, ...]:
        """The values that the header Host may have."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def check(self, request: web.Request) -> None:
        """Check that a request comes from the page. Raises Refusal."""
        first = request.raw_path.split("?")[0].removeprefix("/").split("/")[0]
        host, headers = request.headers.get("Host", ""), request.headers
        led = headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
        if not (
            secrets.compare_digest(first.encode(), self.token.encode())
            and host in self.hosts
            and all(origin == f"http://{host}" for origin in headers.getall("Origin", ()))
            and (led or headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none"))
        ):
            raise not_the_page()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check a request and answer it; any error becomes an answer with one sentence."""
        try:
            self.check(request)
            return await handler(request)
        except Refusal as refusal:
            return told(refusal.status, refusal.code, said_of(refusal, language_of(request)))
        except EgaoError as error:
            return told(status_of(error), error.code, said_of(error, language_of(request)))
        except web.HTTPException as error:  # no such route, or not by this method
            nothing = no_such_page()
            return told(
                error.status if error.status in (405, 413) else nothing.status,
                nothing.code,
                said_of(nothing, language_of(request)),
            )
        except Exception as error:
            log.error("%s", "".join(traceback.format_exception(error)).replace(self.token, "[token]"))
            return told(500, "InternalError", said_of(InternalError(), language_of(request)))

    @staticmethod
    async def mark(_: web.Request, response: web.StreamResponse) -> None:
        """Add the headers to every answer."""
        response.headers.update(HEADERS)
        response.headers.popall("Server", None)


def status_of(error: EgaoError) -> int:
    """Choose the HTTP status for an error of core."""
    return 413 if isinstance(error, PhotoTooLarge) else 500 if isinstance(error, InternalError) else 422


def told(status: int, code: str, sentence: str) -> web.Response:
    """Answer with an error's code and its sentence, as JSON."""
    return web.json_response({"error": code, "sentence": sentence}, status=status)
