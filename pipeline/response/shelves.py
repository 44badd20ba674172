"""A system's records in page-sized lots: the first on the first page, the rest on pages of theirs.

A person with one record and a person with a million are shown the same way, and no lot grows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from connectors.sdk.interface import Record

from . import words
from .cards import Card

FIRST = 400_000
"""Bytes of records of one system on the first page, at most."""
FURTHER = 1_000_000
"""Bytes of records on each further page, but for one that is larger by itself."""


@dataclass(slots=True)
class Shelf:
    """A lot of one system's records. Number 0 stands on the first page."""

    system: str
    number: int = 0
    cards: list[Card] = field(default_factory=list)
    size: int = 0
    more: bool = False
    """Whether another follows."""

    @property
    def name(self) -> str:
        """The system, as people call it."""
        return words.system(self.system)

    @property
    def kinds(self) -> dict[str, list[Card]]:
        """The cards by kind, in words and in the plural."""
        found: dict[str, list[Card]] = {}
        for card in self.cards:
            found.setdefault(words.label(words.kinds(card.kind)), []).append(card)
        return found

    def holds(self, record: Record) -> bool:
        """Whether the record has room here. On a page of its own, one always has."""
        limit = FURTHER if self.number else FIRST
        fits = self.size + len(record.body) <= limit
        return fits or (self.number > 0 and not self.cards)

    def take(self, record: Record, *, continued: bool) -> None:
        """Add a record; one of the same holding as the last belongs to its card."""
        holding = record.holding
        last = self.cards[-1] if self.cards else None
        if last is None or (last.kind, last.id) != (holding.kind, holding.id):
            last = Card(holding.kind, holding.id, continued=continued)
            self.cards.append(last)
        last.take(record)
        self.size += len(record.body)


async def shelves(system: str, records: AsyncIterator[Record]) -> AsyncGenerator[Shelf, None]:
    """The lots of a system's records; at least one, which may be empty."""
    shelf, before = Shelf(system), None
    async for record in records:
        if not shelf.holds(record):
            shelf.more = True
            yield shelf
            shelf = Shelf(system, shelf.number + 1)
        shelf.take(record, continued=record.holding == before)
        before = record.holding
    yield shelf
