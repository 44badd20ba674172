"""Is this address theirs? A page with one button, behind a link that only that address was sent.

Opening it proves nothing: mail scanners open links. The button publishes `identity_proved`, signed
by the console `web`, for the address that the link was sent to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException

from connectors.sdk import wall_clock
from pipeline.app import WEB
from pipeline.case.identifiers import LINK
from pipeline.intake.edge import Edge
from pipeline.keys.key_folder import KeyFileError
from pipeline.register import links
from pipeline.register.links import Link
from schemas.events import IdentityProved

from .acknowledge import acknowledged, router
from .pages import Pages
from .unsubscribe import Unsubscription
from .unsubscribe import router as unsubscribe

LEVEL = 2
WITHIN = 8.0
"""Seconds for the register or the broker to answer."""
GONE = 404
AWAY = (KafkaError, KeyFileError, OSError, SQLAlchemyError)
"""What keeps us from answering now, and passes."""
log = structlog.get_logger()


class Confirmation:
    """What the page asks of the register, and says to the pipeline."""

    def __init__(
        self,
        engine: AsyncEngine,
        edge: Edge,
        clock: Callable[[], datetime] = wall_clock.now,
    ) -> None:
        self._engine = engine
        self._edge = edge
        self._clock = clock

    async def find(self, token: str) -> Link | None:
        """What the link is for, while it is of use."""
        async with asyncio.timeout(WITHIN), self._engine.connect() as connection:
            return await links.find(connection, token, self._clock())

    async def prove(self, link: Link) -> None:
        """Publish the proof; returns once the broker has it. Said twice, it counts once."""
        proved = IdentityProved(case=link.case, by=WEB, level=LEVEL, method=LINK, tag=link.tag)
        async with asyncio.timeout(WITHIN):
            await self._edge.decision(proved, login=LINK)

    async def acknowledge(self, link: Link) -> None:
        """Publish that a recipient has what we sent; as `prove`."""
        async with asyncio.timeout(WITHIN):
            await self._edge.decision(acknowledged(link, self._clock()), login=LINK)


def application(
    confirmation: Confirmation, unsubscription: Unsubscription, pages: Pages
) -> FastAPI:
    """The pages, and `/healthz`: 200 while the register answers."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.include_router(router(confirmation.find, confirmation.acknowledge, pages))
    app.include_router(unsubscribe(unsubscription, pages))

    @app.api_route("/confirm/{token}", methods=["GET", "HEAD", "POST"])
    async def confirm(token: str, request: Request) -> Response:
        link = await confirmation.find(token)
        if link is None or link.recipient:
            return pages.gone()
        if request.method != "POST":
            return pages.ask(link.expires_at)
        await confirmation.prove(link)
        log.info("address.confirmed", case=str(link.case))
        return pages.confirmed()

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> Response:
        await confirmation.find("")
        return PlainTextResponse("ok\n")

    async def away(_: Request, error: Exception) -> Response:
        log.warning("web.away", error=type(error).__name__)
        return pages.later()

    async def not_here(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else GONE
        page = pages.gone() if status == GONE else pages.refused(status)
        page.headers.update(getattr(error, "headers", None) or {})  # which methods there are
        return page

    for it in AWAY:
        app.add_exception_handler(it, away)
    app.add_exception_handler(HTTPException, not_here)
    return app
