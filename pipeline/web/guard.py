"""What does every request meet, and every answer bear? Limits, one origin, headers, a line in the
log without anything of the person: neither address, nor peer, nor token.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.faults import broke

from .pages import POLICY, Pages
from .peers import Peers

MAX_HEAD = 8 * 1024
"""Bytes of a request's address and headers."""
MAX_BODY = 1024
"""Bytes. A form with a button and no field sends none; nobody here reads any."""
WITHIN = 10.0
"""Seconds that one request may take."""
SAME = frozenset({"same-origin", "none"})
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address of a page is its secret
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
}
SECURE = {"Strict-Transport-Security": "max-age=63072000"}
"""Where people come by https (RFC 6797)."""
log = structlog.get_logger()


class Guard:
    """Stands around an application. `url` is the address that people reach it at."""

    def __init__(self, app: ASGIApp, *, pages: Pages, url: str, peers: Peers | None = None) -> None:
        self._app = app
        self._pages = pages
        self._host = urlsplit(url).netloc
        self._headers = HEADERS | (SECURE if url.startswith("https:") else {})
        self._peers = Peers() if peers is None else peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began, answered = time.monotonic(), 0

        async def bearing(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        try:
            async with asyncio.timeout(WITHIN):
                await (self._refusal(scope) or self._app)(scope, receive, bearing)
        except Exception as error:  # noqa: BLE001  a mistake of ours: say so, without its values
            log.error("web.broke", error=type(error).__name__, at=broke.at(error))  # noqa: TRY400
            if not answered:
                await self._pages.later()(scope, receive, bearing)
        log.info(
            "web.answered",
            route=getattr(scope.get("route"), "path", ""),
            method=scope["method"] if scope["method"] in {"GET", "HEAD", "POST"} else "other",
            status=answered,
            seconds=round(time.monotonic() - began, 3),
        )

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._peers.may_ask((scope.get("client") or ("",))[0]):
            return self._pages.later(429)
        address = len(scope["raw_path"]) + len(scope["query_string"])
        if address + sum(len(name) + len(value) for name, value in headers.raw) > MAX_HEAD:
            return self._pages.refused(431)
        if int(headers.get("content-length", "0")) > MAX_BODY:  # the server saw that it is digits
            return self._pages.refused(413)
        if scope["method"] == "POST" and not self._is_ours(headers):
            return self._pages.elsewhere()
        return None

    def _is_ours(self, headers: Headers) -> bool:
        """Whether our own page sends this, as far as a browser says (Fetch Metadata; RFC 6454).

        An older browser that says nothing of the site names no origin from a page that sends no
        referrer: it writes `null`. Whoever knows the token needs no browser; this only keeps
        other people's pages from pressing a button for somebody.
        """
        if site := headers.get("sec-fetch-site"):
            return site in SAME
        origin = headers.get("origin", "null")
        return origin == "null" or urlsplit(origin).netloc in {self._host, headers.get("host")}
