"""Mailgun: list members, suppressions, allowlists, and events with their messages.

https://documentation.mailgun.com/docs/mailgun/api-reference

Everything is per sending domain, and there is no lookup over all of them: each domain and each list
is asked for the address. Every entry bears the address that it is under; a member also what its
name and variables say. What it can never find is in `BEYOND`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

from connectors.sdk.fields import at
from connectors.sdk.http import Ceilings, Http, UnauthorisedError, as_form, basic
from connectors.sdk.interface import (
    Capabilities,
    Category,
    Connector,
    Erased,
    Expires,
    Failed,
    Holding,
    Identifier,
    Limit,
    Outcome,
    Page,
    Record,
    Right,
    Subject,
    TerminalError,
)
from connectors.sdk.pages import Link, Number, Row, first, pages, row_of
from connectors.sdk.registry import SettingsError, variable
from connectors.sdk.spelling import cleaned

from . import entry
from .catalogue import BEYOND, REASONS
from .entry import EVENTS, KINDS, OF_DOMAINS, TABLES
from .events import Events, following

DOMAINS, BY_ROWS = (
    "/v4/domains",
    Number(rows="items", key="name", parameter="skip", first=0, by_rows=True),
)
LISTS, BY_ADDRESS = "/v3/lists/pages", Link(rows="items", key="address", size=100, after=following)
MOST_DAYS = 30


class _NoDomainError(TerminalError):
    """There is no such domain, or none of this account."""


def _classify(status: int, body: Any) -> Exception | None:
    """A 404 is absence only where the vendor says that the address is not there."""
    said = str(body.get("message", "")) if isinstance(body, dict) else ""
    if status == HTTPStatus.NOT_FOUND and said.lower().startswith("domain"):
        return _NoDomainError("no such domain")
    return None


class Mailgun(Connector):
    """One Mailgun account in one region."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`url` is `https://api.mailgun.net`, or `https://api.eu.mailgun.net`.

        `retention_days` is how long the plan keeps events (30 at most).
        """

        url: str
        api_key: str = field(repr=False)
        retention_days: int = 30

    capabilities = Capabilities(
        system="mailgun",
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
        kinds=KINDS,
        fields={kind: it.fields for kind, it in TABLES.items()},
        limits=(Limit(calls=100, per=timedelta(seconds=1)),),  # ours: none is published for these
        beyond=BEYOND,
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        if not 0 < settings.retention_days <= MOST_DAYS:
            raise SettingsError(f"{variable('mailgun', 'retention_days')} is not 1 to {MOST_DAYS}")
        key = basic("api", settings.api_key)
        self._http = Http(settings.url, authorization=key, classify=_classify, ceilings=settings)
        self._events = Events(self._http)
        self._keeps = timedelta(days=settings.retention_days)

    async def check(self) -> None:
        """Reads a list, and of the first domain one of each table and an event."""
        await first(self._http, LISTS, BY_ADDRESS)
        async for domain in self._domains():
            for table in OF_DOMAINS.values():
                by = replace(BY_ADDRESS, key=table.address)
                await first(self._http, table.route.removesuffix("/{address}"), by, of=domain)
            await self._events.check(domain)
            return

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """E-mail addresses, if a mailbox can be called so."""
        return tuple(it for it in super().usable(subject) if entry.is_address(cleaned(it.value)))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """What every list and every domain has under an address, in every spelling of it."""
        seen = set(known)
        for holding in known:
            row = await self._again(holding)
            if row is None:
                yield Page(gone=(holding,))
            else:
                seen.add(_found(holding, row))
                yield _page(replace(_found(holding, row), kind=holding.kind, id=holding.id), row)
        asked = Subject(self.usable(subject)).forms("email")
        addresses = sorted(it for it in asked if entry.is_address(it))
        if not addresses:
            return
        places = [("member", it) async for it in self._lists()]
        async for domain in self._domains():
            places += [(kind, domain) for kind in (*OF_DOMAINS, EVENTS)]
        for kind, of in places:
            for address in addresses:
                asked_for = _holding(kind, of, address)
                row = await self._read(asked_for)
                # Mailgun may fold case: one thing that is found under two spellings is one.
                if row is not None and (found := _found(asked_for, row)) not in seen:
                    seen.add(found)
                    yield _page(found, row)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """Events, a page of them at a time, and their messages; all else came whole."""
        of, address = _parts(holding)
        if holding.kind == EVENTS:
            async for record in self._events.records(of, address, holding):
                yield record
            return
        row = await self._read(holding)
        if row is not None:
            yield Record.of(holding, row)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """An entry goes by its address, never a collection; events expire with the last of them."""
        of, address = _parts(holding)
        keep &= KINDS.get(holding.kind, frozenset())
        try:
            row = await self._again(holding)
            if row is None:
                return Erased()
            if holding.kind == EVENTS:
                last = await self._events.last(of, address, self._keeps)
                return Expires(last) if last else Erased()
            if keep:
                return await self._blank(holding, row, keep)
            await self._http.delete(TABLES[holding.kind].route, of=of, address=address)
            return Erased()
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def _blank(
        self, holding: Holding, row: Row, keep: frozenset[Category]
    ) -> Mapping[Category, Outcome]:
        table, (of, address) = TABLES[holding.kind], _parts(holding)
        blanks = table.fields.blanks(row, keep) if table.can_blank else {}
        if blanks:
            await self._http.put(table.route, as_form(blanks), of=of, address=address)
        return table.fields.outcomes(row, (holding.categories or KINDS[holding.kind]) - keep)

    async def _again(self, holding: Holding) -> Row | None:
        """What was found once; None if it is gone, or its whole domain."""
        try:
            return await self._read(holding)
        except _NoDomainError:
            of, _ = _parts(holding)
            if of in [it async for it in self._domains()]:
                raise
            return None

    async def _read(self, holding: Holding) -> Row | None:
        """An entry, by its own id, or of events the newest; None if there is none."""
        of, address = _parts(holding)
        if holding.kind == EVENTS:
            return await self._events.newest(of, address)
        table = TABLES[holding.kind]
        answer = await self._http.get(table.route, of=of, address=address)
        if answer is None:
            return None
        body = at(answer.body, table.inside) if table.inside else answer.body
        row = row_of(body, f"GET {table.route}", table.address)
        return row if entry.same(row[table.address], address) else None

    async def _domains(self) -> AsyncIterator[str]:
        async for rows in pages(self._http, DOMAINS, BY_ROWS, {"limit": "1000"}):
            for it in rows:
                yield str(it["name"])

    async def _lists(self) -> AsyncIterator[str]:
        async for rows in pages(self._http, LISTS, BY_ADDRESS):
            for it in rows:
                yield str(it["address"])


def _holding(kind: str, of: str, address: str) -> Holding:
    """`of` is the list's address, or the sending domain."""
    return Holding(kind, f"{quote(of, safe='@', errors='surrogatepass')}/{address}")


def _parts(holding: Holding) -> tuple[str, str]:
    quoted, _, address = holding.id.partition("/")
    of = unquote(quoted, errors="surrogatepass")
    # An empty one would name the whole collection.
    if holding.kind not in KINDS or not of or not entry.is_address(address):
        raise TerminalError("not the id of a holding")
    return of, address


def _found(asked: Holding, row: Row) -> Holding:
    """A holding by what its row says, as that spells the address, if anybody can ask so."""
    of, address = _parts(asked)
    field_ = TABLES[asked.kind].address if asked.kind in TABLES else "recipient"
    spelt, kind = cleaned(str(row[field_])), entry.kind_of(asked.kind, row)
    handle = _holding(kind, of, spelt if entry.is_address(spelt) else address)
    return replace(handle, categories=entry.categories(kind, row), bears=entry.bears(row))


def _page(found: Holding, row: Row) -> Page:
    """Events are exported, all else is whole in its row."""
    return Page(holdings=(found,), records=() if found.kind == EVENTS else (Record.of(found, row),))
