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
from datetime import timedelta
from typing import Final

from connectors.sdk.download import filed
from connectors.sdk.http import Ceilings, UnauthorisedError
from connectors.sdk.interface import (
    Capabilities,
    Category,
    Connector,
    Credentials,
    Erased,
    Failed,
    Holding,
    Identifier,
    Limit,
    NeedsHuman,
    NotFoundError,
    NotSupported,
    Outcome,
    Page,
    Record,
    Redacted,
    Right,
    Subject,
    TerminalError,
)
from connectors.sdk.kinds import reference
from connectors.sdk.pages import Row

from .active import ENDED, active, subscribed
from .catalogue import BEYOND, REASONS
from .client import Client, Owner
from .facts import NAMES
from .finder import Finder
from .kinds import FIELDS, INSIDE, KINDS, ROUTES, fields_of, has_its_lists, parameter

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
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
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
        credentials=Credentials(live=("sk_live_", "rk_live_"), test=("sk_test_", "rk_test_")),
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings.url, settings.api_key, settings)
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
            return await self._erase(holding.kind, row, (holding.categories | there) - keep, keep)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

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
            return fields_of("customer", self._user_id_key).outcomes(row, due)
        reason = await active(self._client, row)
        if reason:
            return NeedsHuman(reason)
        customer = str(row["id"])
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
            left = FIELDS["payment_method"].of(row)
            return {it: NotSupported("card_stays") if it in left else Redacted() for it in due}
        if Category.TRANSACTION in due:
            reason = await subscribed(self._client, customer)
            if reason:
                return NeedsHuman(reason)
        return await self._let_go(row, due)

    async def _let_go(self, card: Row, due: frozenset[Category]) -> Mapping[Category, Outcome]:
        """Blank a payment method's details, and detach it from its customer."""
        stays = FIELDS["payment_method"].leftovers(card, frozenset({Category.TRANSACTION}))
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
        kept: dict[Category, Outcome] = dict.fromkeys(stays, NotSupported("details_stay"))
        kept[Category.TRANSACTION] = NotSupported("card_stays")
        return {it: kept.get(it, said) for it in due}

    async def _blank(self, kind: str, row: Row, due: frozenset[Category]) -> None:
        """Write nothing into every field of what is due; a tax number is deleted by itself."""
        fields = fields_of(kind, self._user_id_key)
        blanks = fields.blanks(row, fields.every - due)
        if blanks.pop("tax_ids.data", None) is not None:
            await self._delete_tax_ids(reference(row))
        if blanks:
            blank = {parameter(name): "" for name in blanks}
            await self._client.post(ROUTES[kind], reference(row), blank)

    async def _delete_tax_ids(self, customer: str) -> None:
        route = INSIDE["customer"]["tax_ids"]
        of = Owner(ROUTES["customer"], customer)
        pages = self._client.pages(route, {}, of, id=customer)
        for it in [it async for rows in pages for it in rows]:
            await self._client.delete(
                "/v1/customers/{customer}/tax_ids", str(it["id"]), customer=customer
            )
