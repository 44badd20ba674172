"""What Freshdesk has of a person: where each kind is read, listed, and what belongs to it.

https://developers.freshdesk.com/api/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from connectors.sdk.fields import Fields
from connectors.sdk.interface import Category, RetryableError
from connectors.sdk.kinds import File, Kind, Listing, Part
from connectors.sdk.pages import Number

from . import contact
from .contact import Row

CONTACTS, TICKETS = "/api/v2/contacts", "/api/v2/tickets"
STATES: Final = ("verified", "unverified", "blocked", "deleted")
"""Of which a list of contacts leaves out the last two unless it is asked for each."""
FOLDERS: Final[tuple[dict[str, str], ...]] = ({}, {"filter": "spam"}, {"filter": "deleted"})
ALWAYS: Final = {"updated_since": "1970-01-01T00:00:00Z", "order_type": "asc"}
"""Without a date, tickets older than 30 days are left out."""
DATED: Final = {"include": "stats"}
"""When either side last wrote: it costs a list two more of the account's calls a minute."""
PAGES: Final = Number(size=100, size_parameter="per_page")
LAST_PAGE: Final = 300
"""Freshdesk lists tickets no further."""


def avatar(row: Row) -> Iterator[File]:
    """A contact's picture."""
    shown = row.get("avatar")
    if shown:
        yield _file("avatar", shown, "avatar_url")


def attachments(row: Row) -> Iterator[File]:
    """Of a ticket or a conversation. What is in somebody's cloud (`cloud_files`) is only linked."""
    shown = row.get("attachments") or []
    if not isinstance(shown, list):
        raise RetryableError("Freshdesk: attachments that are no list")
    for it in shown:
        yield _file("attachment", it, "attachment_url")


def _file(what: str, shown: Any, field: str) -> File:
    """Its address is good for some minutes, without credentials."""
    address = shown.get(field) if isinstance(shown, Mapping) else None
    if not isinstance(address, str) or not address:
        raise RetryableError(f"Freshdesk: no {field}")
    size = shown.get("size")
    return File(
        route=what,
        address=address,
        name=str(shown.get("name") or what),
        size=size if isinstance(size, int) else None,
    )


CONTACT: Final = Kind(
    name="contact",
    routes=(f"{CONTACTS}/{{id}}",),
    fields=contact.FIELDS,
    bears=contact.bears,
    lists=(
        Listing(
            route=CONTACTS,
            paging=PAGES,
            by={"email": "email", "phone": "phone", "mobile": "phone"},
            queries=tuple({"state": it} for it in STATES),
        ),
    ),
    listed="id",  # its rows lack further addresses, tags, devices and the picture
    files=avatar,
    data=contact.DATA,
    passing=frozenset({"avatar_url"}),
)
TICKET: Final = Kind(
    name="ticket",
    routes=(f"{TICKETS}/{{id}}", f"{TICKETS}/archived/{{id}}"),
    # One whole: what the person told us (profile), and that they did (usage).
    fields=Fields({}, always=frozenset({Category.PROFILE, Category.USAGE})),
    bears=contact.bears,
    owner=("contact", "requester_id"),
    lists=(
        Listing(
            route=TICKETS,
            paging=replace(PAGES, last=LAST_PAGE),
            of="contact",
            parameter="requester_id",
            queries=tuple(ALWAYS | DATED | it for it in FOLDERS),
        ),
    ),
    listed="part",
    parts={
        "conversations": Part(
            listing=Listing(route="conversations", paging=PAGES), files=attachments
        )
    },
    files=attachments,
    passing=frozenset({"attachment_url"}),
)
