"""Where Mailgun keeps what it has under an address: in its domains, and on its lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

from connectors.sdk.fields import at
from connectors.sdk.http import Http
from connectors.sdk.interface import Holding, TerminalError
from connectors.sdk.pages import Link, Number, Row, first, pages, row_of

from . import entry
from .entry import EVENTS, KINDS, OF_DOMAINS, TABLES
from .events import Events, following

DOMAINS, BY_ROWS = (
    "/v4/domains",
    Number(rows="items", key="name", parameter="skip", first=0, by_rows=True),
)
LISTS, BY_ADDRESS = "/v3/lists/pages", Link(rows="items", key="address", size=100, after=following)


class NoDomainError(TerminalError):
    """There is no such domain, or none of this account."""


class TakenError(TerminalError):
    """The list has a member under the new address."""


def classify(status: int, body: Any) -> Exception | None:
    """A 404 is absence only where the vendor says that the address is not there."""
    said = str(body.get("message", "")).lower() if isinstance(body, dict) else ""
    if status == HTTPStatus.NOT_FOUND and said.startswith("domain"):
        return NoDomainError("no such domain")
    if status == HTTPStatus.BAD_REQUEST and said.startswith("address already exists"):
        return TakenError("taken")
    return None


class Places:
    """Of one account, each read by itself."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.events = Events(http)

    async def check(self) -> None:
        """Read a list, and of the first domain one of each table and an event."""
        await first(self.http, LISTS, BY_ADDRESS)
        async for domain in self.domains():
            for table in OF_DOMAINS.values():
                by = replace(BY_ADDRESS, key=table.address)
                await first(self.http, table.route.removesuffix("/{address}"), by, of=domain)
            await self.events.check(domain)
            return

    async def again(self, holding: Holding) -> Row | None:
        """What was found once; None if it is gone, or its whole domain."""
        try:
            return await self.read(holding)
        except NoDomainError:
            of, _ = parts(holding)
            if of in [it async for it in self.domains()]:
                raise
            return None

    async def read(self, holding: Holding) -> Row | None:
        """An entry, by its own id, or of events the newest; None if there is none."""
        of, address = parts(holding)
        if holding.kind == EVENTS:
            return await self.events.newest(of, address)
        table = TABLES[holding.kind]
        answer = await self.http.get(table.route, of=of, address=address)
        if answer is None:
            return None
        body = at(answer.body, table.inside) if table.inside else answer.body
        row = row_of(body, f"GET {table.route}", table.address)
        return row if entry.same(row[table.address], address) else None

    async def domains(self) -> AsyncIterator[str]:
        """All that send, the lists' too."""
        async for rows in pages(self.http, DOMAINS, BY_ROWS, {"limit": "1000"}):
            for it in rows:
                yield str(it["name"])

    async def lists(self) -> AsyncIterator[str]:
        """By their addresses."""
        async for rows in pages(self.http, LISTS, BY_ADDRESS):
            for it in rows:
                yield str(it["address"])


def holding_of(kind: str, of: str, address: str) -> Holding:
    """`of` is the list's address, or the sending domain."""
    return Holding(kind, f"{quote(of, safe='@', errors='surrogatepass')}/{address}")


def parts(holding: Holding) -> tuple[str, str]:
    """The list's address, or the domain, and the address that a holding is under."""
    quoted, _, address = holding.id.partition("/")
    of = unquote(quoted, errors="surrogatepass")
    # An empty one would name the whole collection.
    if holding.kind not in KINDS or not of or not entry.is_address(address):
        raise TerminalError("not the id of a holding")
    return of, address


def moved(holding: Holding, address: str) -> Holding:
    """The same under another address; itself, where that is none."""
    of, _ = parts(holding)
    return replace(holding, id=holding_of("", of, address).id) if entry.is_one(address) else holding
