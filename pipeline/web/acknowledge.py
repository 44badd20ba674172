"""Did a recipient get our instruction? A page with one button, behind a link that only they have.

Opening it says nothing. The button publishes `recipient_acknowledged`, signed by the console `web`:
that the message has arrived, and nothing of what they do then. A program may press it too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.app import WEB
from pipeline.case.recipients import RECEIVED
from pipeline.register.links import Link
from schemas.events import RecipientAcknowledged

from .pages import Pages

log = structlog.get_logger()


def acknowledged(link: Link, at: datetime) -> RecipientAcknowledged:
    """What the button says of a recipient's link."""
    return RecipientAcknowledged(
        case=link.case,
        by=WEB,
        recipient=link.recipient,
        right=link.right,
        at=at,
        says=RECEIVED,
    )


def router(
    find: Callable[[str], Awaitable[Link | None]],
    say: Callable[[Link], Awaitable[None]],
    pages: Pages,
) -> APIRouter:
    """The page. `find` tells what a token is for; `say` returns once the broker has the word."""
    made = APIRouter()

    @made.api_route("/acknowledge/{token}", methods=["GET", "HEAD", "POST"])
    async def acknowledge(token: str, request: Request) -> Response:
        link = await find(token)
        if link is None or not link.recipient:
            return pages.gone()
        if request.method != "POST":
            return pages.ask_recipient(link.expires_at)
        await say(link)
        log.info("recipient.acknowledged", case=str(link.case), recipient=link.recipient)
        return pages.acknowledged()

    return made
