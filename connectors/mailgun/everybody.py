"""Everybody whom a Mailgun account holds: on its lists, in its tables and in its events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from connectors.sdk.interface import Holding, Subject
from connectors.sdk.pages import Row, pages
from connectors.sdk.people import People, is_until
from connectors.sdk.spelling import cleaned

from . import entry
from .entry import EVENTS, MEMBERS, OF_DOMAINS, OPTED_OUT, TABLES
from .places import BY_ADDRESS, Places, holding_of

MEMBERS_OF: Final = "/v3/lists/{of}/members/pages"
MADE: Final = ("created_at", "createdAt", "timestamp")
"""When an entry was made, or an event was; a member does not say."""


class Everybody:
    """Of one account, in one go."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._people = People("mailgun")

    async def pages(
        self, kinds: frozenset[str], until: datetime | None
    ) -> AsyncIterator[Sequence[Subject]]:
        """See `Connector.people`."""
        asked = kinds or frozenset({*TABLES, EVENTS})
        if asked & {"member", OPTED_OUT}:
            by = replace(BY_ADDRESS, key=MEMBERS.address)
            async for of in self._places.lists():
                async for rows in pages(self._places.http, MEMBERS_OF, by, of=of):
                    held = [_held("member", of, row) for row in rows]
                    yield await self._people.of(it for it in held if it.kind in asked)
        tables = {kind: it for kind, it in OF_DOMAINS.items() if kind in asked}
        async for of in self._places.domains():
            for kind, table in tables.items():
                route = table.route.removesuffix("/{address}")
                by = replace(BY_ADDRESS, key=table.address)
                async for rows in pages(self._places.http, route, by, of=of):
                    yield await self._of(kind, of, rows, until)
            if EVENTS in asked:
                async for rows in self._places.events.everybodys(of):
                    yield await self._of(EVENTS, of, rows, until)

    async def _of(
        self, kind: str, of: str, rows: Iterable[Row], until: datetime | None
    ) -> tuple[Subject, ...]:
        """An entry for a whole domain, and an event of no message, are nobody's."""
        there = [row for row in rows if is_until(_made(row), until)]
        held = (_held(kind, of, row) for row in there if _address(kind, row))
        return await self._people.of(held)


def _held(kind: str, of: str, row: Row) -> Holding:
    handle = holding_of(entry.kind_of(kind, row), of, _address(kind, row))
    return replace(handle, bears=entry.bears(row))


def _address(kind: str, row: Row) -> str:
    """What it lies under; empty if that is no address."""
    field = TABLES[kind].address if kind in TABLES else "recipient"
    address = cleaned(str(row.get(field) or ""))
    return address if entry.is_address(address) else ""


def _made(row: Row) -> object:
    """When it was made; None if it does not say."""
    return next((row[it] for it in MADE if row.get(it)), None)
