"""Stripe: customers and guests, with payment methods, subscriptions, invoices and charges.

https://docs.stripe.com/api

Charges, invoices, sessions and ended subscriptions cannot be deleted; Stripe's redaction jobs are a
preview and not used. A charge is a transaction as a whole: its receipt's address, shipping and
description are not blanked by themselves. Beyond what is found: payment and set-up intents without
a charge, charges of guests without a checkout, tax ids, legacy sources, credit notes, invoice
items, balance transactions, schedules, quotes, evidence in disputes, identity checks, the languages
that a customer prefers, and events (which Stripe keeps for 30 days).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import (
    Capabilities,
    Category,
    Connector,
    Credentials,
    Erased,
    Failed,
    Holding,
    Limit,
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    Redacted,
    Right,
    Subject,
    TerminalError,
)

from .client import Client, Row
from .finder import Finder
from .kinds import ENDED, INSIDE, KINDS, ROUTES, content, filled, reference
from .search import Search, has_its_lists

REASONS = {
    "card_stays": "Stripe keeps what is left of a payment method that no customer has any more.",
    "details_stay": "Stripe does not let the billing details of this payment method be changed.",
    "forbidden": "The API key may not do this.",
    "record_stays": "Stripe has no way to delete the record of a payment.",
    "refused": "Stripe refused the request.",
    "subscription_active": "A subscription is still running: it has to be ended in Stripe first.",
}


class Stripe(Connector):
    """One Stripe account."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        """`user_id_key` is the key in a customer's metadata that holds our own user id.

        `search` is false where Stripe offers no search (merchants in India): then nobody is found
        by a user id, nor by an address in a case other than as given and lower.
        """

        api_key: str = field(repr=False)
        url: str = "https://api.stripe.com"
        user_id_key: str = "user_id"
        search: bool = True

    capabilities = Capabilities(
        system="stripe",
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
        kinds=KINDS,
        limits=(Limit(calls=100, per=timedelta(seconds=1)),),
        facts=frozenset({"customer", "customer_since", "last_charge", "open_dispute"}),
        credentials=Credentials(live=("sk_live_", "rk_live_"), test=("sk_test_", "rk_test_")),
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings.url, settings.api_key)
        self._user_id_key = settings.user_id_key
        self._finder = Finder(self._client, settings.user_id_key, has_search=settings.search)

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
                yield await self._page(search, it.kind, [row])
        async for rows in self._finder.customers(search):
            yield await self._page(search, "customer", rows)
        for customer in tuple(search.customers):
            async for kind, held in self._finder.of_customer(customer):
                yield await self._page(search, kind, held)
        for email in search.spellings():
            async for kind, bought in self._finder.of_guest(search, email):
                yield await self._page(search, kind, bought)
        yield Page(facts=search.facts())

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """The object, with all of the list inside it."""
        row = await self._row(holding)
        if row is None:
            return
        name, route = INSIDE.get(holding.kind, ("", ""))
        if name and not has_its_lists(row):
            inside = {"id": holding.id} if "{id}" in route else {}
            query = {} if inside else {holding.kind: holding.id}
            pages = self._client.pages(route, query, **inside)
            row = {**row, name: {"data": [it async for rows in pages for it in rows]}}
        yield Record.of(holding, row)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """Blanks what can be blanked, detaches payment methods, and deletes whole customers."""
        try:
            row = await self._row(holding)
            due = (holding.categories or KINDS[holding.kind]) - keep
            return Erased() if row is None else await self._erase(holding.kind, row, due, keep)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    # Finding.

    async def _page(self, search: Search, kind: str, rows: Sequence[Row]) -> Page:
        for row in rows if kind == "charge" else ():
            search.disputed = search.disputed or await self._finder.is_in_dispute(row)
        return search.page(kind, rows)

    async def _row(self, it: Holding) -> Row | None:
        """The object, read by its own id; None if it is gone."""
        if it.kind not in ROUTES:
            raise TerminalError("not the id of a holding")
        row = await self._client.get(ROUTES[it.kind], it.id)
        return None if row is None or row.get("deleted") is True else row

    # Erasing.

    async def _erase(
        self, kind: str, row: Row, due: frozenset[Category], keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        match kind:
            case "customer":
                return await self._erase_customer(row, due, keep)
            case "payment_method":
                return await self._erase_payment_method(row, due)
            case "invoice" if row.get("status") == "draft" and not keep:
                await self._client.delete(ROUTES[kind], str(row["id"]))
                return Erased()
            case "subscription" if row.get("status") not in ENDED:
                return NeedsHuman("subscription_active")
            case _:
                return NotSupported("record_stays")

    async def _erase_customer(
        self, row: Row, due: frozenset[Category], keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Deleting would cancel what is active, so it is never done then."""
        if keep:
            await self._blank("customer", row, due)
            return dict.fromkeys(due, Redacted())
        customer = reference(row)
        if await self._has_subscription(customer):
            return NeedsHuman("subscription_active")
        # There is no second chance to blank it, nor what Stripe detaches with it.
        async for cards in self._finder.cards(customer):
            for card in cards:
                await self._let_go(card, KINDS["payment_method"])
        await self._blank("customer", row, due)
        await self._client.delete(ROUTES["customer"], customer)
        return Erased()

    async def _erase_payment_method(
        self, row: Row, due: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Once detached it can be neither used nor changed any more, and cannot be deleted."""
        customer = reference(row.get("customer"))
        if not customer:
            held = content("payment_method", row, "")
            left = {it for it in due if filled(held.get(it))}
            return {it: NotSupported("card_stays") if it in left else Redacted() for it in due}
        if Category.TRANSACTION in due and await self._has_subscription(customer):
            return NeedsHuman("subscription_active")
        return await self._let_go(row, due)

    async def _let_go(self, card: Row, due: frozenset[Category]) -> Mapping[Category, Outcome]:
        """Blank a payment method's details, and detach it from its customer."""
        said: Outcome = Redacted()
        try:
            await self._blank("payment_method", card, due - {Category.TRANSACTION})
        except UnauthorisedError:
            raise
        except TerminalError:  # those of some bank accounts are fixed
            said = NotSupported("details_stay")
        if Category.TRANSACTION in due:
            id_ = reference(card)
            await self._client.post(ROUTES["payment_method"], id_, {}, action="/detach")
        stays = {Category.TRANSACTION: NotSupported("card_stays")}
        return {it: stays.get(it, said) for it in due}

    async def _blank(self, kind: str, row: Row, due: frozenset[Category]) -> None:
        held = content(kind, row, self._user_id_key)
        blank = {
            name: "" for it in due for name, value in held.get(it, {}).items() if filled(value)
        }
        if blank:
            await self._client.post(ROUTES[kind], reference(row), blank)

    async def _has_subscription(self, customer: str) -> bool:
        """Whether anything is under way that would be cancelled, or left unpaid."""
        query = {"customer": customer, "status": "all"}
        async for rows in self._client.pages(ROUTES["subscription"], query):
            if any(it.get("status") not in ENDED for it in rows):
                return True
        return False
