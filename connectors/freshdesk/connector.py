"""Freshdesk: contacts, and the tickets they opened.

https://developers.freshdesk.com/api/#contacts

A contact bears addresses, user id, numbers and name; a ticket is part of its requester's contact.
What it can never find is in `BEYOND`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from connectors.sdk.http import Ceilings, Http, as_json, basic
from connectors.sdk.interface import (
    MARKETING,
    Capabilities,
    Category,
    Connector,
    Datum,
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
    Standing,
    Subject,
    Suppressed,
    TerminalError,
)
from connectors.sdk.kinds import Reads, categories, tables
from connectors.sdk.pages import Row, row_of

from . import contact
from .catalogue import BEYOND, REASONS
from .changes import Changes, LockedError, TakenError, answered
from .everybody import Everybody
from .kinds import CONTACT, CONTACTS, TICKET
from .look import LAST_CONTACT, Look

T = TypeVar("T")
TRASH = timedelta(days=30)
"""After which Freshdesk empties its trash."""


def _classify(status: int, body: Any) -> Exception | None:
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return LockedError("locked")
    errors = body.get("errors") if isinstance(body, dict) else None
    found = errors if isinstance(errors, list) else []
    codes = [it.get("code") for it in found if isinstance(it, dict)]
    return TakenError("taken") if "duplicate_value" in codes else None


class Freshdesk(Connector):
    """One Freshdesk account."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`url` is `https://<account>.freshdesk.com`; `limits` are those of its plan.

        `settles_within` is how many seconds a hard delete may take, if it is known better.
        `restricted_field` is a checkbox of contacts, ticked besides a tag if the account has it.
        """

        url: str
        api_key: str = field(repr=False)
        limits: tuple[str, ...] = ()
        settles_within: int = 600
        restricted_field: str = contact.FIELD

    capabilities = Capabilities(
        system="freshdesk",
        rights=frozenset(Right) - {Right.AUTOMATED_DECISION},
        # Contacts first: to delete one for good is the only way to purge its tickets.
        kinds=categories((CONTACT, TICKET)),
        fields=tables((CONTACT, TICKET)),
        limits=(  # of the plan Enterprise
            Limit(calls=700, per=timedelta(minutes=1)),
            Limit(calls=200, per=timedelta(minutes=1), route="GET /api/v2/contacts"),
            Limit(calls=200, per=timedelta(minutes=1), route="GET /api/v2/tickets"),
            Limit(calls=280, per=timedelta(minutes=1), route="PUT /api/v2/tickets/{id}"),
        ),
        settles_within=timedelta(minutes=10),  # of a hard delete; Freshdesk does not say how long
        asked_by=frozenset({"email", "phone"}),
        beyond=BEYOND,
        facts=frozenset({LAST_CONTACT}),
        lists_people=True,
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        key = basic(settings.api_key, "X")
        self._http = Http(settings.url, authorization=key, classify=_classify, ceilings=settings)
        asked_by = self.capabilities.asked_by
        self._fields = replace(contact.FIELDS, ticked=settings.restricted_field)
        kinds = (replace(CONTACT, fields=self._fields), TICKET)
        self._reads = Reads(self._http, kinds, asked_by=asked_by, missing="not_fetched")
        self._changes = Changes(self._http, self._reads, settings.restricted_field)

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
        if holding.kind == "ticket":
            if keep:
                return NotSupported("indivisible")
            return await answered(self._trash(holding), NeedsHuman("spam"))
        work = self._blank(holding, keep) if keep else self._purge(holding)
        return await answered(work, NeedsHuman("unblock"))

    async def standing(self, holding: Holding) -> Standing | None:
        """By its own tags; a contact's by the account's field too."""
        return await self._changes.standing(holding)

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """A tag, and where the account has a field for it, that of a contact."""
        locked = NeedsHuman("in_trash" if holding.kind == "ticket" else "unblock")
        return await answered(self._changes.restrict(holding, lift=lift), locked)

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """A contact's fields; what is written in a ticket stays as it was written."""
        if holding.kind == "ticket":
            return NotSupported("text_of_theirs")
        return await answered(self._changes.rectify(holding, data), NeedsHuman("unblock"))

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        """A tag on every contact of theirs; where there is none, nothing of theirs is used."""
        asked = Subject(self.usable(subject))
        if purpose != MARKETING or not asked.identifiers:
            return NotSupported("other_purpose" if asked.identifiers else "no_identifier")
        said = await answered(self._changes.stop(asked), NeedsHuman("unblock"))
        return said or Suppressed()

    async def objected(self, subject: Subject, purpose: str) -> bool:
        """Whether no contact of theirs that is in use is without the tag."""
        asked = Subject(self.usable(subject))
        is_asked = purpose == MARKETING and bool(asked.identifiers)
        return is_asked and await self._changes.is_stopped(asked)

    async def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Every contact, for tickets too: Freshdesk lists none that it has archived.

        With tickets, whoever else opened one, or is in copy.
        """
        async for page in Everybody(self._reads).pages(kinds, until):
            yield page

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
        due = (holding.categories | self._fields.of(row)) - keep
        blanks, said = contact.blanks(row, due, keep)
        if blanks and row.get("deleted"):  # restored for it, it would be live if that is all
            return NeedsHuman("restore")
        if blanks:
            await self._http.put(f"{CONTACTS}/{{id}}", as_json(blanks), id=holding.id)
        return said


def _purged_at(row: Row) -> datetime:
    """When the trash is emptied of it: by the vendor's clock, so that asking twice agrees."""
    try:
        return datetime.fromisoformat(row["updated_at"]).astimezone(UTC) + TRASH
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RetryableError("Freshdesk: a ticket without a date") from None
