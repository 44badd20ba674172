"""Where Stripe is asked for a person: customers, what each of them has, and what guests bought."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connectors.sdk.interface import Subject

from .client import Client, Row
from .kinds import CARDS, CLOSED, OF_CUSTOMER, ROUTES, reference
from .search import Search

SEARCH = "/v1/customers/search"
DISPUTES = "/v1/disputes"


class Finder:
    """Asks one account. `has_search` is false where Stripe offers no search."""

    def __init__(self, client: Client, user_id_key: str, *, has_search: bool) -> None:
        self._client = client
        self._user_id_key = user_id_key
        self._has_search = has_search

    def search(self, subject: Subject) -> Search:
        """A search for one person, with nothing found yet."""
        return Search(subject, self._user_id_key, has_search=self._has_search)

    async def check(self) -> None:
        """Reads one of every list, and searches: each that the key may not read is an error."""
        await self._client.first(ROUTES["customer"], {})
        await self._client.get(ROUTES["payment_method"], "pm_habeas_canary")  # lists are customers'
        for kind, query in OF_CUSTOMER.items():
            await self._client.first(ROUTES[kind], query)
        await self._client.first(DISPUTES, {})
        if self._has_search:
            await self._client.first(SEARCH, {"query": _clause("email", "nobody@example.invalid")})

    async def customers(self, search: Search) -> AsyncIterator[list[Row]]:
        """Those that bear an address or a user id looked for, as they are now."""
        for email in search.spellings():
            async for rows in self._client.pages(ROUTES["customer"], {"email": email}):
                yield [row for row in rows if search.is_known_by(row)]
        if not self._has_search:
            return
        clauses = [_clause("email", it) for it in search.emails]
        ours = f"metadata['{_escaped(self._user_id_key)}']"
        clauses += [_clause(ours, it) for it in search.user_ids]
        for clause in clauses:
            async for rows in self._client.hits(SEARCH, clause):
                for row in rows:  # as they were when Stripe indexed them
                    now = None
                    if row["id"] not in search.customers and search.is_known_by(row):
                        now = await self._client.get(ROUTES["customer"], str(row["id"]))
                    if now is not None and not now.get("deleted") and search.is_known_by(now):
                        yield [now]

    async def of_customer(self, customer: str) -> AsyncIterator[tuple[str, list[Row]]]:
        """What a customer has, kind by kind."""
        async for rows in self.cards(customer):
            yield "payment_method", rows
        for kind, query in OF_CUSTOMER.items():
            async for rows in self._client.pages(ROUTES[kind], {**query, "customer": customer}):
                yield kind, [it for it in rows if reference(it.get("customer")) == customer]

    async def cards(self, customer: str) -> AsyncIterator[list[Row]]:
        """The payment methods that are attached to a customer."""
        async for rows in self._client.pages(CARDS, {}, id=customer):
            yield [it for it in rows if reference(it.get("customer")) == customer]

    async def of_guest(self, search: Search, email: str) -> AsyncIterator[tuple[str, list[Row]]]:
        """Checkout sessions under an address, and what was paid in those without a customer."""
        asked = {"customer_details[email]": email}
        async for found in self._client.pages(ROUTES["checkout_session"], asked):
            rows = [
                it
                for it in found
                if search.is_theirs((it.get("customer_details") or {}).get("email"))
            ]
            yield "checkout_session", rows
            for row in rows:
                if await self._is_nobody(reference(row.get("customer"))):
                    async for kind, bought in self._of_session(row):
                        yield kind, bought

    async def _is_nobody(self, customer: str) -> bool:
        """Whether a checkout was a guest's, or its customer is deleted, and cannot be asked for."""
        if not customer:
            return True
        row = await self._client.get(ROUTES["customer"], customer)
        return row is None or row.get("deleted") is True

    async def _of_session(self, session: Row) -> AsyncIterator[tuple[str, list[Row]]]:
        intent = reference(session.get("payment_intent"))
        if intent:
            async for rows in self._client.pages(ROUTES["charge"], {"payment_intent": intent}):
                yield "charge", rows
        for kind in ("invoice", "subscription"):
            id_ = reference(session.get(kind))
            row = await self._client.get(ROUTES[kind], id_) if id_ else None
            if row is not None:
                yield kind, [row]

    async def is_in_dispute(self, charge: Row) -> bool:
        """Whether a dispute about a charge is still open."""
        if not charge.get("disputed"):
            return False
        async for rows in self._client.pages(DISPUTES, {"charge": str(charge["id"])}):
            if any(it.get("status") not in CLOSED for it in rows):
                return True
        return False


def _clause(field: str, value: str) -> str:
    """An exact match in Stripe's search language."""
    return f"{field}:'{_escaped(value)}'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
