"""Where Stripe is asked for a person: customers, what each of them has, and what guests bought."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from connectors.sdk.fields import at
from connectors.sdk.interface import Holding, Identifier, Subject
from connectors.sdk.kinds import reference
from connectors.sdk.pages import Row
from connectors.sdk.spelling import cleaned

from .client import Client, Owner
from .kinds import CARDS, CLOSED, EXPANDED, OF_CUSTOMER, ROUTES
from .search import Search, escaped, is_askable

SEARCH = "/v1/customers/search"
DISPUTES = "/v1/disputes"
INTENTS = "/v1/payment_intents"
CANARY = "pm_habeas_canary"
"""An id that nothing has."""


class Finder:
    """Asks one account. `has_search` is false where Stripe offers no search."""

    def __init__(self, client: Client, user_id_key: str, *, has_search: bool) -> None:
        self._client = client
        self._user_id_key = user_id_key
        self._has_search = has_search

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """The identifiers that this account can be asked by: user ids by its search alone."""
        kinds = {"email", "user_id"} if self._has_search and self._user_id_key else {"email"}
        return tuple(it for it in _askable(subject) if it.kind in kinds)

    def search(self, subject: Subject) -> Search:
        """A search for one person, with nothing found yet."""
        kinds = {"email", "user_id"} if self._user_id_key else {"email"}
        usable = self.usable(subject)
        escapes = [it for it in _askable(subject) if it.kind in kinds and it not in usable]
        return Search(subject, usable, self._user_id_key, searched=not escapes)

    async def check(self) -> None:
        """Reads one of every list, and searches: each that the key may not read is an error."""
        await self._client.first(ROUTES["customer"], {})
        await self._client.get(ROUTES["payment_method"], CANARY)  # lists are customers'
        for kind, query in OF_CUSTOMER.items():
            await self._client.first(ROUTES[kind], query)
        await self._client.first(DISPUTES, {})
        if self._has_search:
            await self._client.first(SEARCH, {"query": _clause("email", "nobody@example.invalid")})

    async def row(self, kind: str, id_: str) -> Row | None:
        """An object, with what it shows only if it is asked to; None if it is gone."""
        route = ROUTES[kind]
        row = await self._client.get(route, id_, EXPANDED.get(route, ()))
        return None if row is None or row.get("deleted") is True else row

    async def customers(self, search: Search) -> AsyncIterator[list[Row]]:
        """Those that bear an address or a user id looked for, as they are now."""
        for email in search.spellings():
            async for rows in self._listed("customer", {"email": email}):
                yield [row for row in rows if search.is_known_by(row)]
        if not self._has_search:
            return
        for field, value in search.clauses():
            async for rows in self._client.hits(SEARCH, _clause(field, value)):
                for row in rows:  # as they were when Stripe indexed them
                    now = None
                    if row["id"] not in search.customers and search.is_known_by(row):
                        now = await self.row("customer", str(row["id"]))
                    if now is not None and search.is_known_by(now):
                        yield [now]

    async def everyone(self, subject: Subject) -> AsyncIterator[Row]:
        """Each customer who bears what the subject can be asked by, once."""
        search = self.search(subject)
        async for rows in self.customers(search):
            for row in rows:
                if row["id"] not in search.customers:
                    search.page("customer", [row])
                    yield row

    async def of_customer(
        self, search: Search, customer: str
    ) -> AsyncIterator[tuple[str, list[Row]]]:
        """What a customer has, kind by kind. A list that is not there says nothing of them."""
        async for rows in self.cards(customer):
            yield "payment_method", rows
        of = Owner(ROUTES["customer"], customer)
        for kind, query in OF_CUSTOMER.items():
            is_there = False
            async for rows in self._listed(kind, {**query, "customer": customer}, of):
                is_there = True
                yield kind, [it for it in rows if reference(it.get("customer")) == customer]
            if not is_there:
                search.facts.miss()

    async def cards(self, customer: str) -> AsyncIterator[list[Row]]:
        """The payment methods that are attached to a customer."""
        of = Owner(ROUTES["customer"], customer)
        async for rows in self._client.pages(CARDS, {}, of, id=customer):
            yield [it for it in rows if reference(it.get("customer")) == customer]

    async def of_guest(
        self, search: Search, email: str
    ) -> AsyncIterator[tuple[str, list[Row], Holding | None]]:
        """Checkout sessions under an address, and what was paid in those without a customer.

        With what was paid comes the checkout that led to it.
        """
        asked = {"customer_details[email]": email}
        async for found in self._client.pages(ROUTES["checkout_session"], asked):
            rows = [it for it in found if search.is_theirs(at(it, "customer_details.email"))]
            yield "checkout_session", rows, None
            for row in rows:
                if await self._is_nobody(reference(row.get("customer"))):
                    async for kind, bought in self._of_session(row):
                        yield kind, bought, _checkout(row)

    async def _is_nobody(self, customer: str) -> bool:
        """Whether a checkout was a guest's, or its customer is deleted, and cannot be asked for."""
        return not customer or await self.row("customer", customer) is None

    async def _of_session(self, session: Row) -> AsyncIterator[tuple[str, list[Row]]]:
        intent = reference(session.get("payment_intent"))
        if intent:
            of = Owner(INTENTS, intent)
            async for rows in self._listed("charge", {"payment_intent": intent}, of):
                yield "charge", rows
        for kind in ("invoice", "subscription"):
            id_ = reference(session.get(kind))
            row = await self.row(kind, id_) if id_ else None
            if row is not None:
                yield kind, [row]

    async def checkout_of(self, kind: str, row: Row) -> Holding | None:
        """The checkout in which a guest paid a charge, which names it nowhere."""
        intent = reference(row.get("payment_intent"))
        if kind != "charge" or reference(row.get("customer")) or not intent:
            return None
        asked = {"payment_intent": intent}
        of = Owner(INTENTS, intent)
        async for rows in self._client.pages(ROUTES["checkout_session"], asked, of):
            if rows:
                return _checkout(rows[0])
        return None

    async def _listed(
        self, kind: str, query: Mapping[str, str], of: Owner | None = None
    ) -> AsyncIterator[list[Row]]:
        route = ROUTES[kind]
        async for rows in self._client.pages(route, query, of, EXPANDED.get(route, ())):
            yield rows

    async def is_in_dispute(self, charge: str) -> bool | None:
        """Whether a dispute about a charge is still open; None if there is no such list."""
        is_open = None
        of = Owner(ROUTES["charge"], charge)
        async for rows in self._client.pages(DISPUTES, {"charge": charge}, of):
            is_open = is_open or any(it.get("status") not in CLOSED for it in rows)
        return is_open


def _checkout(session: Row) -> Holding:
    return Holding("checkout_session", str(session["id"]))


def _askable(subject: Subject) -> tuple[Identifier, ...]:
    return tuple(it for it in subject.identifiers if it.strong and is_askable(cleaned(it.value)))


def _clause(field: str, value: str) -> str:
    """An exact match in Stripe's search language."""
    return f"{field}:'{escaped(value)}'"
