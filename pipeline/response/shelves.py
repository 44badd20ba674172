"""A system's records in page-sized lots: the first on the first page, the rest on pages of theirs.

A person with one record and a person with a million are shown the same way, and no lot grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from connectors.sdk.interface import Holding, Record

from . import words
from .cards import Card
from .files import File

FIRST = 400_000
"""Bytes of records of one system on the first page, at most."""
FURTHER = 1_000_000
"""Bytes of records on each further page, but for one that is larger by itself."""
LINE = 400
"""Bytes that the line about a file counts for, whatever its size."""


@dataclass(slots=True)
class Shelf:
    """A lot of one system's records. Number 0 stands on the first page."""

    system: str
    number: int = 0
    cards: list[Card] = field(default_factory=list)
    size: int = 0
    more: bool = False
    """Whether another follows."""
    plain: bool = False
    """Whether nothing is laid out: the records are in the data file, and there alone."""
    _items: list[Record | File] = field(default_factory=list)

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

    @property
    def files(self) -> bool:
        """Whether any file is named on it."""
        return any(card.files for card in self.cards)

    def holds(self, item: Record | File) -> bool:
        """Whether the record has room here. On a page of its own, one always has."""
        limit = FURTHER if self.number else FIRST
        fits = self.size + _size(item) <= limit
        return fits or (self.number > 0 and not self._items)

    def take(self, item: Record | File) -> None:
        """Add a record, or what is told of a file."""
        self._items.append(item)
        self.size += _size(item)

    def lay_out(self, before: Holding | None) -> None:
        """Make cards of what was added; what is of one holding, one after the other, is one card.

        `before` is what the last card of the page before is of. This takes long: call it in a
        thread.
        """
        for item in self._items:
            holding, last = item.holding, self.cards[-1] if self.cards else None
            if last is None or (last.kind, last.id) != (holding.kind, holding.id):
                goes_on = last is None and holding == before
                last = Card(holding.kind, holding.id, continued=goes_on)
                self.cards.append(last)
            last.take(item)
        self._items.clear()


async def shelves(system: str, items: AsyncIterator[Record | File]) -> AsyncGenerator[Shelf, None]:
    """The lots of a system's records; at least one, which may be empty."""
    shelf = Shelf(system)
    before: Holding | None = None
    last: Holding | None = None
    async for item in items:
        if not shelf.holds(item):
            shelf.more = True
            await asyncio.to_thread(shelf.lay_out, before)
            yield shelf
            shelf, before = Shelf(system, shelf.number + 1), last
        shelf.take(item)
        last = item.holding
    await asyncio.to_thread(shelf.lay_out, before)
    yield shelf


def _size(item: Record | File) -> int:
    return LINE if isinstance(item, File) else len(item.body)
