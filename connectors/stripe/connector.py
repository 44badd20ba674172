"""Stripe: customers and guests, with payment methods, subscriptions, invoices and charges.

https://docs.stripe.com/api

Charges, invoices, sessions and ended subscriptions cannot be deleted; Stripe's redaction jobs are a
preview and not used. A charge is a transaction as a whole: its receipt's address, shipping and
description are not blanked by themselves. The languages that a customer prefers are exported, and
of no category. What is never found is in `BEYOND`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.download import filed
from connectors.sdk.http import Ceilings, UnauthorisedError
from connectors.sdk.interface import (
    MARKETING,
    NOT_OFFERED,
    Capabilities,
    Category,
    Connector,
    Credentials,
    Datum,
    Erased,
    Failed,
    Holding,
    Identifier,
    Limit,
    NotFoundError,
    NotSupported,
    Outcome,
    Page,
    Record,
    Restricted,
    Right,
    Standing,
    Subject,
    Suppressed,
    TerminalError,
)
from connectors.sdk.pages import Row

from .catalogue import BEYOND, REASONS
from .client import Client
from .details import Details, says
from .erasing import Erasing
from .everybody import Everybody
from .facts import NAMES
from .finder import Finder
from .kinds import FIELDS, INSIDE, KINDS, OBJECTED, RESTRICTED, ROUTES, fields_of, has_its_lists
from .marks import GONE, Marks, is_marked

PDF: Final = "application/pdf"


class Stripe(Connector):
    """One Stripe account."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`user_id_key` is the key in a customer's metadata that holds our own user id.

        `search` is false where Stripe offers no search (merchants in India): then nobody is found
        by a user id, nor by an address in upper case unless it was given so.
        """

        api_key: str = field(repr=False)
        url: str = "https://api.stripe.com"
        user_id_key: str = "user_id"
        search: bool = True
        limits: tuple[str, ...] = ()

    capabilities = Capabilities(
        system="stripe",
        rights=frozenset(
            {
                *(Right.ACCESS, Right.PORTABILITY, Right.ERASURE),
                *(Right.RECTIFICATION, Right.RESTRICTION, Right.OBJECTION),
            }
        ),
        kinds=KINDS,
        fields=FIELDS,
        limits=(
            Limit(calls=100, per=timedelta(seconds=1)),
            Limit(calls=25, per=timedelta(seconds=1), route="*"),
            Limit(calls=20, per=timedelta(seconds=1), route="GET /v1/customers/search"),
        ),
        asked_by=frozenset({"email", "user_id"}),
        beyond=BEYOND,
        facts=NAMES,
        lists_people=True,
        credentials=Credentials(live=("sk_live_", "rk_live_"), test=("sk_test_", "rk_test_")),
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings.url, settings.api_key, settings)
        self._user_id_key = settings.user_id_key
        self._finder = Finder(self._client, settings.user_id_key, has_search=settings.search)
        self._erasing = Erasing(self._client, self._finder, settings.user_id_key)
        self._marks = Marks(self._client)
        self._details = Details(self._client)

    async def check(self) -> None:
        """Reads one of every list, and searches."""
        await self._finder.check()

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Customers by address and user id, what each has, and what guests bought."""
        search = self._finder.search(subject)
        for it in known:
            row = await self._row(it)
            if row is None:
                yield Page(gone=(it,))
            else:
                checkout = await self._finder.checkout_of(it.kind, row)
                yield search.page(it.kind, [row], checkout, is_known=True)
        async for rows in self._finder.customers(search):
            yield search.page("customer", rows)
        for customer in search.customers:
            async for kind, held in self._finder.of_customer(search, customer):
                yield search.page(kind, held)
        for email in search.spellings():
            async for kind, bought, checkout in self._finder.of_guest(search, email):
                yield search.page(kind, bought, checkout)
        for charge in search.facts.marked():
            search.facts.dispute(is_open=await self._finder.is_in_dispute(charge.id))
        yield Page(facts=search.facts.told())

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """Addresses; user ids where Stripe's search is to be had."""
        return self._finder.usable(subject)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """The object, with all of the lists inside it; the paper of an invoice."""
        row = await self._row(holding)
        if row is None:
            return
        if not has_its_lists(holding.kind, row):
            try:
                row = {**row, **await self._lists(holding, row)}
            except NotFoundError:
                if await self._row(holding) is None:  # it vanished meanwhile, and took them along
                    return
                raise
        yield Record.of(holding, row)
        paper = row.get("invoice_pdf") if holding.kind == "invoice" else None
        if paper:
            opening = self._client.file("invoice_pdf", str(paper))
            name = f"{row.get('number') or holding.id}.pdf"
            async for record in filed(
                opening, holding, name=name, content_type=PDF, missing="not_fetched"
            ):
                yield record

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """Blanks what can be blanked, detaches payment methods, and deletes whole customers."""
        try:
            row = await self._row(holding)
            if row is None:
                return Erased()
            keep &= KINDS[holding.kind]
            there = fields_of(holding.kind, self._user_id_key).of(row)
            due = (holding.categories | there) - keep
            return await self._erasing.erase(holding.kind, row, due, keep)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

    async def standing(self, holding: Holding) -> Standing | None:
        """By its own mark. What is part of a customer is marked by itself."""
        row = await self._row(holding)
        if row is None:
            return None
        data = says(holding.kind, row)
        return Standing(restricted=is_marked(row, RESTRICTED), data=data)

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """A mark in its metadata."""
        row = await self._row(holding)
        if row is None:
            return GONE
        kind, is_set = holding.kind, not lift
        return await self._marks.write(kind, row, RESTRICTED, is_set=is_set, done=Restricted())

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """Changes a customer and a payment method; all else is what it was made as."""
        row = await self._row(holding)
        if row is None:
            return GONE
        return await self._details.write(holding.kind, row, data)

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        """Notes it with every customer who bears what was asked for: Stripe sends no marketing."""
        if purpose != MARKETING or not self.usable(subject):
            return NotSupported(NOT_OFFERED)
        told = [
            await self._marks.write("customer", row, OBJECTED, is_set=True, done=Suppressed())
            async for row in self._finder.everyone(subject)
        ]
        return next((it for it in told if it != Suppressed()), Suppressed())

    async def objected(self, subject: Subject, purpose: str) -> bool:
        """Whether all of them bear the note; where there is none, nothing is used."""
        if purpose != MARKETING or not self.usable(subject):
            return await super().objected(subject, purpose)
        noted = [is_marked(row, OBJECTED) async for row in self._finder.everyone(subject)]
        return all(noted)

    async def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Every list of the account; payment methods customer by customer, as Stripe lists them."""
        everybody = Everybody(self._client, self._finder, self._user_id_key)
        async for page in everybody.pages(kinds, until):
            yield page

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    # Finding.

    async def _row(self, it: Holding) -> Row | None:
        """The object, read by its own id; None if it is gone."""
        if it.kind not in ROUTES:
            raise TerminalError("not the id of a holding")
        return await self._finder.row(it.kind, it.id)

    async def _lists(self, it: Holding, row: Row) -> dict[str, Row]:
        """Each list inside that an object does not show to its end. Absent is not empty."""
        found: dict[str, Row] = {}
        for name, route in INSIDE[it.kind].items():
            shown = row.get(name)
            if isinstance(shown, dict) and shown.get("has_more") is False:
                continue
            inside = {"id": it.id} if "{id}" in route else {}
            query = {} if inside else {it.kind: it.id}
            pages = self._client.pages(route, query, None, **inside)
            found[name] = {"data": [one async for rows in pages for one in rows]}
        return found
