"""Serve the pages: the role `web`, on an address of its own, in the loop of whoever runs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline import app
from pipeline.app import ONE_CLICK, WEB, Place, SetupError
from pipeline.crypto import one_click
from pipeline.intake.edge import Edge
from pipeline.kafka.producer import Publishes, producer
from pipeline.settings import Settings
from schemas.codec import Codec

from .confirm import Confirmation, application
from .guard import MAX_HEAD, Guard
from .pages import Pages
from .unsubscribe import Unsubscription

CONNECTION_LIVES = 15.0
"""Seconds. One request each: who sends slowly, or reads slowly, is cut off."""
CONNECTIONS = 200
"""At once; who comes then is told to come later."""
log = structlog.get_logger()


async def serve(settings: Settings, bootstrap: str) -> None:
    """Be the web role until cancelled. Raises `SetupError` and `KeyFileError`."""
    place, policy = Place(settings.data), app.policy_of(settings)
    for it in (f"console-{WEB}", f"intake-{ONE_CLICK}"):
        place.keys.require_signer(it)
    listener = _listener(settings.web_listen)
    with listener, _known(place, settings, listener) as url:
        pages = Pages(controller=policy.controller, contact=policy.dpo)
        async with app.register(settings, reading=True) as engine, producer(bootstrap) as out:
            codec = await app.codec(settings)
            edge = Edge(name=WEB, files=place.keys, codec=codec, producer=out)
            asked = application(Confirmation(engine, edge), _one_click(place, codec, out), pages)
            async with running(Guard(asked, pages=pages, url=url), listener):
                log.info("web.listening", address=url)
                await asyncio.Event().wait()


def _one_click(place: Place, codec: Codec, out: Publishes) -> Unsubscription:
    edge = Edge(name=ONE_CLICK, files=place.keys, codec=codec, producer=out)
    return Unsubscription(one_click.key_of(place.keys.signer(f"intake-{ONE_CLICK}")), edge)


@asynccontextmanager
async def running(application: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a socket meanwhile."""
    config = uvicorn.Config(
        application,
        http=_OneRequest,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # what goes wrong is said by the guard, without its values
        access_log=False,  # it has the tokens
        proxy_headers=False,
        server_header=False,
        headers=[("Connection", "close")],
        h11_max_incomplete_event_size=MAX_HEAD,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for the whole process: whoever runs it hears them."""
        yield


class _OneRequest(H11Protocol):
    """A connection that ends after a while, whatever its peer does: uvicorn itself waits."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ends = self.loop.call_later(CONNECTION_LIVES, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ends.cancel()
        super().connection_lost(exc)


def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=256)
    except (OSError, ValueError, OverflowError) as error:
        why = getattr(error, "strerror", "") or "it is not host:port"
        raise SetupError(
            f"HABEAS_WEB_LISTEN: nothing can listen at {address!r} ({why}); port 0 takes a free one"
        ) from None
    made.setblocking(False)  # noqa: FBT003  the standard library's own
    return made


@contextmanager
def _known(place: Place, settings: Settings, listener: socket.socket) -> Iterator[str]:
    """The address of the pages: as set, or where they are served, and the data folder knows it."""
    host, port = listener.getsockname()[:2]
    url = settings.web_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
    _refuse_plain(url)
    app.tell(place.pages, url)
    try:
        yield url
    finally:
        place.pages.unlink(missing_ok=True)


def _refuse_plain(url: str) -> None:
    """A link in a mail is a secret: it goes over no network in the clear."""
    named = urlsplit(url)
    host = named.hostname or ""
    if named.scheme == "https" and host:
        return
    if named.scheme == "http" and (host == "localhost" or _is_loopback(host)):
        return
    raise SetupError(
        f"HABEAS_WEB_URL: people reach the pages by https, not at {url!r}. Put a proxy that speaks"
        " TLS in front of HABEAS_WEB_LISTEN, and set HABEAS_WEB_URL to its address."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
