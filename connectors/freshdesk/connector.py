"""Freshdesk: contacts, and the tickets they opened.

https://developers.freshdesk.com/api/#contacts

Beyond its API: archived tickets that nobody knew of (they can be read by id, not listed), and
people who are only in copy on somebody else's ticket (there is no filter for it).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from connectors.sdk.http import Http, UnauthorisedError, as_json, basic
from connectors.sdk.interface import (
    Capabilities,
    Category,
    Connector,
    Erased,
    Expires,
    Failed,
    Holding,
    Limit,
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    Redacted,
    RetryableError,
    Right,
    Subject,
    TerminalError,
)

from . import contact
from .contact import Row

CONTACT, TICKET = "/api/v2/contacts/{id}", "/api/v2/tickets/{id}"
READ = {"contact": (CONTACT,), "ticket": (TICKET, "/api/v2/tickets/archived/{id}")}
STATES = ("verified", "unverified", "blocked", "deleted")
PASSES: tuple[dict[str, str], ...] = ({}, {"filter": "spam"}, {"filter": "deleted"})
ALWAYS = {"updated_since": "1970-01-01T00:00:00Z", "order_type": "asc"}
"""Without a date, tickets older than 30 days are left out."""
PER_PAGE, LAST_PAGE = 100, 300
"""Freshdesk lists no more and no further."""
TRASH = timedelta(days=30)
"""After which Freshdesk empties its trash."""

OF_TICKET = frozenset({Category.PROFILE, Category.USAGE})
"""A ticket is one whole: what the person told us (profile), and that they did (usage)."""
REASONS = {
    "anchored": "Freshdesk requires an e-mail, phone, handle or external id on a contact.",
    "fixed": "Freshdesk's API cannot blank a contact's picture or devices.",
    "forbidden": "The API key's owner may not change or delete this.",
    "indivisible": "A ticket can only be deleted as a whole.",
    "not_done": "Freshdesk said that the ticket was deleted, and still shows it.",
    "refused": "Freshdesk refused the request.",
    "restore": "A deleted contact can be changed only if somebody restores it first.",
    "spam": "Open Freshdesk's spam folder and delete the ticket there.",
    "unblock": "Unblock the contact in Freshdesk, then order the task again.",
}


class _LockedError(TerminalError):
    """The contact is blocked or deleted, or the ticket is spam or deleted."""


def _classify(status: int, _body: Any) -> Exception | None:
    return _LockedError("locked") if status == HTTPStatus.METHOD_NOT_ALLOWED else None


class Freshdesk(Connector):
    """One Freshdesk account."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        """`url` is `https://<account>.freshdesk.com`."""

        url: str
        api_key: str = field(repr=False)

    capabilities = Capabilities(
        system="freshdesk",
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
        kinds={  # contacts first: to delete one for good is the only way to purge its tickets
            "contact": frozenset(contact.CATEGORIES.values()),
            "ticket": OF_TICKET,
        },
        limits=(Limit(calls=700, per=timedelta(minutes=1)),),
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        key = basic(settings.api_key, "X")
        self._http = Http(settings.url, authorization=key, classify=_classify)

    async def check(self) -> None:
        """Reads a contact and a ticket, and that the key's owner sees the tickets of all groups."""
        me = await self._http.require("/api/v2/agents/me")
        if _row(me.body).get("ticket_scope") != 1:
            raise TerminalError("GET /api/v2/agents/me: not all tickets", reason="forbidden")
        for route in ("/api/v2/contacts", "/api/v2/tickets"):
            await self._http.require(route, {"per_page": "1"})

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Contacts in every state that bear one of the subject's identifiers; all their tickets."""
        seen, requesters = set(known), []
        for holding in known:
            found = await self._find(holding)
            yield _page(holding, found[1], subject) if found else Page(gone=(holding,))
            if found and holding.kind == "contact":
                requesters.append(holding.id)
        async for holding in self._listed(subject):
            # A list's rows are not whole: they lack further addresses, tags and devices.
            found = None if holding in seen else await self._find(holding)
            seen.add(holding)
            if found and contact.belongs_to(found[1], subject):
                requesters.append(holding.id)
                yield _page(holding, found[1], subject)
        for requester in requesters:
            async for tickets in self._tickets(requester):
                yield Page(holdings=tuple(it for it in tickets if it not in seen))
                seen.update(tickets)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """A contact's row; a ticket with its conversations, a page of them at a time."""
        found = await self._find(holding)
        if found is None:
            return
        route, row = found
        if holding.kind == "contact":
            yield _record(holding, row)
            return
        try:
            async for said in self._pages(f"{route}/conversations", {}, id=holding.id):
                yield _record(holding, {**row, "conversations": said})
                row = {"id": row["id"]}
        except TerminalError:
            now = await self._find(holding)
            if now is None:  # it vanished meanwhile, and took them along
                return
            if now[0] == route:
                raise
            raise RetryableError(f"GET {route}: moved meanwhile") from None

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """A contact goes at once and takes its tickets with it; a ticket goes into the trash."""
        keep &= self.capabilities.kinds.get(holding.kind, frozenset())
        try:
            if holding.kind == "ticket":
                return NotSupported("indivisible") if keep else await self._trash(holding)
            return await self._blank(holding, keep) if keep else await self._purge(holding)
        except UnauthorisedError:
            raise
        except _LockedError:
            return NeedsHuman("spam" if holding.kind == "ticket" else "unblock")
        except TerminalError as refused:
            return Failed(refused.reason)

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def _purge(self, holding: Holding) -> Outcome:
        await self._http.delete(f"{CONTACT}/hard_delete", {"force": "true"}, id=holding.id)
        return Erased()

    async def _trash(self, holding: Holding) -> Outcome:
        found = await self._find(holding)
        if found and not found[1].get("deleted"):
            await self._http.delete(found[0], id=holding.id)
            found = await self._find(holding)
        if found is None:
            return Erased()
        return Expires(_purged_at(found[1])) if found[1].get("deleted") else Failed("not_done")

    async def _blank(
        self, holding: Holding, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        found = await self._find(holding)
        if found is None:
            return Erased()
        blanks, stays = contact.blanks(found[1], keep)
        if blanks and found[1].get("deleted"):  # restored for it, it would be live if that is all
            return NeedsHuman("restore")
        if blanks:
            await self._write(blanks, holding.id)
        return {
            it: NotSupported(stays[it]) if it in stays else Redacted()
            for it in sorted((holding.categories or contact.categories(found[1])) - keep)
        }

    async def _write(self, changes: Row, id_: str) -> None:
        await self._http.put(CONTACT, as_json(changes), id=id_)

    async def _find(self, holding: Holding) -> tuple[str, Row] | None:
        """The holding, read by its own id, and the route that it was found on."""
        for route in READ[holding.kind]:
            answer = await self._http.get(route, id=holding.id)
            if answer is not None:
                return route, _row(answer.body)
        return None

    async def _listed(self, subject: Subject) -> AsyncIterator[Holding]:
        for name, value in contact.filters(subject):
            for state in STATES:
                async for rows in self._pages("/api/v2/contacts", {name: value, "state": state}):
                    for row in rows:
                        yield Holding("contact", str(row["id"]))

    async def _tickets(self, requester: str) -> AsyncIterator[list[Holding]]:
        for which in PASSES:
            query = {"requester_id": requester, **ALWAYS, **which}
            async for rows in self._pages("/api/v2/tickets", query):
                # Whether `filter` and `requester_id` narrow each other is not documented.
                own = [row for row in rows if str(row.get("requester_id")) == requester]
                yield [Holding("ticket", str(row["id"]), OF_TICKET) for row in own]

    async def _pages(
        self, route: str, query: Mapping[str, str], **parts: str
    ) -> AsyncIterator[list[Row]]:
        before: list[Row] = []
        for page in range(1, LAST_PAGE + 1):
            paging = {"page": str(page), "per_page": str(PER_PAGE)}
            answer = await self._http.require(route, {**query, **paging}, **parts)
            if not isinstance(answer.body, list):
                raise RetryableError(f"GET {route}: not a list")
            rows = [_row(it) for it in answer.body]
            if rows and rows == before:
                raise RetryableError(f"GET {route}: a page that comes again")
            yield rows
            before = rows
            if len(answer.body) < PER_PAGE and 'rel="next"' not in answer.headers.get("Link", ""):
                return
        raise TerminalError(f"GET {route}: more than {LAST_PAGE} pages")


def _row(body: Any) -> Row:
    if not isinstance(body, dict) or "id" not in body:
        raise RetryableError("Freshdesk: not an object")
    return body


def _page(holding: Holding, row: Row, subject: Subject) -> Page:
    if holding.kind == "ticket":
        return Page(holdings=(Holding("ticket", holding.id, OF_TICKET),))
    found = Holding("contact", holding.id, contact.categories(row))
    further = contact.identifiers(row, subject)
    return Page(holdings=(found,), identifiers=further, records=(_record(found, row),))


def _record(holding: Holding, body: Row) -> Record:
    return Record.of(holding, body)


def _purged_at(row: Row) -> datetime:
    """When the trash is emptied of it: by the vendor's clock, so that asking twice agrees."""
    try:
        return datetime.fromisoformat(row["updated_at"]).astimezone(UTC) + TRASH
    except (KeyError, TypeError, ValueError):
        raise RetryableError("Freshdesk: a ticket without a date") from None
