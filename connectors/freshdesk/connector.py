"""Freshdesk: contacts, and the tickets they opened.

https://developers.freshdesk.com/api/#contacts

A contact bears addresses, user id, numbers and name; a ticket is part of its requester's contact.
What it can never find is in `BEYOND`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from connectors.sdk.http import Ceilings, Http, UnauthorisedError, as_json, basic
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
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    RetryableError,
    Right,
    Subject,
    TerminalError,
)
from connectors.sdk.kinds import Reads, categories, tables
from connectors.sdk.pages import Row, row_of

from . import contact
from .catalogue import BEYOND, REASONS
from .kinds import CONTACT, CONTACTS, TICKET
from .look import LAST_CONTACT, Look

TRASH = timedelta(days=30)
"""After which Freshdesk empties its trash."""


class _LockedError(TerminalError):
    """The contact is blocked or deleted, or the ticket is spam or deleted."""


def _classify(status: int, _body: Any) -> Exception | None:
    return _LockedError("locked") if status == HTTPStatus.METHOD_NOT_ALLOWED else None


class Freshdesk(Connector):
    """One Freshdesk account."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`url` is `https://<account>.freshdesk.com`; `limits` are those of its plan.

        `settles_within` is how many seconds a hard delete may take, if it is known better.
        """

        url: str
        api_key: str = field(repr=False)
        limits: tuple[str, ...] = ()
        settles_within: int = 600

    capabilities = Capabilities(
        system="freshdesk",
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
        # Contacts first: to delete one for good is the only way to purge its tickets.
        kinds=categories((CONTACT, TICKET)),
        fields=tables((CONTACT, TICKET)),
        limits=(  # of the plan Enterprise
            Limit(calls=700, per=timedelta(minutes=1)),
            Limit(calls=200, per=timedelta(minutes=1), route="GET /api/v2/contacts"),
            Limit(calls=200, per=timedelta(minutes=1), route="GET /api/v2/tickets"),
        ),
        settles_within=timedelta(minutes=10),  # of a hard delete; Freshdesk does not say how long
        asked_by=frozenset({"email", "phone"}),
        beyond=BEYOND,
        facts=frozenset({LAST_CONTACT}),
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        key = basic(settings.api_key, "X")
        self._http = Http(settings.url, authorization=key, classify=_classify, ceilings=settings)
        asked_by = self.capabilities.asked_by
        kinds = (CONTACT, TICKET)
        self._reads = Reads(self._http, kinds, asked_by=asked_by, missing="not_fetched")

    async def check(self) -> None:
        """Reads a contact and a ticket, and that the key's owner sees the tickets of all groups."""
        me = await self._http.require("/api/v2/agents/me")
        if row_of(me.body, "GET /api/v2/agents/me").get("ticket_scope") != 1:
            raise TerminalError("GET /api/v2/agents/me: not all tickets", reason="forbidden")
        await self._reads.check()

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """E-mail addresses and strong phone numbers."""
        return tuple(it for it in super().usable(subject) if contact.can_ask(it))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Contacts in every state that bear one of the subject's identifiers; all their tickets."""
        look = Look(self._reads, Subject(self.usable(subject)), subject)
        async for page in look.locate(known):
            yield page
        yield Page(facts=tuple(look.facts()))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """A contact's row and picture; a ticket with its conversations, and what they attach."""
        async for record in self._reads.export(holding):
            yield record

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
        route = f"{CONTACTS}/{{id}}/hard_delete"
        await self._http.delete(route, {"force": "true"}, id=holding.id)
        return Erased()

    async def _trash(self, holding: Holding) -> Outcome:
        found = await self._reads.find(holding)
        if found and not found[1].get("deleted"):
            await self._http.delete(found[0], id=holding.id)
            found = await self._reads.find(holding)
        if found is None:
            return Erased()
        return Expires(_purged_at(found[1])) if found[1].get("deleted") else Failed("not_done")

    async def _blank(
        self, holding: Holding, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        found = await self._reads.find(holding)
        if found is None:
            return Erased()
        _, row = found
        due = (holding.categories | contact.FIELDS.of(row)) - keep
        blanks, said = contact.blanks(row, due, keep)
        if blanks and row.get("deleted"):  # restored for it, it would be live if that is all
            return NeedsHuman("restore")
        if blanks:
            await self._write(blanks, holding.id)
        return said

    async def _write(self, changes: Row, id_: str) -> None:
        await self._http.put(f"{CONTACTS}/{{id}}", as_json(changes), id=id_)


def _purged_at(row: Row) -> datetime:
    """When the trash is emptied of it: by the vendor's clock, so that asking twice agrees."""
    try:
        return datetime.fromisoformat(row["updated_at"]).astimezone(UTC) + TRASH
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RetryableError("Freshdesk: a ticket without a date") from None
