"""Everybody of whom a Stripe account has something: customers, guests, and whoever else paid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from connectors.sdk.interface import Holding, Subject
from connectors.sdk.pages import Row
from connectors.sdk.people import People, is_until

from .belonging import holding
from .client import Client
from .finder import Finder
from .kinds import EXPANDED, OF_CUSTOMER, ROUTES

CARDS, CUSTOMER = "payment_method", "customer"
LISTS: Final[Mapping[str, Mapping[str, str]]] = {CUSTOMER: {}, **OF_CUSTOMER}
"""What has a list of its own, and what else to say. Payment methods are listed by customer."""


class Everybody:
    """Of one account, in one go."""

    def __init__(self, client: Client, finder: Finder, user_id_key: str) -> None:
        self._client = client
        self._finder = finder
        self._held = partial(holding, user_id_key=user_id_key)
        self._people = People("stripe", self._customers)

    async def pages(
        self, kinds: frozenset[str], until: datetime | None
    ) -> AsyncIterator[Sequence[Subject]]:
        """See `Connector.people`."""
        for kind, query in LISTS.items():
            if not kinds or kind in kinds:
                async for rows in self._listed(kind, query):
                    yield await self._of(kind, rows, until)
        if kinds and CARDS not in kinds:
            return
        async for rows in self._listed(CUSTOMER, {}):
            for row in rows:
                async for cards in self._finder.cards(str(row["id"])):
                    yield await self._of(CARDS, cards, until)

    async def _of(
        self, kind: str, rows: Iterable[Row], until: datetime | None
    ) -> tuple[Subject, ...]:
        there = (row for row in rows if is_until(row.get("created"), until))
        return await self._people.of(self._held(kind, row) for row in there)

    async def _listed(self, kind: str, query: Mapping[str, str]) -> AsyncIterator[list[Row]]:
        route = ROUTES[kind]
        async for rows in self._client.pages(route, query, None, EXPANDED.get(route, ())):
            yield rows

    async def _customers(self, owners: Sequence[Holding]) -> Iterable[Holding]:
        """Those that are there: of what a deleted one had, only its own words are left."""
        rows = [await self._finder.row(CUSTOMER, it.id) for it in owners]
        return [self._held(CUSTOMER, row) for row in rows if row is not None]
