"""Do they want no more of this mail? One click says so: no login, no cookie (RFC 8058).

Opening the page says nothing: mail scanners open links. A POST publishes `preference_received`, by
a person's button or by the mail program's own: the same event as any withdrawal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from connectors.sdk import wall_clock
from pipeline.crypto import one_click
from pipeline.intake.edge import Edge
from pipeline.policy.preferences import WITHDRAWN
from schemas.records import Preference

from .pages import Pages

LEVEL = 2
"""Whoever has the link got the mail."""
METHOD = "one_click"
WITHIN = 8.0
"""Seconds for the broker to answer."""
NAMED = UUID("5ab1ec75-0000-4000-8000-000000000004")
"""What the ids of records are derived under."""
MINUTE = timedelta(minutes=1)
log = structlog.get_logger()


class Unsubscription:
    """What the page says to the pipeline. `key` opens the tokens, `edge` is the intake's."""

    def __init__(
        self, key: bytes, edge: Edge, clock: Callable[[], datetime] = wall_clock.now
    ) -> None:
        self._key = key
        self._edge = edge
        self._clock = clock

    def find(self, token: str) -> tuple[str, str] | None:
        """The purpose and the address of a link."""
        return one_click.opened(self._key, token)

    async def say(self, token: str, purpose: str, email: str) -> UUID:
        """Publish that they withdraw; its id. Within a minute, said twice is said once.

        It counts as of the minute's end, or as of when the broker has it: never before a consent
        that they see themselves give.
        """
        now = self._clock()
        end = now.replace(second=0, microsecond=0) + MINUTE
        record = uuid5(NAMED, f"{token}/{end.isoformat()}")
        told = Preference(kind="email", value=email, method=METHOD)
        async with asyncio.timeout(WITHIN):
            await self._edge.preference(record, WITHDRAWN, purpose, told, level=LEVEL, at=end)
        return record


def router(unsubscription: Unsubscription, pages: Pages) -> APIRouter:
    """The page."""
    made = APIRouter()

    @made.api_route("/unsubscribe/{token}", methods=["GET", "HEAD", "POST"])
    async def unsubscribe(token: str, request: Request) -> Response:
        found = unsubscription.find(token)
        if found is None:
            return pages.gone()
        if request.method != "POST":
            return pages.ask_unsubscribe()
        record = await unsubscription.say(token, *found)
        log.info("preference.withdrawn", record=str(record))
        return pages.unsubscribed()

    return made
